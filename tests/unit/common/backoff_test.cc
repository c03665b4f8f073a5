// Waits between tries: bounded, doubling, spread from the first on.
#include "common/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace sluice {
namespace {

using namespace std::chrono_literals;

/// Always the most, or the least, that is possible.
class Extreme final : public Random {
 public:
  explicit Extreme(bool most) : most_(most) {}
  // below(n) is next() % n: the multiple of nothing but 1, less one, is n - 1 for the spans used
  // here.
  [[nodiscard]] std::uint64_t next() override { return most_ ? top : 0; }
  std::uint64_t top = 0;

 private:
  bool most_;
};

TEST(Backoff, CeilingDoublesUpToTheMaximum) {
  Extreme random(true);
  Backoff backoff(100ms, 1s, random);
  for (const Duration ceiling :
       {Duration(200ms), Duration(400ms), Duration(800ms), Duration(1s), Duration(1s)}) {
    random.top = static_cast<std::uint64_t>((ceiling - 100ms).count());
    EXPECT_EQ(backoff.next(), ceiling);
  }
  backoff.reset();
  random.top = std::uint64_t{100'000'000};
  EXPECT_EQ(backoff.next(), 200ms);
}

TEST(Backoff, NeverWaitsLessThanTheMinimum) {
  Extreme random(false);
  Backoff backoff(100ms, 1s, random);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(backoff.next(), 100ms);
}

TEST(Backoff, StaysInsideItsBoundsForEver) {
  SeededRandom random(7);
  Backoff backoff(20ms, 400ms, random);
  for (int i = 0; i < 10'000; ++i) {
    const Duration wait = backoff.next();
    ASSERT_GE(wait, 20ms);
    ASSERT_LE(wait, 400ms);
  }
}

// All gateways of a host lose the relay in one instant: their first tries must not coincide.
TEST(Backoff, SpreadsTheFirstWait) {
  std::set<Duration> waits;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SeededRandom random(seed);
    Backoff backoff(100ms, 1s, random);
    waits.insert(backoff.next());
  }
  EXPECT_GT(waits.size(), 90U);
}

TEST(Backoff, MayHaveOneWaitOnly) {
  SeededRandom random(7);
  Backoff backoff(1s, 1s, random);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(backoff.next(), 1s);
}

TEST(BackoffDeathTest, BoundsTheWrongWayRoundAreABug) {
  SeededRandom random(7);
  EXPECT_DEATH(Backoff(2s, 1s, random), "CHECK failed");
}

}  // namespace
}  // namespace sluice
