#include "gateway/agent_listener.h"

#include <sys/socket.h>

#include <utility>

#include "gateway/balancer_peer.h"

namespace sluice::gateway {

AgentListener::AgentListener(EventLoop& loop, UniqueFd listening, Speaker speaker,
                             const TimeSource& time)
    : speaker_(std::move(speaker)),
      closing_(loop, LingeringOptions{.connections_max = kAgentConnectionsMax}, time),
      listener_(loop, std::move(listening), time, stats_,
                [this](UniqueFd fd, const ClientAddress& peer) { take(std::move(fd), peer); }) {
}

void AgentListener::take(UniqueFd fd, const ClientAddress& peer) {
  // After a stall the backlog holds questions that timed out long ago: nobody reads the answers.
  if (has_hung_up(fd.get())) return;
  const std::string address = balancer_name(peer);
  std::string line = speaker_.line(address);
  // A fresh socket takes a line of this length, or is broken.
  const ssize_t sent = ::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(line.size())) {
    speaker_.told(address);
    line.clear();
  } else if (sent > 0) {
    line.erase(0, static_cast<std::size_t>(sent));
  }
  closing_.close(std::move(fd), std::move(line));
}

}  // namespace sluice::gateway
