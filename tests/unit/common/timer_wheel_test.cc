// Deadlines: never early, at most one tick late, whatever lies beyond the wheel's span.
#include "common/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>

#include "common/random.h"

namespace sluice {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{std::chrono::hours(5)};

class TimerWheelTest : public ::testing::Test {
 protected:
  std::vector<int> advance_to(Duration since_start) {
    std::vector<int> due;
    wheel_.advance(kStart + since_start, [&](int key) { due.push_back(key); });
    return due;
  }
  using Keys = std::vector<int>;

  TimerWheel<int> wheel_{10ms, 8, kStart};  // a span of 80 ms
};

TEST_F(TimerWheelTest, IsDueAtMostOneTickAfterItsDeadlineAndNeverBefore) {
  wheel_.schedule(1, kStart + 25ms);
  EXPECT_EQ(advance_to(0ms), Keys{});
  EXPECT_EQ(advance_to(24ms), Keys{});
  EXPECT_EQ(advance_to(29ms), Keys{});
  EXPECT_EQ(advance_to(30ms), Keys{1});
  EXPECT_EQ(wheel_.size(), 0U);
  EXPECT_EQ(advance_to(500ms), Keys{}) << "once";
}

TEST_F(TimerWheelTest, ADeadlineOnATickIsNotMetBeforeIt) {
  wheel_.schedule(1, kStart + 20ms);
  EXPECT_EQ(advance_to(20ms - 1ns), Keys{});
  EXPECT_EQ(advance_to(30ms), Keys{1});
}

TEST_F(TimerWheelTest, APastDeadlineIsDueAtTheNextTick) {
  (void)advance_to(50ms);
  wheel_.schedule(1, kStart + 10ms);
  wheel_.schedule(2, kStart - 1h);
  EXPECT_EQ(advance_to(55ms), Keys{});
  EXPECT_EQ(advance_to(60ms), (Keys{1, 2}));
}

TEST_F(TimerWheelTest, WhatIsBeyondTheSpanGoesRound) {
  wheel_.schedule(1, kStart + 15ms);
  wheel_.schedule(2, kStart + 95ms);   // the same slot, one round later
  wheel_.schedule(3, kStart + 175ms);  // two rounds
  EXPECT_EQ(advance_to(20ms), Keys{1});
  EXPECT_EQ(advance_to(99ms), Keys{});
  EXPECT_EQ(advance_to(100ms), Keys{2});
  EXPECT_EQ(advance_to(179ms), Keys{});
  EXPECT_EQ(wheel_.size(), 1U);
  EXPECT_EQ(advance_to(180ms), Keys{3});
}

TEST_F(TimerWheelTest, ALongSleepMissesNothing) {
  for (int key = 0; key < 100; ++key) wheel_.schedule(key, kStart + key * 7ms);
  wheel_.schedule(1000, kStart + 1h + 10ms);
  Keys due = advance_to(1h);
  std::sort(due.begin(), due.end());
  Keys all(100);
  for (int key = 0; key < 100; ++key) all[static_cast<std::size_t>(key)] = key;
  EXPECT_EQ(due, all);
  EXPECT_EQ(wheel_.size(), 1U);
  EXPECT_EQ(advance_to(1h + 20ms), Keys{1000});
}

TEST_F(TimerWheelTest, MayBeScheduledFromWithinTheCallback) {
  wheel_.schedule(0, kStart + 5ms);
  std::vector<Duration> times;
  const auto tick = [&](TimePoint now) {
    wheel_.advance(now, [&](int key) {
      times.push_back(now - kStart);
      if (key < 3) wheel_.schedule(key + 1, now + 80ms);  // the slot that is being emptied
    });
  };
  for (Duration t = 0ms; t <= 1s; t += 10ms) tick(kStart + t);
  EXPECT_EQ(times, (std::vector<Duration>{10ms, 100ms, 190ms, 280ms}));
  EXPECT_EQ(wheel_.size(), 0U);
}

TEST_F(TimerWheelTest, ACallbackThatAsksForNowDoesNotSpin) {
  wheel_.schedule(1, kStart);
  int calls = 0;
  const TimePoint now = kStart + 1h;
  wheel_.advance(now, [&](int key) {
    ++calls;
    wheel_.schedule(key, now);
  });
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(wheel_.size(), 1U);
}

TEST_F(TimerWheelTest, TimeThatStandsStillOrGoesBackIsHarmless) {
  wheel_.schedule(1, kStart + 30ms);
  EXPECT_EQ(advance_to(20ms), Keys{});
  EXPECT_EQ(advance_to(20ms), Keys{});
  EXPECT_EQ(advance_to(-1h), Keys{});
  EXPECT_EQ(advance_to(40ms), Keys{1});
}

// Against the obvious: a sorted map of deadlines.
TEST(TimerWheelModel, AgreesWithAMapOfDeadlines) {
  SeededRandom random(42);
  TimerWheel<int> wheel(10ms, 16, kStart);
  std::map<int, TimePoint> waiting;
  TimePoint now = kStart;
  int next_key = 0;
  for (int round = 0; round < 3000; ++round) {
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      const TimePoint deadline = now + std::chrono::microseconds(random.below(600'000));
      waiting[next_key] = deadline;
      wheel.schedule(next_key++, deadline);
    }
    now += std::chrono::microseconds(random.below(round % 100 == 0 ? 1'000'000 : 30'000));
    wheel.advance(now, [&](int key) {
      const auto found = waiting.find(key);
      ASSERT_NE(found, waiting.end()) << "twice";
      ASSERT_GE(now, found->second) << "early";
      waiting.erase(found);
    });
    ASSERT_EQ(wheel.size(), waiting.size());
    for (const auto& [key, deadline] : waiting) ASSERT_GT(deadline + 10ms, now) << "late: " << key;
  }
}

}  // namespace
}  // namespace sluice
