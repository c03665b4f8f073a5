#include "common/token_bucket.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr TimePoint kBucketStart{std::chrono::hours(1)};
using std::chrono::milliseconds;

TEST(TokenBucket, BeginsFullAndRefillsAtItsRate) {
  TokenBucket bucket;
  const TokenRate rate{10, 3};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(rate, kBucketStart));
  EXPECT_FALSE(bucket.take(rate, kBucketStart));
  EXPECT_FALSE(bucket.take(rate, kBucketStart + milliseconds(90)));
  EXPECT_TRUE(bucket.take(rate, kBucketStart + milliseconds(110)));
  EXPECT_FALSE(bucket.take(rate, kBucketStart + milliseconds(110)));
}

TEST(TokenBucket, NeverHoldsMoreThanItsBurst) {
  TokenBucket bucket;
  const TokenRate rate{10, 3};
  EXPECT_TRUE(bucket.take(rate, kBucketStart));
  const TimePoint later = kBucketStart + std::chrono::hours(5);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(rate, later));
  EXPECT_FALSE(bucket.take(rate, later));
}

TEST(TokenBucket, NoRateIsNoLimit) {
  TokenBucket bucket;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(bucket.take({}, kBucketStart));
  EXPECT_TRUE(bucket.full({}, kBucketStart));
}

TEST(TokenBucket, AClockThatStandsStillGivesNothing) {
  TokenBucket bucket;
  const TokenRate rate{1000, 1};
  EXPECT_TRUE(bucket.full(rate, kBucketStart));
  EXPECT_TRUE(bucket.take(rate, kBucketStart));
  EXPECT_FALSE(bucket.full(rate, kBucketStart));
  EXPECT_FALSE(bucket.take(rate, kBucketStart - milliseconds(5)));
  EXPECT_TRUE(bucket.full(rate, kBucketStart + milliseconds(5)));
}

}  // namespace
}  // namespace sluice
