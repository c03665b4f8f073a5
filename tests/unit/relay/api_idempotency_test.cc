#include "relay/api/idempotency_cache.h"

#include <gtest/gtest.h>

#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

using Seen = IdempotencyCache::Seen;

class ApiIdempotency : public ::testing::Test {
 protected:
  Seen begin(const std::string& channel, const std::string& key) {
    return cache_.begin(channel, key,
                        [this](const ApiReply& reply) { told_.push_back(reply.result); });
  }
  static ApiReply good(std::string text) { return {{}, std::move(text)}; }
  static ApiReply bad() { return {{ErrorNumber::kInternal, ""}, {}}; }

  ManualTime time_;
  IdempotencyCache cache_{time_};
  std::vector<std::string> told_;
};

TEST_F(ApiIdempotency, TheSecondGetsTheFirstOnesResult) {
  EXPECT_EQ(begin("a", "k"), Seen::kNew);
  cache_.finish("a", "k", good("1"));
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(begin("a", "k"), Seen::kKnown);
  EXPECT_EQ(told_, (std::vector<std::string>{"1"}));
  EXPECT_EQ(begin("b", "k"), Seen::kNew) << "of another channel";
  EXPECT_EQ(begin("a", "l"), Seen::kNew);
}

TEST_F(ApiIdempotency, WhileTheFirstIsUnderWayTheOthersWait) {
  EXPECT_EQ(begin("a", "k"), Seen::kNew);
  EXPECT_EQ(begin("a", "k"), Seen::kWaiting);
  EXPECT_EQ(begin("a", "k"), Seen::kWaiting);
  cache_.finish("a", "k", good("1"));
  EXPECT_EQ(told_, (std::vector<std::string>{"1", "1"}));
}

TEST_F(ApiIdempotency, AFailureMayBeTriedAgain) {
  EXPECT_EQ(begin("a", "k"), Seen::kNew);
  EXPECT_EQ(begin("a", "k"), Seen::kWaiting);
  cache_.finish("a", "k", bad());
  EXPECT_EQ(told_.size(), 1U);
  EXPECT_EQ(begin("a", "k"), Seen::kNew);
}

TEST_F(ApiIdempotency, ResultsAreForgottenAfterTheirTime) {
  (void)begin("a", "k");
  time_.advance(kIdempotencyTtl);
  EXPECT_EQ(begin("a", "k"), Seen::kWaiting) << "one that is under way is not";
  cache_.finish("a", "k", good("1"));
  time_.advance(kIdempotencyTtl - std::chrono::seconds(1));
  EXPECT_EQ(begin("a", "k"), Seen::kKnown);
  time_.advance(std::chrono::seconds(1));
  EXPECT_EQ(begin("a", "k"), Seen::kNew);
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(ApiIdempotency, IsBoundedAndTheOldestGoes) {
  for (std::size_t i = 0; i < kIdempotencyKeysMax; ++i) {
    ASSERT_EQ(begin("a", std::to_string(i)), Seen::kNew);
    cache_.finish("a", std::to_string(i), good("x"));
  }
  EXPECT_EQ(begin("a", "one more"), Seen::kNew);
  EXPECT_EQ(cache_.size(), kIdempotencyKeysMax);
  EXPECT_EQ(begin("a", "0"), Seen::kNew) << "the oldest";
  EXPECT_EQ(begin("a", "2"), Seen::kKnown);
}

TEST_F(ApiIdempotency, ThoseUnderWayAreNotThrownOut) {
  for (std::size_t i = 0; i < kIdempotencyKeysMax; ++i)
    ASSERT_EQ(begin("a", std::to_string(i)), Seen::kNew);
  EXPECT_EQ(begin("a", "one more"), Seen::kFull);
}

}  // namespace
}  // namespace sluice::relay::api
