// Redis goes, stands still, changes its password: clients stay, publishes wait their time, each gap
// is told once.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/fault_proxy.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class RedisLoss : public ::testing::Test {
 protected:
  void start(std::size_t gateways, Args gateway_args = {}, const std::string& password = "") {
    redis_ = std::make_unique<RedisServer>(directory_, password);
    Stack::Settings settings;
    settings.gateways = gateways;
    settings.gateway_args = std::move(gateway_args);
    settings.relay_args = {"--broker", redis_->url()};
    if (!password.empty()) {
      password_file_ = directory_.write("password", password + "\n");
      settings.relay_args.insert(settings.relay_args.end(),
                                 {"--broker-password-file", password_file_});
    }
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  void connect_each(std::size_t count) {
    for (std::size_t i = 0; i < stack_->size(); ++i) {
      swarm_.connect(stack_->gateway(i).endpoint(), count);
      stack_->gateway(i).wait_subscribed();
    }
    ASSERT_TRUE(traffic_within(5s));
  }
  bool traffic_within(Millis wait) {
    const std::uint64_t first = swarm_.sent(0) + 1;
    swarm_.publish(0);
    return swarm_.run_until(wait, [&] {
      for (std::size_t i = 0; i < swarm_.size(); ++i) {
        const auto& last = swarm_.client(i).last;
        if (last.empty() || last[0] < first) return false;
      }
      return true;
    });
  }
  [[nodiscard]] bool degraded(std::size_t gateway, Millis wait) {
    return eventually(wait, [&] {
      const HttpResponse answer = stack_->gateway(gateway).readyz();
      return answer.status == 200 && answer.body.find("degraded") != std::string::npos;
    });
  }
  [[nodiscard]] bool ready(std::size_t gateway, Millis wait) {
    return eventually(wait, [&] { return stack_->gateway(gateway).is_ready(); });
  }
  double figure(std::size_t gateway, const std::string& name, const std::string& label = "") {
    return stack_->gateway(gateway).metrics().value(name, label);
  }
  static void say_since(const char* what, SteadyClock::time_point since) {
    std::cout << what << " after "
              << std::chrono::duration_cast<Millis>(SteadyClock::now() - since).count() << " ms\n";
  }
  void expect_gap_events(double count) {
    for (std::size_t i = 0; i < stack_->size(); ++i) {
      EXPECT_TRUE(eventually(5s, [&] {
        return figure(i, "sluice_gateway_gap_events_total") == count;
      })) << figure(i, "sluice_gateway_gap_events_total");
    }
  }

  TempDir directory_;
  std::string password_file_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stack> stack_;
  WsSwarm swarm_;
};

TEST_F(RedisLoss, KilledAndRestarted) {
  start(4);
  connect_each(5);
  for (int round = 1; round <= 2; ++round) {
    redis_->kill();
    for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(degraded(i, 5s));
    swarm_.run_for(full_size() ? 10s : 1s);
    EXPECT_EQ(swarm_.open_count(), 20U);
    redis_->start();
    const SteadyClock::time_point back = SteadyClock::now();
    EXPECT_TRUE(eventually(5s, [&] { return redis_->subscribers("livechat") == 1; }));
    say_since("subscribed again", back);
    EXPECT_TRUE(traffic_within(3s));
    for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(ready(i, 3s));
    expect_gap_events(round);
    EXPECT_EQ(swarm_.open_count(), 20U);
    EXPECT_EQ(redis_->clients().size(), 2U);
  }
  EXPECT_EQ(swarm_.faults(), SwarmFaults{});
}

TEST_F(RedisLoss, GapSaysItsDurationAndInventsNoNumber) {
  start(1);
  WsClient one = WsClient::connect(stack_->gateway().endpoint());
  WsClient two = WsClient::connect(stack_->gateway().endpoint(), "/channel/two");
  one.send_text("x");
  two.send_text("x");
  ASSERT_EQ(one.text(), "x");
  ASSERT_EQ(two.text(), "x");
  redis_->kill();
  observe_for(1500ms);
  redis_->start();
  expect_gap_events(2);  // one per channel
  for (const char* channel : {"livechat", "two"}) {
    // How many messages is not knowable, how long it was is.
    stack_->gateway().process().wait_line(std::string("gap channel=") + channel +
                                          " .*messages=unknown duration_ms=[1-9]");
  }
  EXPECT_EQ(figure(0, "sluice_gateway_gap_messages_total"), 0);
  EXPECT_TRUE(one.quiet(50ms));
}

