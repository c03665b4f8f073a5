// SIGTERM: told to the balancer first, clients leave in a paced way with a reason, the exit code is
// 0.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class DrainTest : public ::testing::Test {
 protected:
  Gateway& start(Args args) {
    gateway_.reset();
    relay_.reset();
    relay_ = std::make_unique<Relay>(directory_, relay_args_);
    GatewaySettings settings;
    settings.relay = relay_->address();
    settings.args = std::move(args);
    gateway_ = std::make_unique<Gateway>(settings);
    return *gateway_;
  }
  int exit_code(Millis wait = 10s) { return gateway_->process().wait_exit(wait).code; }

  TempDir directory_;
  Args relay_args_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(DrainTest, ReadinessFirstThenClientsThenExit) {
  start({"--drain-delay", "1s", "--drain-rate", "1000/s"});
  WsClient old = WsClient::connect(gateway_->endpoint());
  gateway_->process().signal(SIGTERM);
  const SteadyClock::time_point began = SteadyClock::now();
  gateway_->wait_ready(404);
  EXPECT_NE(gateway_->readyz().body.find("draining"), std::string::npos);
  // New clients are still served: the balancer may not have looked yet.
  WsClient late = WsClient::connect(gateway_->endpoint());
  late.send_text("still served");
  EXPECT_EQ(old.text(), "still served");
  EXPECT_EQ(late.text(), "still served");
  for (WsClient* client : {&old, &late})
    EXPECT_EQ(describe(client->wait_close()), "close 1001 'draining'");
  EXPECT_GE(SteadyClock::now() - began, 900ms);
  EXPECT_EQ(exit_code(), 0);
  EXPECT_LT(SteadyClock::now() - began, 15s);
}

TEST_F(DrainTest, InterruptDrainsToo) {
  start({"--drain-delay", "50ms"});
  gateway_->process().signal(SIGINT);
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(DrainTest, ClientsLeaveAtTheRate) {
  start({"--drain-delay", "50ms", "--drain-rate", "50/s", "--drain-timeout", "30s"});
  WsSwarm swarm;
  swarm.connect(gateway_->endpoint(), 100);
  gateway_->process().signal(SIGTERM);
  const SteadyClock::time_point began = SteadyClock::now();
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() <= 50; }));
  const auto half = SteadyClock::now() - began;
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() == 0; }));
  const auto all = SteadyClock::now() - began;
  EXPECT_GT(half, 700ms);
  EXPECT_GT(all, 1500ms);
  EXPECT_LT(all, 9s);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(swarm.client(i).close_code, 1001);
    EXPECT_EQ(swarm.client(i).close_reason, "draining");
  }
  EXPECT_EQ(exit_code(), 0);
  EXPECT_FALSE(gateway_->process().lines("drain").empty());
}

TEST_F(DrainTest, TimeoutBeatsTheRate) {
  start({"--drain-delay", "50ms", "--drain-rate", "1/s", "--drain-timeout", "2s"});
  WsSwarm swarm;
  swarm.connect(gateway_->endpoint(), 100);
  gateway_->process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(5s, [&] { return swarm.open_count() == 0; }));
  EXPECT_EQ(exit_code(5s), 0);
}

TEST_F(DrainTest, ClientsThatDoNotAnswerDoNotHoldItUp) {
  start({"--drain-delay", "50ms", "--drain-timeout", "2s"});
  WsClient deaf = WsClient::connect(gateway_->endpoint());
  deaf.answer_close(false);
  Socket half = Socket::connect(gateway_->endpoint());
  half.send_all("GET / HT");
  WsSwarm swarm;
  swarm.pause(swarm.connect(gateway_->endpoint(), 1, "/", 5s, 4096), true);
  for (int i = 0; i < 500; ++i) deaf.send_text(std::string(1000, 'x'));
  for (int i = 0; i < 500; ++i) (void)deaf.text();
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(exit_code(6s), 0);
  EXPECT_EQ(deaf.wait_close().code, 1001);
}

