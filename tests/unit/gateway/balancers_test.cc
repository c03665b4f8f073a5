#include "gateway/balancers.h"

#include <gtest/gtest.h>

#include <vector>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

struct Memory final : DrainMemory {
  Lines lines;
  void mark_drained(std::string_view b) override { lines.push_back("+" + std::string(b)); }
  void clear_drained(std::string_view b) override { lines.push_back("-" + std::string(b)); }
};

struct BalancersTest : ::testing::Test {
  static TimePoint at(Duration after) { return TimePoint{seconds(1000)} + after; }
  /// An agent check each second until `end`, each told what it may be.
  void poll(const std::string& name, int end) {
    for (int s = -10; s < end; ++s) (void)balancers.agent_asks(name, at(seconds(s)));
  }
  Memory memory;
  Balancers balancers{memory};
};

TEST_F(BalancersTest, NobodyAsks) {
  balancers.drain_begins(at(seconds(0)));
  EXPECT_EQ(balancers.drain_seen(at(seconds(0))), DrainSeen::kNobodyAsks);
  EXPECT_EQ(memory.lines, Lines{});
}

TEST_F(BalancersTest, DrainIsSaidWhenTheMarkIsKeptAndSeenWhenItHasBeenTaken) {
  poll("a", 0);
  balancers.drain_begins(at(seconds(0)));
  EXPECT_EQ(memory.lines, Lines{"+a"});
  EXPECT_FALSE(balancers.agent_asks("a", at(milliseconds(1))).drain_may_be_said);
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(1))), DrainSeen::kWaiting);
  balancers.confirmed("a");
  EXPECT_TRUE(balancers.agent_asks("a", at(seconds(1))).drain_may_be_said);
  EXPECT_EQ(balancers.drain_seen(at(seconds(1))), DrainSeen::kWaiting);
  balancers.agent_told_drain("a", at(seconds(1)));
  EXPECT_EQ(balancers.drain_seen(at(seconds(1))), DrainSeen::kWaiting) << "it has to act on it";
  EXPECT_EQ(balancers.drain_seen(at(seconds(1)) + kSeenSettle), DrainSeen::kByAll);
  EXPECT_EQ(balancers.owed(), 1U);
}

TEST_F(BalancersTest, WithoutARelayTheDrainIsSaidUnremembered) {
  poll("a", 0);
  balancers.drain_begins(at(seconds(0)));
  EXPECT_FALSE(balancers.agent_asks("a", at(kMarkWait - milliseconds(1))).drain_may_be_said);
  EXPECT_TRUE(balancers.agent_asks("a", at(kMarkWait)).drain_may_be_said);
}

TEST_F(BalancersTest, APairMustSeeItBoth) {
  poll("a", 0);
  poll("b", 0);
  balancers.drain_begins(at(seconds(0)));
  for (const char* name : {"a", "b"}) balancers.confirmed(name);
  (void)balancers.agent_asks("a", at(seconds(1)));
  balancers.agent_told_drain("a", at(seconds(1)));
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(1500))), DrainSeen::kWaiting);
  (void)balancers.agent_asks("b", at(milliseconds(1600)));
  balancers.agent_told_drain("b", at(milliseconds(1600)));
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(2000))), DrainSeen::kByAll);
}

TEST_F(BalancersTest, OneThatHasGoneIsNotWaitedForForEver) {
  poll("a", 0);  // each second: given up after two intervals and a second
  balancers.drain_begins(at(seconds(0)));
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(2900))), DrainSeen::kWaiting);
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(3100))), DrainSeen::kNobodyAsks);
}

TEST_F(BalancersTest, WhoAsksRarelyIsWaitedForTwoOfItsIntervals) {
  for (int s = -40; s < 0; s += 10) balancers.check_answered("a", true, at(seconds(s)));
  balancers.drain_begins(at(seconds(0)));
  balancers.check_answered("a", true, at(seconds(1)));  // gets its 404
  EXPECT_EQ(balancers.drain_seen(at(seconds(10))), DrainSeen::kWaiting);
  balancers.check_answered("a", false, at(seconds(11)));  // NOLB: it has heeded it
  EXPECT_EQ(balancers.drain_seen(at(seconds(12))), DrainSeen::kByAll);
  EXPECT_EQ(memory.lines, Lines{}) << "a health check is told nothing that stays";
}

TEST_F(BalancersTest, WhoAskedLongAgoDoesNotCount) {
  balancers.check_answered("a", true, at(-kBalancerKeep - seconds(1)));
  balancers.drain_begins(at(seconds(0)));
  EXPECT_EQ(balancers.drain_seen(at(seconds(0))), DrainSeen::kNobodyAsks);
  EXPECT_EQ(balancers.active(at(seconds(0))), 0U);
}

