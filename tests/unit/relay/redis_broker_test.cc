// The Redis broker with a real, private redis-server that stays where it is.
#include "relay/brokers/redis_broker.h"

#include <gtest/gtest.h>

#include "relay/brokers/redis_limits.h"
#include "tests/unit/relay/redis_broker_world.h"

namespace sluice::relay::test {
namespace {

TEST_F(RedisBrokerTest, TwoConnectionsThatSayWhoTheyAre) {
  open();
  EXPECT_EQ(server_.clients("name=sluice-relay-").size(), 2U);
  EXPECT_EQ(server_.clients("name=sluice-relay-sub").size(), 1U);
  EXPECT_EQ(server_.clients("name=sluice-relay-pub").size(), 1U);
  EXPECT_EQ(events_.aways.size(), 0U);
  EXPECT_EQ(broker_->stats().connects, 2U);
}

TEST_F(RedisBrokerTest, OverTcpByName) {
  server_.start();
  open(server_.url("localhost") + "/1");
  ASSERT_TRUE(connected(5s));
  EXPECT_EQ(server_.clients("db=1").size(), 2U);
  subscribe_and_wait("a");
  expect_traffic("a");
}

TEST_F(RedisBrokerTest, PayloadsAreTheBytes) {
  open();
  subscribe_and_wait("a");
  const std::string binary("\0\r\n\xff", 4);
  publish(1, "a", binary);
  publish(2, "a", "");
  broker_->publish(3, "a", proto::as_bytes("with meta"), proto::as_bytes("meta"), {});
  publish(4, "nobody", "x");
  ASSERT_TRUE(answered(4));
  ASSERT_TRUE(heard(3));
  EXPECT_EQ(events_.messages[0].second, binary);
  EXPECT_EQ(events_.messages[1].second, "");
  EXPECT_EQ(events_.messages[2].second, "with meta");
  for (PublishId id = 1; id <= 4; ++id) {
    EXPECT_EQ(events_.outcomes[id - 1].id, id);
    EXPECT_EQ(events_.outcomes[id - 1].outcome, PublishOutcome::kPublished);
  }
  EXPECT_EQ(server_.command({"PUBLISH", "a", "from outside"}), "1");
  ASSERT_TRUE(heard(4));
  EXPECT_EQ(events_.messages[3].second, "from outside");
}

TEST_F(RedisBrokerTest, TwentyThousandInOrder) {
  open();
  subscribe_and_wait("a");
  constexpr PublishId kCount = 20000;
  PublishId next = 1;
  const auto fill = [&] {
    for (; next <= kCount && broker_->can_publish(64); ++next) {
      publish(next, "a", std::to_string(next));
    }
  };
  events_.when_connected = fill;
  fill();
  EXPECT_LE(broker_->stats().publishes_in_flight, kPublishesInFlightMax);
  EXPECT_LT(next, kCount);  // the bound was met, and told when it was over
  ASSERT_TRUE(answered(kCount, 20s));
  ASSERT_TRUE(heard(kCount, 20s));
  for (PublishId id = 1; id <= kCount; ++id) {
    ASSERT_EQ(events_.outcomes[id - 1].id, id);
    ASSERT_EQ(events_.messages[id - 1].second, std::to_string(id));
  }
  EXPECT_EQ(broker_->stats().publishes_in_flight, 0U);
  EXPECT_EQ(broker_->stats().publish_bytes_in_flight, 0U);
}

TEST_F(RedisBrokerTest, BytesInFlightAreBounded) {
  open();
  EXPECT_TRUE(broker_->can_publish(proto::kPayloadBytesMax));
  const std::string big(1U << 20U, 'x');
  PublishId next = 1;
  while (broker_->can_publish(big.size())) publish(next++, "nobody", big);
  EXPECT_EQ(next - 1, 7U);  // of 8 MiB, with the overhead of each
  EXPECT_TRUE(broker_->can_publish(10));
  ASSERT_TRUE(answered(next - 1));
  EXPECT_TRUE(broker_->can_publish(big.size()));
}

TEST_F(RedisBrokerTest, LargestMessageAndBeyond) {
  open();
  subscribe_and_wait("a");
  const std::string largest(proto::kPayloadBytesMax, 'x');
  publish(1, "a", largest);
  ASSERT_TRUE(heard(1, 20s));
  EXPECT_TRUE(events_.messages[0].second == largest);
  (void)server_.command({"PUBLISH", "a", largest + "y"});
  // Skipped, and told as such; the subscription is as good as before.
  ASSERT_TRUE(loop_.run_until(20s, [&] { return !events_.oversized.empty(); }));
  EXPECT_EQ(events_.oversized[0], std::make_pair(std::string("a"), largest.size() + 1));
  EXPECT_EQ(events_.confirmations.size(), 1U);
  EXPECT_EQ(events_.messages.size(), 1U);
  EXPECT_EQ(events_.assembled, 1);
  EXPECT_EQ(broker_->stats().messages_too_large, 1U);
  EXPECT_TRUE(events_.is_connected);
}

TEST_F(RedisBrokerTest, SubscribeAndUnsubscribeInQuickTurns) {
  open();
  subscribe_and_wait("a");
  for (int i = 0; i < 200; ++i) {
    broker_->unsubscribe("a");
    if (i % 3 == 0) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
    broker_->subscribe("a", {});
    if (i % 2 == 0) event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  }
  events_.confirmations.clear();
  broker_->unsubscribe("a");
  broker_->subscribe("a", {});
  ASSERT_TRUE(confirmed(1));
  expect_traffic("a");
  broker_->unsubscribe("a");
  EXPECT_TRUE(loop_.run_until(5s, [&] {
    return server_.command({"PUBSUB", "NUMSUB", "a"}) == "a\n0\n";
  }));
  EXPECT_TRUE(events_.is_connected);
}

TEST_F(RedisBrokerTest, ConfirmedMeansHeard) {
  open();
  for (int i = 0; i < 300; ++i) {
    const std::string channel = "c" + std::to_string(i);
    broker_->subscribe(channel, {});
    ASSERT_TRUE(confirmed(static_cast<std::size_t>(i) + 1));
    publish(1, channel, "x");
  }
  EXPECT_TRUE(heard(300));
}

TEST_F(RedisBrokerTest, WhatIsNotPermitted) {
  server_.start();
  (void)server_.command({"ACL", "SETUSER", "me", "on", ">pw", "+@all", "-role", "-info", "-ping",
                         "-client", "resetchannels", "&ok*"});
  open("redis+unix://me@" + server_.socket_path(), server_.write_file("password", "pw\n"));
  broker_->subscribe("ok1", {});
  broker_->subscribe("secret", {});
  broker_->subscribe("ok2", {});
  ASSERT_TRUE(connected(5s));
  ASSERT_TRUE(confirmed(2));
  EXPECT_EQ(events_.confirmations[0].channel.substr(0, 2), "ok");
  EXPECT_EQ(events_.confirmations[1].channel.substr(0, 2), "ok");
  EXPECT_EQ(broker_->stats().subscribes_refused, 1U);
  publish(1, "secret", "x");
  publish(2, "ok1", "x");
  ASSERT_TRUE(answered(2));
  EXPECT_EQ(events_.outcomes[0].outcome, PublishOutcome::kRefused);
  EXPECT_TRUE(events_.outcomes[0].detail.starts_with("NOPERM")) << events_.outcomes[0].detail;
  EXPECT_EQ(events_.outcomes[1].outcome, PublishOutcome::kPublished);
  // Permitted now: found out by asking again. Not being allowed to PING changes nothing.
  (void)server_.command({"ACL", "SETUSER", "me", "&secret"});
  ASSERT_TRUE(confirmed(3, 10s));
  EXPECT_EQ(events_.confirmations[2].channel, "secret");
  EXPECT_TRUE(events_.aways.empty());
}

TEST_F(RedisBrokerTest, EndsWhileConnecting) {
  server_.start();
  open(server_.url("localhost"));
  broker_.reset();
  open(server_.url("localhost"));
  event_base_loop(loop_.base(), EVLOOP_ONCE);
  broker_.reset();
  loop_.run_for(50ms);
  EXPECT_TRUE(events_.aways.empty());
}

}  // namespace
}  // namespace sluice::relay::test