TEST_F(DrainTest, WhatClientsSentIsPublished) {
  start({"--drain-delay", "50ms"});
  GatewaySettings settings;
  settings.id = "2222";
  settings.relay = relay_->address();
  const Gateway other(settings);
  WsClient listener = WsClient::connect(other.endpoint());
  other.wait_subscribed();
  WsClient sender = WsClient::connect(gateway_->endpoint());
  for (int i = 0; i < 1000; ++i) sender.send_text(std::to_string(i));
  // Taken: the gateway has read them all.
  ASSERT_TRUE(eventually(5s, [&] {
    return gateway_->metrics().value("sluice_gateway_client_messages_total") == 1000;
  }));
  gateway_->process().signal(SIGTERM);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(listener.text(), std::to_string(i));
  EXPECT_EQ(sender.wait_close().code, 1001);
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(DrainTest, WhatWaitsForTheRelayIsNotLost) {
  const TempDir redis_directory;
  const RedisServer redis(redis_directory);
  RespClient observer(redis.endpoint());
  observer.command({"SUBSCRIBE", "livechat"});
  relay_args_ = {"--broker", redis.url()};
  start({"--drain-delay", "50ms", "--publish-wait", "5s", "--drain-timeout", "10s"});
  WsClient sender = WsClient::connect(gateway_->endpoint());
  sender.send_text("first");
  ASSERT_EQ(observer.read_reply(), "message\nlivechat\nfirst");
  relay_->kill();
  ASSERT_TRUE(eventually(5s, [&] { return !gateway_->is_ready(); }));
  sender.send_text("held");
  ASSERT_TRUE(eventually(
      5s, [&] { return gateway_->metrics().value("sluice_gateway_client_messages_total") == 2; }));
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(sender.wait_close().code, 1001);
  relay_->start();
  EXPECT_EQ(observer.read_reply(), "message\nlivechat\nheld");
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(DrainTest, DeafClientIsCutLongBeforeTheTimeout) {
  start({"--drain-delay", "50ms", "--drain-timeout", "60s"});
  WsClient deaf = WsClient::connect(gateway_->endpoint());
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(exit_code(10s), 0);  // a close that nobody answers is waited for 5 s
  EXPECT_EQ(deaf.wait_close().code, 1001);
}

TEST_F(DrainTest, ListenersCloseAfterTheDelay) {
  start({"--drain-delay", "100ms", "--drain-rate", "10/s", "--drain-timeout", "20s"});
  WsSwarm swarm;
  swarm.connect(gateway_->endpoint(), 20);
  gateway_->process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(5s, [&] { return swarm.open_count() < 20; }));
  EXPECT_THROW(Socket::connect(gateway_->endpoint()), HarnessError);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() == 0; }));
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(DrainTest, SecondSignalEndsAtOnce) {
  for (const int second : {SIGTERM, SIGINT}) {
    start({"--drain-delay", "20s", "--drain-timeout", "60s"});
    WsClient client = WsClient::connect(gateway_->endpoint());
    gateway_->process().signal(SIGTERM);
    gateway_->wait_ready(404);
    gateway_->process().signal(second);
    (void)gateway_->process().wait_exit(2s);
    EXPECT_NE(client.wait_close().kind, WsEvent::Kind::kTimeout);
  }
}

TEST_F(DrainTest, WithoutAKeeperAHandoffIsRefusedWithALine) {
  start({});
  const std::size_t mark = gateway_->process().mark();
  gateway_->process().signal(SIGUSR2);
  gateway_->process().wait_line("SIGUSR2: clients can't be handed over: there is no --keeper", 5s,
                                mark);
  WsClient client = WsClient::connect(gateway_->endpoint());
  client.send_text("nobody died");
  EXPECT_EQ(client.text(), "nobody died");
}

TEST_F(DrainTest, HangupChangesNothingForClients) {
  start({});
  WsClient client = WsClient::connect(gateway_->endpoint());
  gateway_->process().signal(SIGHUP);
  relay_->process().signal(SIGHUP);
  client.send_text("still here");
  EXPECT_EQ(client.text(), "still here");
}

TEST_F(DrainTest, RelayEndsWithZeroToo) {
  start({});
  relay_->process().signal(SIGTERM);
  EXPECT_EQ(relay_->process().wait_exit().code, 0);
  EXPECT_TRUE(eventually(
      5s, [&] { return gateway_->readyz().body.find("degraded") != std::string::npos; }));
  relay_->start();
  gateway_->wait_ready();
}

TEST_F(DrainTest, IdleGatewayLeavesQuickly) {
  start({"--drain-delay", "100ms"});
  const SteadyClock::time_point began = SteadyClock::now();
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(exit_code(), 0);
  EXPECT_LT(SteadyClock::now() - began, 15s);
}

}  // namespace
}  // namespace sluice::test
