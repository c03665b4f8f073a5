// The Redis broker while its Redis goes away, stands still, changes its role or its password.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/unit/relay/redis_broker_world.h"

namespace sluice::relay::test {
namespace {

class RedisOutage : public RedisBrokerTest {
 protected:
  [[nodiscard]] bool said(const std::string& part) const {
    return std::any_of(events_.aways.begin(), events_.aways.end(),
                       [&](const std::string& a) { return a.find(part) != std::string::npos; });
  }
  [[nodiscard]] bool says(const std::string& part, Duration wait) {
    return loop_.run_until(wait, [&] { return said(part); });
  }
};

TEST_F(RedisOutage, AbsentIsWaitedFor) {
  open(server_.url());
  broker_->subscribe("a", {});
  ASSERT_TRUE(says("Connection refused", 5s));
  loop_.run_for(300ms);
  EXPECT_EQ(events_.aways.size(), 1U);  // told once, however often it is tried
  EXPECT_FALSE(broker_->can_publish(1));
  server_.start();
  ASSERT_TRUE(connected(10s));
  ASSERT_EQ(events_.confirmations.size(), 1U);
  EXPECT_FALSE(events_.confirmations[0].uncovered);
  expect_traffic("a");
}

TEST_F(RedisOutage, KilledAndRestarted) {
  open();
  subscribe_and_wait("a");
  for (int round = 1; round <= 2; ++round) {
    events_.confirmations.clear();
    events_.aways.clear();
    const TimePoint before = std::chrono::steady_clock::now();
    server_.kill();
    ASSERT_TRUE(away(2s));
    EXPECT_FALSE(broker_->can_publish(1));
    broker_->subscribe("later" + std::to_string(round), {});
    loop_.run_for(200ms);
    server_.start();
    ASSERT_TRUE(connected(10s));
    const auto& all = events_.confirmations;
    const auto a = std::find_if(all.begin(), all.end(), [](auto& c) { return c.channel == "a"; });
    ASSERT_NE(a, all.end());
    ASSERT_TRUE(a->uncovered);
    EXPECT_GE(*a->uncovered, 200ms);
    EXPECT_LE(*a->uncovered, std::chrono::steady_clock::now() - before + 1100ms);
    expect_traffic("a");
    EXPECT_EQ(server_.clients("name=sluice-relay-").size(), 2U);
  }
  EXPECT_EQ(events_.connects, 3);
  EXPECT_EQ(broker_->stats().reconnects, 4U);
}

TEST_F(RedisOutage, TenThousandChannelsComeBack) {
  open();
  constexpr std::size_t kChannels = 10000;
  for (std::size_t i = 0; i < kChannels; ++i)
    broker_->subscribe("channel-" + std::to_string(i), {});
  ASSERT_TRUE(confirmed(kChannels));
  events_.confirmations.clear();
  server_.kill();
  ASSERT_TRUE(away(2s));
  std::size_t before_connected = 0;
  events_.when_connected = [&] { before_connected = events_.confirmations.size(); };
  server_.start();
  ASSERT_TRUE(connected(3s));
  EXPECT_EQ(before_connected, kChannels);
  EXPECT_EQ(events_.confirmations.size(), kChannels);
  EXPECT_TRUE(std::all_of(events_.confirmations.begin(), events_.confirmations.end(),
                          [](auto& c) { return c.uncovered.has_value(); }));
  EXPECT_EQ(server_.command({"PUBSUB", "NUMSUB", "channel-9999"}), "channel-9999\n1\n");
  // A few commands: one per thousand names and connection, and not one per name.
  const std::string stats = server_.command({"INFO", "commandstats"});
  EXPECT_NE(stats.find("cmdstat_subscribe:calls=10,"), std::string::npos) << stats;
}

TEST_F(RedisOutage, PublisherAloneMakesNoGap) {
  open();
  subscribe_and_wait("a");
  const auto subscriber = server_.clients("name=sluice-relay-sub");
  server_.kill_clients("sluice-relay-pub");
  ASSERT_TRUE(away(2s));
  EXPECT_EQ(server_.command({"PUBLISH", "a", "meanwhile"}), "1");
  ASSERT_TRUE(connected(10s));
  ASSERT_TRUE(heard(1));
  EXPECT_EQ(events_.confirmations.size(), 1U);
  EXPECT_EQ(events_.aways, std::vector<std::string>{"Redis closed the connection"});
  EXPECT_EQ(server_.clients("name=sluice-relay-sub")[0].substr(0, 6), subscriber[0].substr(0, 6));
  expect_traffic("a");
}

TEST_F(RedisOutage, SubscriberAlone) {
  open();
  subscribe_and_wait("a");
  server_.kill_clients("sluice-relay-sub");
  ASSERT_TRUE(away(2s));
  ASSERT_TRUE(connected(10s));
  ASSERT_EQ(events_.confirmations.size(), 2U);
  EXPECT_TRUE(events_.confirmations[1].uncovered);
  expect_traffic("a");
}

TEST_F(RedisOutage, StandsStill) {
  open();
  subscribe_and_wait("a");
  loop_.run_for(1100ms);  // a PING or two have been answered
  EXPECT_GE(broker_->stats().pings, 2U);
  server_.stand_still();
  for (PublishId id = 1; id <= 5; ++id) publish(id, "a", "x");
  ASSERT_TRUE(away(20s));  // redis_limits.h asserts that interval and wait stay below 5 s
  EXPECT_TRUE(said("has not answered")) << events_.aways[0];
  ASSERT_TRUE(answered(5));
  for (PublishId id = 1; id <= 5; ++id) {
    EXPECT_EQ(events_.outcomes[id - 1].id, id);
    EXPECT_EQ(events_.outcomes[id - 1].outcome, PublishOutcome::kUnknownFate);
  }
  EXPECT_EQ(broker_->stats().publishes_in_flight, 0U);
  server_.go_on();
  ASSERT_TRUE(connected(10s));
  ASSERT_EQ(events_.confirmations.size(), 2U);
  EXPECT_GE(*events_.confirmations[1].uncovered, 2500ms);
  expect_traffic("a");
  EXPECT_TRUE(answered(6));
  EXPECT_EQ(events_.outcomes.size(), 6U);
}

TEST_F(RedisOutage, InFlightAtTheKillIsOfUnknownFate) {
  open();
  server_.stand_still();
  for (PublishId id = 1; id <= 100; ++id) publish(id, "a", "x");
  event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  server_.kill();
  ASSERT_TRUE(answered(100));
  for (PublishId id = 1; id <= 100; ++id) {
    EXPECT_EQ(events_.outcomes[id - 1].id, id);
    EXPECT_EQ(events_.outcomes[id - 1].outcome, PublishOutcome::kUnknownFate);
  }
  EXPECT_FALSE(events_.is_connected);
}

TEST_F(RedisOutage, WrongPasswordThenRightOne) {
  server_.set_password("first");
  server_.start();
  const std::string file = server_.write_file("password", "wrong\n");
  open(server_.unix_url(), file);
  ASSERT_TRUE(says("authentication failed (check --broker-password-file)", 5s));
  loop_.run_for(300ms);
  EXPECT_EQ(events_.aways.size(), 1U);
  (void)server_.write_file("password", "first");
  ASSERT_TRUE(connected(10s));
  subscribe_and_wait("a");
  // Restarted with another one; the file follows later.
  events_.aways.clear();
  server_.kill();
  server_.set_password("second");
  server_.start();
  ASSERT_TRUE(says("authentication failed", 3s));
  (void)server_.write_file("password", "second\n");
  ASSERT_TRUE(connected(10s));
  expect_traffic("a");
  for (const std::string& reason : events_.aways) {
    EXPECT_EQ(reason.find("first"), std::string::npos);
    EXPECT_EQ(reason.find("second"), std::string::npos);
  }
}

TEST_F(RedisOutage, PasswordFileIsMissing) {
  server_.set_password("p");
  server_.start();
  open(server_.unix_url(), server_.directory() + "/password");
  ASSERT_TRUE(says("/password: No such file", 5s));
  (void)server_.write_file("password", "\n");
  ASSERT_TRUE(says("/password: is empty", 5s));
  (void)server_.write_file("password", "p\n");
  ASSERT_TRUE(connected(10s));
}

TEST_F(RedisOutage, NoPasswordWhereOneIsNeeded) {
  server_.set_password("p");
  server_.start();
  open(server_.unix_url());
  EXPECT_TRUE(says("authentication failed (check --broker-password-file)", 5s));
}

TEST_F(RedisOutage, ReplicaCountsAsNotConnected) {
  open();
  subscribe_and_wait("a");
  (void)server_.command({"REPLICAOF", "127.0.0.1", "1"});
  ASSERT_TRUE(away(3s));
  EXPECT_EQ(events_.aways, std::vector<std::string>{"Redis is a replica, not a master"});
  loop_.run_for(300ms);
  EXPECT_EQ(server_.command({"PUBSUB", "NUMSUB", "a"}), "a\n0\n");
  EXPECT_EQ(events_.aways.size(), 1U);
  (void)server_.command({"REPLICAOF", "NO", "ONE"});
  ASSERT_TRUE(connected(10s));
  ASSERT_EQ(events_.confirmations.size(), 2U);
  EXPECT_TRUE(events_.confirmations[1].uncovered);
  expect_traffic("a");
}

TEST_F(RedisOutage, TwoServersUnderOneNameAreNotConnected) {
  RedisTestServer other;
  other.start();
  server_.start();
  // The name leads to another server from now on, and only the publisher has noticed.
  const std::string name = server_.directory() + "/name.sock";
  std::filesystem::create_symlink(server_.socket_path(), name);
  open("redis+unix://" + name);
  ASSERT_TRUE(connected(5s));
  subscribe_and_wait("a");
  std::filesystem::remove(name);
  std::filesystem::create_symlink(other.socket_path(), name);
  server_.kill_clients("sluice-relay-pub");
  ASSERT_TRUE(says("two different Redis servers", 3s));
  ASSERT_TRUE(connected(3s));
  ASSERT_EQ(events_.confirmations.size(), 2U);
  EXPECT_TRUE(events_.confirmations[1].uncovered);
  expect_traffic("a");
  EXPECT_EQ(other.clients("name=sluice-relay-").size(), 2U);
  EXPECT_TRUE(server_.clients("name=sluice-relay-").empty());
}

TEST_F(RedisOutage, LongSilenceOfChannelsIsNoOutage) {
  open();
  subscribe_and_wait("a");
  loop_.run_for(3500ms);
  EXPECT_TRUE(events_.aways.empty());
  EXPECT_GE(broker_->stats().pings, 6U);
}

}  // namespace
}  // namespace sluice::relay::test
