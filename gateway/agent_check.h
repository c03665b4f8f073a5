// What the agent check says: one line for each state. HAProxy 2.6 manual 5.2 "agent-check". Pure.
//
//   state                                    line
//   starting, not ready                      down #REASON
//   ready or degraded                        up WEIGHT%          (up alone with --agent-weight off)
//     a `drain` of ours still stands there   up ready WEIGHT%    until one such answer was taken
//   draining                                 drain
//     not marked in the relay's memory yet   up WEIGHT%          the next question gets `drain`
//   drained and about to end                 stopped #REASON
//
// `up` undoes no more than our own `down`. `ready` would undo an operator's drain or maintenance,
// so it is said to those alone that were told `drain`. The weight is at least 10 %: with a server
// weight of 10 or more it never becomes 0, which would be a drain.
#pragma once

#include <string>
#include <string_view>

#include "gateway/readiness.h"

namespace sluice::gateway {

enum class AgentWord { kUp, kUpReady, kDrain, kDown, kStopped };
inline constexpr std::size_t kAgentWords = 5;
/// Label values of the metric.
[[nodiscard]] std::string_view to_string(AgentWord word);

struct AgentFacts {
  ReadyState state{};
  std::string_view reason{};  ///< for people
  bool ending = false;        ///< no client is left, the process ends
  bool drain_may_be_said = false;
  bool ready_owed = false;
  unsigned weight_percent = 0;  ///< 0: leave the weight alone
};

struct AgentAnswer {
  AgentWord word{};
  std::string line;  ///< with its newline: HAProxy takes no line without
};

[[nodiscard]] AgentAnswer agent_answer(const AgentFacts& facts);

}  // namespace sluice::gateway
