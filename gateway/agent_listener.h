// Answers HAProxy's agent checks: one line for each connection, sent as soon as it is accepted;
// nothing is read (an `agent-send` text is dropped), nothing is computed for a question but the
// line.
#pragma once

#include <functional>
#include <string>

#include "gateway/event_loop.h"
#include "gateway/lingering_close.h"
#include "gateway/listener.h"

namespace sluice::gateway {

/// Questions whose connection is not closed yet; one more is closed in haste.
inline constexpr std::size_t kAgentConnectionsMax = 64;

class AgentListener {
 public:
  /// The line for the peer at `address`, and afterwards: it has left whole.
  struct Speaker {
    std::function<std::string(const std::string& address)> line;
    std::function<void(const std::string& address)> told;
  };

  AgentListener(EventLoop& loop, UniqueFd listening, Speaker speaker, const TimeSource& time);

 private:
  void take(UniqueFd fd, const ClientAddress& peer);

  Speaker speaker_;
  ListenerStats stats_;
  LingeringCloser closing_;
  Listener listener_;
};

}  // namespace sluice::gateway
