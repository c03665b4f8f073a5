#include "gateway/close_pace.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Closes per tick of `tick` for `time`, when there are always more to close.
std::vector<std::size_t> closes(ClosePace& pace, double rate, Duration tick, Duration time) {
  std::vector<std::size_t> out;
  for (TimePoint now{seconds(100)}; now < TimePoint{seconds(100)} + time; now += tick)
    out.push_back(pace.take(rate, 1'000'000, now));
  return out;
}

/// The most in any `window` ticks that follow each other.
std::size_t most_in(const std::vector<std::size_t>& closes, std::size_t window) {
  std::size_t most = 0;
  for (std::size_t i = 0; i + window <= closes.size(); ++i) {
    std::size_t sum = 0;
    for (std::size_t j = 0; j < window; ++j) sum += closes[i + j];
    most = std::max(most, sum);
  }
  return most;
}

std::size_t sum(const std::vector<std::size_t>& closes) {
  std::size_t all = 0;
  for (const std::size_t n : closes) all += n;
  return all;
}

TEST(ClosePace, NoSecondSeesMoreThanTheRateAndNearlyAllOfIt) {
  for (const double rate : {1.0, 7.0, 50.0, 200.0, 5000.0}) {
    ClosePace pace;
    const auto done = closes(pace, rate, milliseconds(50), seconds(20));
    EXPECT_LE(static_cast<double>(most_in(done, 20)), rate) << rate;
    EXPECT_GE(static_cast<double>(sum(done)), 0.9 * rate * 19) << rate;
  }
}

TEST(ClosePace, EvenlyAndNotInBursts) {
  ClosePace pace;
  const auto done = closes(pace, 200, milliseconds(50), seconds(5));
  for (const std::size_t n : done) EXPECT_LE(n, 10U);
}

TEST(ClosePace, LateTicksDoNotMakeUpForIt) {
  ClosePace pace;
  EXPECT_EQ(pace.take(200, 1000, TimePoint{seconds(100)}), 0U);
  EXPECT_LE(pace.take(200, 1000, TimePoint{seconds(110)}), 21U);
}

TEST(ClosePace, SlowRatesCloseOneInALongerTime) {
  ClosePace pace;
  const auto done = closes(pace, 0.2, milliseconds(50), seconds(60));
  EXPECT_GE(sum(done), 10U);
  EXPECT_LE(sum(done), 12U);
  EXPECT_LE(most_in(done, 100), 1U);  // 5 s
}

TEST(ClosePace, NoMoreThanWanted) {
  ClosePace pace;
  (void)pace.take(100, 0, TimePoint{seconds(100)});
  EXPECT_EQ(pace.take(100, 3, TimePoint{seconds(101)}), 3U);
}

}  // namespace
}  // namespace sluice::gateway