TEST_F(RedisLoss, HeldPublishesArriveInOrder) {
  start(2, {"--publish-wait", "10s"});
  connect_each(1);
  redis_->kill();
  ASSERT_TRUE(degraded(0, 5s));
  for (int i = 0; i < 200; ++i) swarm_.publish(0);
  swarm_.run_for(300ms);
  redis_->start();
  EXPECT_TRUE(swarm_.run_until(10s, [&] { return swarm_.all_received(0, 2, 201); }));
  EXPECT_EQ(swarm_.faults(), SwarmFaults{});
}

TEST_F(RedisLoss, WaitedTooLongClosesTheSenderOnly) {
  start(1, {"--publish-wait", "700ms"});
  WsClient sender = WsClient::connect(stack_->gateway().endpoint());
  WsClient listener = WsClient::connect(stack_->gateway().endpoint());
  sender.send_text("x");
  ASSERT_EQ(listener.text(), "x");
  ASSERT_EQ(sender.text(), "x");
  redis_->kill();
  ASSERT_TRUE(degraded(0, 5s));
  const SteadyClock::time_point began = SteadyClock::now();
  sender.send_text("in vain");
  EXPECT_EQ(sender.wait_close(5s).code, 1013);
  EXPECT_GE(SteadyClock::now() - began, 600ms);
  EXPECT_LT(SteadyClock::now() - began, 15s);
  EXPECT_TRUE(listener.quiet(200ms));
  redis_->start();
  ASSERT_TRUE(ready(0, 5s));
  listener.send_text("back");
  EXPECT_EQ(listener.text(), "back");  // and not "in vain"
}

TEST_F(RedisLoss, StandsStill) {
  start(2);
  connect_each(3);
  redis_->stop();
  EXPECT_TRUE(degraded(0, 20s));
  EXPECT_TRUE(degraded(1, 10s));
  if (full_size()) swarm_.run_for(10s);
  EXPECT_EQ(swarm_.open_count(), 6U);
  redis_->resume();
  const SteadyClock::time_point back = SteadyClock::now();
  EXPECT_TRUE(ready(0, 3s));
  say_since("ready again", back);
  EXPECT_TRUE(traffic_within(3s));
  expect_gap_events(1);
  EXPECT_TRUE(eventually(5s, [&] { return redis_->clients().size() == 2; }));
  EXPECT_EQ(swarm_.faults().repeated, 0U);
}

TEST_F(RedisLoss, PublishesWhileItStandsStillAreHeldOrOfUnknownFate) {
  start(1, {"--publish-wait", "20s"});
  connect_each(1);
  redis_->stop();
  for (int i = 0; i < 20; ++i) swarm_.publish(0);
  ASSERT_TRUE(degraded(0, 8s));
  for (int i = 0; i < 20; ++i) swarm_.publish(0);
  redis_->resume();
  ASSERT_TRUE(ready(0, 5s));
  ASSERT_TRUE(traffic_within(5s));
  // The first twenty were written to it and never acknowledged: whether Redis ran them, nobody here
  // knows.
  EXPECT_EQ(figure(0, "sluice_gateway_publishes_total", "unknown_fate"), 20);
  EXPECT_EQ(figure(0, "sluice_gateway_publishes_total", "published"), 22);
  EXPECT_EQ(swarm_.faults().repeated, 0U);
  EXPECT_EQ(swarm_.open_count(), 1U);
}

TEST_F(RedisLoss, PasswordChangesWithItsFile) {
  start(1, {}, "first");
  connect_each(2);
  redis_->set_password("second");
  // What is authenticated stays so; a connection made anew needs the new one.
  redis_->command({"CLIENT", "KILL", "TYPE", "normal"});
  redis_->command({"CLIENT", "KILL", "TYPE", "pubsub"});
  EXPECT_TRUE(degraded(0, 5s));
  EXPECT_NE(stack_->gateway().readyz().body.find("broker"), std::string::npos);
  for (const auto& line : stack_->relay().process().lines()) {
    EXPECT_EQ(line.find("first"), std::string::npos) << line;
  }
  directory_.write("password", "second\n");
  EXPECT_TRUE(ready(0, 10s));
  EXPECT_TRUE(traffic_within(3s));
  EXPECT_EQ(swarm_.open_count(), 2U);
  expect_gap_events(1);
}

