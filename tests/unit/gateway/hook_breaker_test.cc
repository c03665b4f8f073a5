#include "gateway/hooks/hook_breaker.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using std::chrono::seconds;
using Pass = HookBreaker::Pass;
using Change = HookBreaker::Change;

class HookBreakerTest : public ::testing::Test {
 protected:
  void fail_ordinary(int times, Change last) {
    for (int i = 1; i <= times; ++i) {
      EXPECT_EQ(breaker_.failed(Pass::kOrdinary, time_.now()), i < times ? Change::kNone : last);
    }
  }
  void open() { fail_ordinary(3, Change::kOpened); }

  ManualTime time_;
  HookBreaker breaker_{3, seconds(5)};
};

TEST_F(HookBreakerTest, OpensAtTheBoundAndNotBefore) {
  fail_ordinary(2, Change::kNone);
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kOrdinary);
  EXPECT_FALSE(breaker_.open());
  EXPECT_EQ(breaker_.failed(Pass::kOrdinary, time_.now()), Change::kOpened);
  EXPECT_TRUE(breaker_.open());
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kRefused);
}

TEST_F(HookBreakerTest, FailuresCountInARow) {
  fail_ordinary(2, Change::kNone);
  EXPECT_EQ(breaker_.succeeded(), Change::kNone);
  fail_ordinary(2, Change::kNone);
  EXPECT_FALSE(breaker_.open());
  EXPECT_EQ(breaker_.failed(Pass::kOrdinary, time_.now()), Change::kOpened);
}

TEST_F(HookBreakerTest, OneProbeAfterThePauseAndNoOther) {
  open();
  time_.advance(seconds(5) - Duration(1));
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kRefused);
  time_.advance(Duration(1));
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kProbe);
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kRefused);
  time_.advance(seconds(60));
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kRefused) << "as long as the probe is under way";
  EXPECT_TRUE(breaker_.open());
}

TEST_F(HookBreakerTest, AProbeThatIsAnsweredCloses) {
  open();
  time_.advance(seconds(5));
  ASSERT_EQ(breaker_.ask(time_.now()), Pass::kProbe);
  EXPECT_EQ(breaker_.succeeded(), Change::kClosed);
  EXPECT_FALSE(breaker_.open());
  // And the count begins anew.
  fail_ordinary(2, Change::kNone);
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kOrdinary);
}

TEST_F(HookBreakerTest, AProbeThatFailsBeginsThePauseAgain) {
  open();
  time_.advance(seconds(5));
  ASSERT_EQ(breaker_.ask(time_.now()), Pass::kProbe);
  time_.advance(seconds(1));
  EXPECT_EQ(breaker_.failed(Pass::kProbe, time_.now()), Change::kNone);
  time_.advance(seconds(5) - Duration(1));
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kRefused);
  time_.advance(Duration(1));
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kProbe);
}

TEST_F(HookBreakerTest, StragglersThatFailDoNotMoveThePause) {
  open();
  time_.advance(seconds(4));
  EXPECT_EQ(breaker_.failed(Pass::kOrdinary, time_.now()), Change::kNone);
  time_.advance(seconds(1));
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kProbe);
  EXPECT_EQ(breaker_.failed(Pass::kOrdinary, time_.now()), Change::kNone);
  EXPECT_EQ(breaker_.ask(time_.now()), Pass::kRefused) << "the probe is still under way";
  EXPECT_EQ(breaker_.succeeded(), Change::kClosed);
}

TEST_F(HookBreakerTest, AStragglersAnswerClosesAndTheProbeCountsAsOrdinary) {
  open();
  time_.advance(seconds(5));
  ASSERT_EQ(breaker_.ask(time_.now()), Pass::kProbe);
  EXPECT_EQ(breaker_.succeeded(), Change::kClosed);
  EXPECT_EQ(breaker_.failed(Pass::kProbe, time_.now()), Change::kNone);
  EXPECT_FALSE(breaker_.open());
  fail_ordinary(2, Change::kOpened);
}

}  // namespace
}  // namespace sluice::gateway
