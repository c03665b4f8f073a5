#include "gateway/agent_check.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

std::string line(const AgentFacts& facts) {
  return agent_answer(facts).line;
}

TEST(AgentCheck, EachStateHasItsLine) {
  EXPECT_EQ(line({.state = ReadyState::kStarting, .reason = "waiting"}), "down #waiting\n");
  EXPECT_EQ(line({.state = ReadyState::kNotReady, .reason = "relay away"}), "down #relay away\n");
  EXPECT_EQ(line({.state = ReadyState::kReady, .weight_percent = 75}), "up 75%\n");
  EXPECT_EQ(line({.state = ReadyState::kDegraded, .weight_percent = 75}), "up 75%\n");
  EXPECT_EQ(line({.state = ReadyState::kDraining, .drain_may_be_said = true}), "drain\n");
  EXPECT_EQ(line({.state = ReadyState::kDraining, .reason = "drained", .ending = true}),
            "stopped #drained\n");
}

TEST(AgentCheck, WithoutAWeightItIsLeftAlone) {
  EXPECT_EQ(line({.state = ReadyState::kReady}), "up\n");
  EXPECT_EQ(line({.state = ReadyState::kReady, .ready_owed = true}), "up ready\n");
}

TEST(AgentCheck, ReadyIsSaidToThoseAloneThatAreOwedIt) {
  EXPECT_EQ(line({.state = ReadyState::kReady, .ready_owed = true, .weight_percent = 10}),
            "up ready 10%\n");
  for (const ReadyState state : {ReadyState::kStarting, ReadyState::kNotReady}) {
    EXPECT_EQ(line({.state = state, .reason = "x", .ready_owed = true}), "down #x\n");
  }
}

TEST(AgentCheck, NoDrainBeforeTheMarkIsKept) {
  EXPECT_EQ(line({.state = ReadyState::kDraining, .weight_percent = 50}), "up 50%\n");
}

TEST(AgentCheck, AReasonIsOneBoundedLineOfAscii) {
  const std::string answer =
      line({.state = ReadyState::kNotReady, .reason = "a\nup ready\r\x01\xc3\xa9" + std::string()});
  EXPECT_EQ(answer, "down #a?up ready????\n");
  const std::string longest(500, 'x');
  EXPECT_LT(line({.state = ReadyState::kNotReady, .reason = longest}).size(), 140U);
}

TEST(AgentCheck, WordsAreCountedByName) {
  EXPECT_EQ(to_string(agent_answer({.state = ReadyState::kReady}).word), "up");
  EXPECT_EQ(to_string(agent_answer({.state = ReadyState::kReady, .ready_owed = true}).word),
            "ready");
}

}  // namespace
}  // namespace sluice::gateway
