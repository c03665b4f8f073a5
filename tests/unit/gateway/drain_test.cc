#include "gateway/drain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Drain, AnnouncesThenClosesAtTheRateThenFlushesThenEnds) {
  TimePoint now{seconds(100)};
  Drain drain({.delay = seconds(3), .timeout = seconds(30), .rate_per_second = 100}, now);
  std::size_t open = 500;
  std::vector<std::size_t> per_second(40, 0);
  bool closed_before_delay = false;
  Drain::Step step;
  int ticks = 0;
  while (step.phase != DrainPhase::kFlushing && ticks < 2000) {
    now += milliseconds(50);
    ++ticks;
    step = drain.tick(now, open, open, 1);
    const auto second = static_cast<std::size_t>((now - TimePoint{seconds(100)}) / seconds(1));
    if (second < 3 && step.close_now > 0) closed_before_delay = true;
    per_second[second] += step.close_now;
    open -= step.close_now;
  }
  EXPECT_FALSE(closed_before_delay);
  EXPECT_EQ(open, 0U);
  EXPECT_LE(*std::max_element(per_second.begin(), per_second.end()), 101U);
  EXPECT_GE(per_second[4], 95U);
  EXPECT_EQ(drain.tick(now, 0, 0, 1).phase, DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(now, 0, 0, 0).phase, DrainPhase::kDone);
}

TEST(Drain, TimeWinsOverTheRate) {
  TimePoint now{seconds(100)};
  Drain drain({.delay = seconds(1), .timeout = seconds(11), .rate_per_second = 1}, now);
  EXPECT_GT(drain.rate_needed(1000), 100);
  EXPECT_EQ(drain.rate_needed(2), 1);
  std::size_t open = 1000;
  Drain::Step step;
  while (now < TimePoint{seconds(110)}) {
    now += milliseconds(50);
    step = drain.tick(now, open, open, 0);
    open -= step.close_now;
  }
  EXPECT_EQ(open, 0U);
}

TEST(Drain, EndsAtItsTimeOutWhateverIsLeft) {
  TimePoint now{seconds(100)};
  Drain drain({.delay = seconds(0), .timeout = seconds(2), .rate_per_second = 1000}, now);
  now += milliseconds(50);
  EXPECT_EQ(drain.tick(now, 10, 10, 5).phase, DrainPhase::kClosing);
  now += seconds(2);
  EXPECT_EQ(drain.tick(now, 0, 10, 5).phase, DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(now, 0, 10, 5).phase, DrainPhase::kDone);
}

TEST(Drain, NoClientsMeansNoWaitButTheDelay) {
  TimePoint now{seconds(100)};
  Drain drain({.delay = seconds(1), .timeout = seconds(30), .rate_per_second = 10}, now);
  EXPECT_EQ(drain.tick(now + milliseconds(999), 0, 0, 0).phase, DrainPhase::kAnnounced);
  EXPECT_EQ(drain.tick(now + seconds(1), 0, 0, 0).phase, DrainPhase::kClosing);
  EXPECT_EQ(drain.tick(now + seconds(1), 0, 0, 0).phase, DrainPhase::kFlushing);
  EXPECT_EQ(drain.tick(now + seconds(1), 0, 0, 0).phase, DrainPhase::kDone);
}

}  // namespace
}  // namespace sluice::gateway
