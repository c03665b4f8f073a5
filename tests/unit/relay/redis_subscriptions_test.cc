#include "relay/brokers/redis_subscriptions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sluice::relay {
namespace {

using namespace std::chrono_literals;
using Verb = RedisSubscriptions::Verb;
using Lines = std::vector<std::string>;

struct SubscribedWorld final : SubscriptionEvents {
  ManualTime time;
  Lines told;
  RedisSubscriptions subs{*this};

  void confirmed(std::string_view channel, std::optional<Duration> uncovered) override {
    std::string line = "+" + std::string(channel);
    if (uncovered) line += " " + std::to_string(*uncovered / 1ms);
    told.push_back(line);
  }
  void refused(std::string_view channel, std::string_view text, bool first) override {
    told.push_back("-" + std::string(channel) + " " + std::string(text) + (first ? " first" : ""));
  }
  /// "S a b", "U a"; empty: nothing to write.
  std::string next() {
    const RedisSubscriptions::Command* command = subs.next_command(time.now());
    if (command == nullptr) return {};
    std::string line = command->verb() == Verb::kSubscribe ? "S" : "U";
    for (std::size_t i = 0; i < command->size(); ++i) line += " " + std::string(command->name(i));
    return line;
  }
  bool yes(std::string_view channel) { return subs.answer(Verb::kSubscribe, channel, time.now()); }
  bool gone(std::string_view channel) {
    return subs.answer(Verb::kUnsubscribe, channel, time.now());
  }
  Lines take() { return std::exchange(told, {}); }
};

TEST(RedisSubscriptions, AskedAndConfirmed) {
  SubscribedWorld w;
  w.subs.want("a");
  EXPECT_EQ(w.next(), "");
  w.subs.connected();
  EXPECT_FALSE(w.subs.restored());
  EXPECT_EQ(w.next(), "S a");
  EXPECT_EQ(w.next(), "");
  w.subs.want("a");  // idempotent
  EXPECT_EQ(w.next(), "");
  EXPECT_TRUE(w.yes("a"));
  EXPECT_EQ(w.take(), Lines{"+a"});
  EXPECT_TRUE(w.subs.restored());
  EXPECT_TRUE(w.subs.is_confirmed("a"));
  w.subs.unwant("a");
  EXPECT_FALSE(w.subs.is_confirmed("a"));
  EXPECT_EQ(w.next(), "U a");
  EXPECT_TRUE(w.gone("a"));
  EXPECT_EQ(w.subs.channels(), 0U);
  EXPECT_EQ(w.take(), Lines{});
}

TEST(RedisSubscriptions, ThousandNamesPerCommand) {
  SubscribedWorld w;
  w.subs.connected();
  EXPECT_TRUE(w.subs.restored());
  for (int i = 0; i < 2500; ++i) w.subs.want("c" + std::to_string(i));
  std::vector<std::size_t> sizes;
  while (const auto* command = w.subs.next_command(w.time.now())) sizes.push_back(command->size());
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1000, 1000, 500}));
  EXPECT_TRUE(w.subs.restored());  // what is wanted later holds nothing up
}

TEST(RedisSubscriptions, GivenUpBeforeItIsWritten) {
  SubscribedWorld w;
  w.subs.connected();
  w.subs.want("a");
  w.subs.unwant("a");
  EXPECT_EQ(w.next(), "");
  EXPECT_EQ(w.subs.channels(), 0U);
}

TEST(RedisSubscriptions, WantedAgainBeforeUnsubscribeIsWritten) {
  SubscribedWorld w;
  w.subs.connected();
  w.subs.want("a");
  EXPECT_EQ(w.next(), "S a");
  EXPECT_TRUE(w.yes("a"));
  w.subs.unwant("a");
  w.subs.want("a");
  w.take();
  EXPECT_EQ(w.next(), "");
  EXPECT_EQ(w.take(), Lines{"+a"});  // never unsubscribed, confirmed anew to whoever asked
}

TEST(RedisSubscriptions, WantedAgainWhileInFlight) {
  SubscribedWorld w;
  w.subs.connected();
  w.subs.want("a");
  EXPECT_EQ(w.next(), "S a");
  w.subs.unwant("a");
  EXPECT_EQ(w.next(), "U a");
  w.subs.want("a");
  EXPECT_EQ(w.next(), "S a");
  EXPECT_TRUE(w.yes("a"));
  EXPECT_EQ(w.take(), Lines{});  // the unsubscription is still to come
  EXPECT_TRUE(w.gone("a"));
  EXPECT_EQ(w.take(), Lines{});
  EXPECT_TRUE(w.yes("a"));
  EXPECT_EQ(w.take(), Lines{"+a"});
}

TEST(RedisSubscriptions, GivenUpInFlightAndWantedBeforeTheUnsubscribeIsWritten) {
  SubscribedWorld w;
  w.subs.connected();
  w.subs.want("a");
  EXPECT_EQ(w.next(), "S a");
  w.subs.unwant("a");
  w.subs.want("a");
  EXPECT_EQ(w.next(), "");
  EXPECT_TRUE(w.yes("a"));
  EXPECT_EQ(w.take(), Lines{"+a"});
}

