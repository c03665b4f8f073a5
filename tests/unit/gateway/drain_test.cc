#include "gateway/drain.h"

#include <gtest/gtest.h>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(100)};

DrainView view(DrainSeen seen, std::size_t open = 0, std::size_t present = 0,
               std::size_t publishes = 0) {
  return {.seen = seen, .open = open, .present = present, .publishes_pending = publishes};
}

TEST(Drain, WithoutABalancerItWaitsForTheDelay) {
  Drain drain({.delay = seconds(3), .timeout = seconds(30), .rate_per_second = 100}, kStart);
  const auto at = [&](Duration after) {
    return drain.tick(kStart + after, view(DrainSeen::kNobodyAsks, 10, 10, 1));
  };
  EXPECT_EQ(at(milliseconds(2999)).phase, DrainPhase::kAnnounced);
  const Drain::Step step = at(seconds(3));
  EXPECT_EQ(step.phase, DrainPhase::kClosing);
  EXPECT_TRUE(step.entered);
  EXPECT_EQ(step.rate, 100);
  EXPECT_FALSE(at(seconds(4)).entered);
}

TEST(Drain, GoesOnAsSoonAsAllBalancersHaveSeenIt) {
  Drain drain({.delay = seconds(3), .timeout = seconds(30), .rate_per_second = 100}, kStart);
  EXPECT_EQ(drain.tick(kStart + milliseconds(400), view(DrainSeen::kWaiting, 1, 1)).phase,
            DrainPhase::kAnnounced);
  EXPECT_EQ(drain.tick(kStart + milliseconds(450), view(DrainSeen::kByAll, 1, 1)).phase,
            DrainPhase::kClosing);
}

TEST(Drain, WaitsLongerThanTheDelayForBalancersThatAskRarely) {
  Drain drain({.delay = seconds(1), .timeout = seconds(20), .rate_per_second = 100}, kStart);
  EXPECT_EQ(drain.tick(kStart + seconds(9), view(DrainSeen::kWaiting, 1, 1)).phase,
            DrainPhase::kAnnounced);
  // Half of the time is for the clients.
  EXPECT_EQ(drain.tick(kStart + seconds(10), view(DrainSeen::kWaiting, 1, 1)).phase,
            DrainPhase::kClosing);
}

TEST(Drain, TheApplicationHearsOfTheLastClientsToo) {
  Drain drain({.delay = seconds(0), .timeout = seconds(30), .rate_per_second = 100}, kStart);
  EXPECT_EQ(drain.tick(kStart, view(DrainSeen::kNobodyAsks, 1, 1)).phase, DrainPhase::kClosing);
  DrainView gone = view(DrainSeen::kNobodyAsks);
  gone.hooks_pending = 1;
  EXPECT_EQ(drain.tick(kStart + seconds(1), gone).phase, DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(kStart + seconds(2), gone).phase, DrainPhase::kFlushing);
  Drain late = drain;
  gone.hooks_pending = 0;
  EXPECT_EQ(drain.tick(kStart + seconds(3), gone).phase, DrainPhase::kDone);
  gone.hooks_pending = 1;
  EXPECT_EQ(late.tick(kStart + seconds(30), gone).phase, DrainPhase::kDone) << "but not for ever";
}

TEST(Drain, ClientsGoneThenPublishesThenTheEnd) {
  Drain drain({.delay = seconds(0), .timeout = seconds(30), .rate_per_second = 100}, kStart);
  EXPECT_EQ(drain.tick(kStart, view(DrainSeen::kNobodyAsks, 2, 2, 1)).phase, DrainPhase::kClosing);
  EXPECT_EQ(drain.tick(kStart + seconds(1), view(DrainSeen::kNobodyAsks, 0, 1, 1)).phase,
            DrainPhase::kClosing);
  EXPECT_EQ(drain.tick(kStart + seconds(2), view(DrainSeen::kNobodyAsks, 0, 0, 1)).phase,
            DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(kStart + seconds(3), view(DrainSeen::kNobodyAsks, 0, 0, 1)).phase,
            DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(kStart + seconds(4), view(DrainSeen::kNobodyAsks, 0, 0, 0)).phase,
            DrainPhase::kDone);
}

TEST(Drain, TimeWinsOverTheRate) {
  Drain drain({.delay = seconds(1), .timeout = seconds(11), .rate_per_second = 1}, kStart);
  EXPECT_GT(drain.rate_needed(1000), 100);
  EXPECT_EQ(drain.rate_needed(2), 1);
  const Drain::Step step =
      drain.tick(kStart + seconds(1), view(DrainSeen::kNobodyAsks, 1000, 1000));
  EXPECT_GT(step.rate, 100);
}

TEST(Drain, TimeThatTheBalancersTookIsMissingForTheClients) {
  Drain drain({.delay = seconds(1), .timeout = seconds(20), .rate_per_second = 1}, kStart);
  const Drain::Step step = drain.tick(kStart + seconds(10), view(DrainSeen::kWaiting, 750, 750));
  ASSERT_EQ(step.phase, DrainPhase::kClosing);
  EXPECT_DOUBLE_EQ(step.rate, 100);  // 10 s, three quarters of them
}

TEST(Drain, EndsAtItsTimeOutWhateverIsLeft) {
  Drain drain({.delay = seconds(0), .timeout = seconds(2), .rate_per_second = 1000}, kStart);
  EXPECT_EQ(drain.tick(kStart + milliseconds(50), view(DrainSeen::kNobodyAsks, 10, 10, 5)).phase,
            DrainPhase::kClosing);
  const TimePoint late = kStart + seconds(2);
  EXPECT_EQ(drain.tick(late, view(DrainSeen::kNobodyAsks, 0, 10, 5)).phase, DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(late, view(DrainSeen::kNobodyAsks, 0, 10, 5)).phase, DrainPhase::kDone);
}

TEST(Drain, OneThatDoesNotEndTheProcessKeepsItsRateAndStays) {
  Drain drain({.delay = seconds(0), .timeout = seconds(2), .rate_per_second = 5, .ends = false},
              kStart);
  EXPECT_EQ(drain.rate_needed(100000), 5);
  EXPECT_EQ(drain.tick(kStart, view(DrainSeen::kNobodyAsks, 1000, 1000)).rate, 5);
  EXPECT_EQ(drain.tick(kStart + seconds(100), view(DrainSeen::kNobodyAsks, 0, 0)).phase,
            DrainPhase::kClosing);
}

TEST(Drain, OneThatDoesNotEndWaitsForRareBalancersUpToItsBound) {
  Drain drain({.delay = seconds(1), .timeout = seconds(2), .rate_per_second = 5, .ends = false},
              kStart);
  EXPECT_EQ(drain.announcement_max(), kAnnouncementMax);
  EXPECT_EQ(drain.tick(kStart + seconds(29), view(DrainSeen::kWaiting)).phase,
            DrainPhase::kAnnounced);
  EXPECT_EQ(drain.tick(kStart + seconds(30), view(DrainSeen::kWaiting)).phase,
            DrainPhase::kClosing);
}

}  // namespace
}  // namespace sluice::gateway
