#include "bench/deploy/reconnect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace sluice::bench {
namespace {

using std::chrono::milliseconds;

struct Spread {
  Duration least{};
  Duration most{};
};

Spread spread(Sdk sdk, unsigned attempt) {
  SeededRandom random(attempt + 1);
  std::vector<Duration> waits(20000);
  for (Duration& wait : waits) wait = reconnect_wait(sdk, attempt, random);
  const auto [least, most] = std::minmax_element(waits.begin(), waits.end());
  return {*least, *most};
}

void expect_fills(Sdk sdk, unsigned attempt, milliseconds from, milliseconds to) {
  const Spread seen = spread(sdk, attempt);
  const Duration edge = std::max<Duration>(milliseconds(5), Duration(to - from) / 100);
  EXPECT_GE(seen.least, from) << attempt;
  EXPECT_LE(seen.least, from + edge) << attempt;
  EXPECT_LE(seen.most, to) << attempt;
  EXPECT_GE(seen.most, to - edge) << attempt;
}

TEST(Reconnect, CentrifugeDoublesFromHalfASecondToTwenty) {
  expect_fills(Sdk::kCentrifuge, 0, milliseconds(500), milliseconds(1000));
  expect_fills(Sdk::kCentrifuge, 1, milliseconds(500), milliseconds(1500));
  expect_fills(Sdk::kCentrifuge, 4, milliseconds(500), milliseconds(8500));
  expect_fills(Sdk::kCentrifuge, 40, milliseconds(500), milliseconds(20000));
}

TEST(Reconnect, SocketIoDoublesFromOneSecondToFiveGiveOrTakeHalf) {
  expect_fills(Sdk::kSocketIo, 0, milliseconds(500), milliseconds(1500));
  expect_fills(Sdk::kSocketIo, 1, milliseconds(1000), milliseconds(3000));
  expect_fills(Sdk::kSocketIo, 2, milliseconds(2000), milliseconds(5000));
  expect_fills(Sdk::kSocketIo, 40, milliseconds(5000), milliseconds(5000));
}

TEST(Reconnect, SameSeedSameWaits) {
  SeededRandom one(9);
  SeededRandom two(9);
  for (unsigned attempt = 0; attempt < 50; ++attempt) {
    EXPECT_EQ(reconnect_wait(Sdk::kCentrifuge, attempt, one),
              reconnect_wait(Sdk::kCentrifuge, attempt, two));
  }
}

}  // namespace
}  // namespace sluice::bench