TEST(RedisSubscriptions, LossMeansUncoveredTime) {
  SubscribedWorld w;
  w.subs.connected();
  for (const char* c : {"a", "b", "c"}) w.subs.want(c);
  EXPECT_EQ(w.next(), "S a b c");
  EXPECT_TRUE(w.yes("a"));
  EXPECT_TRUE(w.yes("b"));
  w.subs.unwant("b");
  w.take();
  const TimePoint good = w.time.now();
  w.time.advance(200ms);
  w.subs.lost(good);
  EXPECT_FALSE(w.subs.restored());
  EXPECT_FALSE(w.subs.is_confirmed("a"));
  EXPECT_EQ(w.subs.channels(), 2U);  // b was given up
  w.time.advance(300ms);
  w.subs.connected();
  w.next();
  w.subs.lost(w.time.now());  // again, before the answer: a has been uncovered since `good`
  w.time.advance(500ms);
  w.subs.want("d");
  w.subs.connected();
  while (!w.next().empty()) {
  }
  // In the order asked, whatever that is.
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(w.yes("a") || w.yes("c") || w.yes("d"));
  }
  Lines told = w.take();
  std::sort(told.begin(), told.end());
  EXPECT_EQ(told, (Lines{"+a 1000", "+c", "+d"}));
  EXPECT_TRUE(w.subs.restored());
}

TEST(RedisSubscriptions, WantedAnewHasNoPast) {
  SubscribedWorld w;
  w.subs.connected();
  w.subs.want("a");
  w.next();
  EXPECT_TRUE(w.yes("a"));
  w.subs.lost(w.time.now());
  w.subs.unwant("a");
  EXPECT_EQ(w.subs.channels(), 0U);
  w.subs.want("a");
  w.subs.connected();
  w.next();
  w.take();
  EXPECT_TRUE(w.yes("a"));
  EXPECT_EQ(w.take(), Lines{"+a"});
}

TEST(RedisSubscriptions, GivingUpTheLastOneRestores) {
  SubscribedWorld w;
  w.subs.want("a");
  w.subs.connected();
  EXPECT_EQ(w.next(), "S a");
  EXPECT_FALSE(w.subs.restored());
  w.subs.unwant("a");
  EXPECT_TRUE(w.subs.restored());
}

TEST(RedisSubscriptions, OneRefusedDoesNotKeepTheOthers) {
  SubscribedWorld w;
  w.subs.connected();
  for (const char* c : {"a", "b", "c"}) w.subs.want(c);
  EXPECT_EQ(w.next(), "S a b c");
  EXPECT_EQ(w.subs.error("NOPERM"), Verb::kSubscribe);
  EXPECT_EQ(w.next(), "S a");
  EXPECT_EQ(w.next(), "S b");
  EXPECT_EQ(w.next(), "S c");
  EXPECT_EQ(w.next(), "");
  EXPECT_TRUE(w.yes("a"));
  EXPECT_EQ(w.subs.error("NOPERM"), Verb::kSubscribe);
  EXPECT_TRUE(w.yes("c"));
  EXPECT_EQ(w.take(), (Lines{"+a", "-b NOPERM first", "+c"}));
  EXPECT_TRUE(w.subs.any_refused());
  w.subs.retry_refused();
  EXPECT_FALSE(w.subs.any_refused());
  EXPECT_EQ(w.next(), "S b");
  EXPECT_EQ(w.subs.error("NOPERM"), Verb::kSubscribe);
  EXPECT_EQ(w.take(), Lines{"-b NOPERM"});
  w.subs.retry_refused();
  EXPECT_EQ(w.next(), "S b");
  EXPECT_TRUE(w.yes("b"));
  EXPECT_EQ(w.take(), Lines{"+b"});
}

TEST(RedisSubscriptions, RefusedCountsAsRestored) {
  SubscribedWorld w;
  w.subs.want("a");
  w.subs.connected();
  EXPECT_EQ(w.next(), "S a");
  EXPECT_EQ(w.subs.error("NOPERM"), Verb::kSubscribe);
  EXPECT_TRUE(w.subs.restored());
  w.subs.unwant("a");
  EXPECT_EQ(w.next(), "");
  w.subs.retry_refused();
  EXPECT_EQ(w.subs.channels(), 0U);
}

TEST(RedisSubscriptions, PingsHaveTheirTurn) {
  SubscribedWorld w;
  w.subs.connected();
  w.subs.ping_written();
  w.subs.want("a");
  EXPECT_EQ(w.next(), "S a");
  EXPECT_FALSE(w.yes("a"));  // the PONG comes first
  EXPECT_TRUE(w.subs.pong());
  EXPECT_FALSE(w.subs.pong());
  EXPECT_FALSE(w.yes("b"));
  EXPECT_FALSE(w.gone("a"));
  EXPECT_TRUE(w.yes("a"));
  EXPECT_FALSE(w.yes("a"));
  w.subs.ping_written();
  EXPECT_EQ(w.subs.error("NOPERM"), Verb::kPing);
  EXPECT_EQ(w.subs.error("unasked"), std::nullopt);
}

}  // namespace
}  // namespace sluice::relay