TEST_F(RedisLoss, PasswordFileThatComesLater) {
  redis_ = std::make_unique<RedisServer>(directory_, "secret");
  const std::string file = directory_.file("later");
  Relay relay(directory_, {"--broker", redis_->url(), "--broker-password-file", file});
  relay.process().wait_line(file);
  EXPECT_EQ(redis_->clients().size(), 0U);
  directory_.write("later", "secret");
  EXPECT_TRUE(eventually(5s, [&] { return redis_->clients().size() == 2; }));
  relay.process().wait_line("broker connected");
}

TEST_F(RedisLoss, WrongPasswordIsSaidAndNotRepeatedWildly) {
  redis_ = std::make_unique<RedisServer>(directory_, "secret");
  const std::string file = directory_.write("wrong", "guess\n");
  Relay relay(directory_, {"--broker", redis_->url(), "--broker-password-file", file});
  relay.process().wait_line("broker away");
  observe_for(2s);
  EXPECT_LT(relay.process().lines("broker away").size(), 10U);
  EXPECT_TRUE(relay.process().lines("guess").empty());
}

TEST_F(RedisLoss, ConnectionsCutOneByOne) {
  start(1);
  connect_each(2);
  for (const char* type : {"pubsub", "normal"}) {
    redis_->command({"CLIENT", "KILL", "TYPE", type});
    EXPECT_TRUE(eventually(5s, [&] { return redis_->clients().size() == 2; }));
    EXPECT_TRUE(traffic_within(5s)) << type;
    EXPECT_TRUE(ready(0, 3s)) << type;
  }
  EXPECT_EQ(swarm_.faults().repeated, 0U);
}

TEST_F(RedisLoss, ReplicaCountsAsNotConnected) {
  start(1);
  connect_each(1);
  redis_->command({"REPLICAOF", "127.0.0.1", "1"});
  EXPECT_TRUE(degraded(0, 10s));
  redis_->command({"REPLICAOF", "NO", "ONE"});
  EXPECT_TRUE(ready(0, 10s));
  EXPECT_TRUE(traffic_within(3s));
}

TEST_F(RedisLoss, ManyChannelsAreSubscribedAgain) {
  start(1, {"--max-channels", "2000"});
  for (int i = 0; i < 500; ++i) {
    swarm_.connect(stack_->gateway().endpoint(), 1, "/channel/c" + std::to_string(i));
  }
  ASSERT_TRUE(eventually(5s, [&] { return redis_->subscribers("c499") == 1; }));
  redis_->kill();
  ASSERT_TRUE(degraded(0, 5s));
  redis_->start();
  EXPECT_TRUE(ready(0, 5s));
  EXPECT_TRUE(eventually(2s, [&] { return redis_->subscribers("c0") == 1; }));
  EXPECT_TRUE(eventually(2s, [&] { return redis_->subscribers("c499") == 1; }));
  for (std::size_t i = 0; i < 500; ++i) swarm_.publish(i);
  EXPECT_TRUE(swarm_.run_until(10s, [&] { return swarm_.all_received(0, 500, 1); }));
  expect_gap_events(500);
}

TEST_F(RedisLoss, SlowAndCutNetworkToRedis) {
  redis_ = std::make_unique<RedisServer>(directory_);
  FaultProxy proxy(redis_->endpoint(), "");
  Stack::Settings settings;
  settings.relay_args = {"--broker", "redis://" + proxy.endpoint().text()};
  stack_ = std::make_unique<Stack>(std::move(settings));
  connect_each(2);
  proxy.dribble(1);
  EXPECT_TRUE(traffic_within(10s));
  proxy.dribble(0);
  proxy.refuse(true);
  proxy.cut();
  EXPECT_TRUE(degraded(0, 5s));
  proxy.refuse(false);
  EXPECT_TRUE(ready(0, 5s));
  EXPECT_TRUE(traffic_within(5s));
  expect_gap_events(1);
}

}  // namespace
}  // namespace sluice::test
