#include "gateway/agent_check.h"

#include <algorithm>

namespace sluice::gateway {
namespace {

/// HAProxy shows so much of it in `show stat`.
constexpr std::size_t kReasonBytesMax = 120;

/// " #reason" with the space, without which HAProxy takes the word for an unknown one. One line of
/// printable ASCII.
std::string with_reason(std::string_view word, std::string_view reason) {
  std::string line(word);
  line += " #";
  for (const char c : reason.substr(0, kReasonBytesMax)) line += c >= ' ' && c <= '~' ? c : '?';
  return line + "\n";
}

AgentWord word_for(const AgentFacts& facts) {
  if (facts.ending) return AgentWord::kStopped;
  switch (facts.state) {
    case ReadyState::kStarting:
    case ReadyState::kNotReady:
      return AgentWord::kDown;
    case ReadyState::kDraining:
      return facts.drain_may_be_said ? AgentWord::kDrain : AgentWord::kUp;
    case ReadyState::kReady:
    case ReadyState::kDegraded:
      break;
  }
  return facts.ready_owed ? AgentWord::kUpReady : AgentWord::kUp;
}

}  // namespace

std::string_view to_string(AgentWord word) {
  switch (word) {
    case AgentWord::kUp:
      return "up";
    case AgentWord::kUpReady:
      return "ready";
    case AgentWord::kDrain:
      return "drain";
    case AgentWord::kDown:
      return "down";
    case AgentWord::kStopped:
      return "stopped";
  }
  return "unknown";
}

AgentAnswer agent_answer(const AgentFacts& facts) {
  const AgentWord word = word_for(facts);
  switch (word) {
    case AgentWord::kDown:
      return {word, with_reason("down", facts.reason)};
    case AgentWord::kStopped:
      return {word, with_reason("stopped", facts.reason)};
    case AgentWord::kDrain:
      return {word, "drain\n"};
    case AgentWord::kUp:
    case AgentWord::kUpReady:
      break;
  }
  std::string line = word == AgentWord::kUpReady ? "up ready" : "up";
  if (facts.weight_percent > 0) line += " " + std::to_string(facts.weight_percent) + "%";
  return {word, line + "\n"};
}

}  // namespace sluice::gateway