TEST_F(BalancersTest, AfterADrainEachThatWasToldIsOwedReadyOnce) {
  poll("a", 0);
  poll("b", 0);
  balancers.drain_begins(at(seconds(0)));
  balancers.confirmed("a");
  (void)balancers.agent_asks("a", at(seconds(1)));
  balancers.agent_told_drain("a", at(seconds(1)));
  memory.lines.clear();
  balancers.drain_ends();
  EXPECT_EQ(memory.lines, Lines{"-b"}) << "marked, and never told";
  EXPECT_FALSE(balancers.agent_asks("b", at(seconds(2))).ready_owed);
  EXPECT_TRUE(balancers.agent_asks("a", at(seconds(2))).ready_owed);
  EXPECT_TRUE(balancers.agent_asks("a", at(seconds(3))).ready_owed) << "until one has taken it";
  balancers.agent_told_ready("a");
  EXPECT_FALSE(balancers.agent_asks("a", at(seconds(4))).ready_owed);
  EXPECT_EQ(memory.lines, (Lines{"-b", "-a"}));
}

TEST_F(BalancersTest, ASuccessorOwesWhatIsRemembered) {
  balancers.remembered("a", at(seconds(0)));
  EXPECT_EQ(balancers.active(at(seconds(0))), 0U) << "nobody has asked this process";
  EXPECT_TRUE(balancers.agent_asks("a", at(seconds(1))).ready_owed);
  balancers.agent_told_ready("a");
  EXPECT_EQ(memory.lines, Lines{"-a"});
  EXPECT_FALSE(balancers.agent_asks("a", at(seconds(2))).ready_owed);
}

TEST_F(BalancersTest, ASuccessorThatDrainsAtOnceNeedsNoNewMark) {
  balancers.remembered("a", at(seconds(0)));
  balancers.drain_begins(at(seconds(0)));
  EXPECT_TRUE(balancers.agent_asks("a", at(seconds(1))).drain_may_be_said);
  EXPECT_EQ(memory.lines, Lines{});
}

TEST_F(BalancersTest, WhoseChecksHeedA404IsToldNothingThatStays) {
  for (int s = -5; s < 0; ++s) {
    balancers.check_answered("a", true, at(seconds(s)));
    (void)balancers.agent_asks("a", at(seconds(s)));
  }
  balancers.drain_begins(at(seconds(0)));
  balancers.check_answered("a", true, at(milliseconds(100)));
  EXPECT_FALSE(balancers.agent_asks("a", at(milliseconds(200))).drain_may_be_said);
  balancers.check_answered("a", false, at(milliseconds(1100)));
  EXPECT_FALSE(balancers.agent_asks("a", at(milliseconds(1200))).drain_may_be_said);
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(1500))), DrainSeen::kByAll);
  balancers.drain_ends();
  EXPECT_FALSE(balancers.agent_asks("a", at(seconds(2))).ready_owed);
  EXPECT_EQ(memory.lines, Lines{});
}

TEST_F(BalancersTest, WhoseChecksIgnoreA404IsToldByItsAgent) {
  for (int s = -5; s < 0; ++s) {
    balancers.check_answered("a", true, at(seconds(s)));
    (void)balancers.agent_asks("a", at(seconds(s)));
  }
  balancers.drain_begins(at(seconds(0)));
  balancers.check_answered("a", true, at(milliseconds(100)));
  balancers.check_answered("a", true, at(milliseconds(1100)));  // UP all the same
  EXPECT_EQ(balancers.drain_seen(at(milliseconds(1100))), DrainSeen::kWaiting);
  EXPECT_FALSE(balancers.agent_asks("a", at(milliseconds(1200))).drain_may_be_said);
  EXPECT_EQ(memory.lines, Lines{"+a"});
  balancers.confirmed("a");
  EXPECT_TRUE(balancers.agent_asks("a", at(milliseconds(2200))).drain_may_be_said);
}

TEST_F(BalancersTest, MaintenanceStopsTheChecksAndNeedsNoWord) {
  for (int s = -20; s < -10; ++s) {
    balancers.check_answered("a", true, at(seconds(s)));
    (void)balancers.agent_asks("a", at(seconds(s)));
  }
  for (int s = -10; s < 0; ++s) (void)balancers.agent_asks("a", at(seconds(s)));
  balancers.drain_begins(at(seconds(0)));
  EXPECT_FALSE(balancers.agent_asks("a", at(seconds(1))).drain_may_be_said);
  EXPECT_EQ(balancers.drain_seen(at(seconds(1))), DrainSeen::kByAll);
  EXPECT_EQ(memory.lines, Lines{});
}

TEST_F(BalancersTest, TheTableIsBoundedAndKeepsWhomItOwes) {
  balancers.remembered("owed", at(seconds(0)));
  for (std::size_t i = 0; i < 3 * kBalancersMax; ++i)
    (void)balancers.agent_asks("b" + std::to_string(i), at(seconds(static_cast<int>(i) / 10)));
  EXPECT_LE(balancers.active(at(seconds(10))), kBalancersMax);
  EXPECT_EQ(balancers.owed(), 1U);
}

}  // namespace
}  // namespace sluice::gateway
