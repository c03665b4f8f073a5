#include "relay/gateway_listener.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "proto/encoder.h"
#include "relay/limits.h"

namespace sluice::relay {

using proto::ErrorReason;

GatewayListener::GatewayListener(event_base* base, UniqueFd socket, std::vector<uid_t> allowed_uids,
                                 Router& router, const TimeSource& time)
    : base_(base),
      allowed_uids_(std::move(allowed_uids)),
      router_(router),
      time_(time),
      free_event_(make_event<&GatewayListener::free_closed>(base, -1, 0, this)),
      refusals_([](std::string_view what, std::uint64_t more) {
        log_warn("refusals of {} have ended: {} more since the first", what, more);
      }),
      listener_(base, std::move(socket), "a gateway", time,
                [this](UniqueFd fd) { admit(std::move(fd)); }) {
}

GatewayListener::~GatewayListener() = default;

// ---- accepting

void GatewayListener::admit(UniqueFd fd) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return;
  if (std::find(allowed_uids_.begin(), allowed_uids_.end(), peer.uid) == allowed_uids_.end()) {
    ++stats_.refused_not_permitted;
    const std::string who = "uid " + std::to_string(peer.uid);
    say_refused(who, peer.pid, who + " is not allowed (--allow-uid)");
    return refuse(fd.get(), "uid " + std::to_string(peer.uid) + " is not allowed");
  }
  if (connections_.size() >= router_.options().gateways_max + kToolsMax + kPendingLinksMax) {
    ++stats_.refused_too_many;
    say_refused("links beyond --max-gateways", peer.pid,
                std::to_string(connections_.size()) + " are open (--max-gateways)");
    return refuse(fd.get(), "too many links (--max-gateways)");
  }
  auto connection =
      std::make_unique<GatewayConnection>(base_, std::move(fd), peer.pid, router_, time_, *this);
  GatewayConnection* key = connection.get();
  connections_.emplace(key, std::move(connection));
}

void GatewayListener::refuse(int fd, std::string_view text) {
  std::string frame;
  proto::encode(frame, proto::ErrorFrame{0, ErrorReason::kNotPermitted, text});
  // A new socket's buffer takes it; if not, the close says enough.
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void GatewayListener::say_refused(const std::string& what, pid_t pid, std::string_view reason) {
  if (!refusals_.refused(what, time_.now())) return;
  log_warn("refused {}, pid {}: {}", what, pid, reason);
}

void GatewayListener::stop_listening() {
  listener_.stop();
}

void GatewayListener::take_in(bool on) {
  listener_.accept_on(on);
  for (const auto& [key, connection] : connections_) connection->read_on(on);
}

std::vector<LinkState> GatewayListener::links() {
  // A link that has ended is no link any more for the Router either.
  free_closed();
  std::vector<LinkState> links;
  links.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) links.push_back(connection->state());
  return links;
}

void GatewayListener::adopt(UniqueFd fd, LinkState state) {
  auto connection = std::make_unique<GatewayConnection>(base_, std::move(fd), std::move(state),
                                                        router_, time_, *this);
  GatewayConnection* key = connection.get();
  connections_.emplace(key, std::move(connection));
}

// ---- connections

void GatewayListener::tick() {
  listener_.tick();
  refusals_.tick(time_.now());
  for (const auto& [key, connection] : connections_) connection->tick();
}

void GatewayListener::finish(std::string_view text) {
  for (const auto& [key, connection] : connections_) connection->finish(text);
}

bool GatewayListener::idle() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& one) { return one.second->idle(); });
}

void GatewayListener::connection_open(GatewayConnection& connection) {
  const GatewaySession& session = connection.session();
  if (session.tool()) {
    // Scripts ask every few seconds.
    ++stats_.tools_opened;
    log_debug("tool connected: {}, pid {}", session.software(), connection.peer());
    return;
  }
  ++stats_.opened;
  log_info("gateway {} connected: {}, pid {}, {}", session.gateway_id(), session.software(),
           connection.peer(), session.resumed() ? "resumed" : "fresh");
  refusals_.end("gateway " + session.gateway_id());
}

void GatewayListener::connection_closed(GatewayConnection& connection) {
  const GatewaySession& session = connection.session();
  if (!session.tool()) ++stats_.closed;
  const std::string name = session.tool()                 ? "a tool"
                           : session.gateway_id().empty() ? "an unnamed peer"
                                                          : "gateway " + session.gateway_id();
  if (session.end_reason() != ErrorReason{}) {
    count_refusal(session.end_reason());
    if (session.open()) {
      log_warn("ended the link of {} (pid {}): {}", name, connection.peer(),
               connection.close_reason());
    } else {
      say_refused(name, connection.peer(), connection.close_reason());
    }
  } else if (session.tool()) {
    log_debug("tool disconnected: pid {}, {}", connection.peer(), connection.close_reason());
  } else if (session.open()) {
    log_info("gateway {} disconnected: {}", session.gateway_id(), connection.close_reason());
  }
  closed_.push_back(&connection);
  event_active(free_event_.get(), 0, 0);
}

void GatewayListener::count_refusal(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kUnsupportedVersion:
      ++stats_.refused_version;
      break;
    case ErrorReason::kIdInUse:
      ++stats_.refused_in_use;
      break;
    case ErrorReason::kBadId:
      ++stats_.refused_bad_id;
      break;
    case ErrorReason::kNotPermitted:
    case ErrorReason::kTooManyTools:
      ++stats_.refused_too_many;
      break;
    case ErrorReason::kOverrun:
      ++stats_.refused_overrun;
      break;
    default:
      ++stats_.refused_malformed;
      break;
  }
}

void GatewayListener::count_bytes(std::size_t in, std::size_t out) {
  stats_.bytes_in += in;
  stats_.bytes_out += out;
}

void GatewayListener::free_closed() {
  for (GatewayConnection* connection : closed_) connections_.erase(connection);
  closed_.clear();
}

}  // namespace sluice::relay
