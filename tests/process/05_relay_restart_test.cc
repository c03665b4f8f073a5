// The relay goes and comes, gateways go and come: clients stay, traffic resumes, what was missed is
// told.
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

class RelayRestart : public ::testing::Test {
 protected:
  void start(std::size_t gateways, bool with_redis, Args relay_args = {}, Args gateway_args = {}) {
    Stack::Settings settings;
    settings.gateways = gateways;
    settings.relay_args = std::move(relay_args);
    settings.gateway_args = std::move(gateway_args);
    if (with_redis) {
      redis_ = std::make_unique<RedisServer>(redis_directory_);
      settings.relay_args.insert(settings.relay_args.end(), {"--broker", redis_->url()});
    }
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  void connect_each(std::size_t count) {
    for (std::size_t i = 0; i < stack_->size(); ++i) {
      swarm_.connect(stack_->gateway(i).endpoint(), count);
      stack_->gateway(i).wait_subscribed();
    }
  }
  /// Publishes from client 0 until all clients have heard a message sent after this call. Gateways
  /// come back one by one, so the first messages may meet a gateway that is still away; its gap
  /// says so.
  bool traffic_within(Millis wait) {
    const std::uint64_t first = swarm_.sent(0) + 1;
    const auto all_heard = [&] {
      for (std::size_t i = 0; i < swarm_.size(); ++i) {
        const auto& last = swarm_.client(i).last;
        if (last.empty() || last[0] < first) return false;
      }
      return true;
    };
    for (const Deadline deadline = Deadline::in(wait); !deadline.passed();) {
      swarm_.publish(0);
      if (swarm_.run_until(20ms, all_heard)) return true;
    }
    return false;
  }
  double gap_events(std::size_t gateway) {
    return stack_->gateway(gateway).metrics().value("sluice_gateway_gap_events_total");
  }
  /// Publishes of gateway 0 by outcome.
  double publishes(const std::string& outcome) {
    return stack_->gateway().metrics().value("sluice_gateway_publishes_total", outcome);
  }

  TempDir redis_directory_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stack> stack_;
  WsSwarm swarm_;
};

// As many gaps as channels: each is counted, the log names some and says how many it does not.
TEST_F(RelayRestart, GapsOfManyChannelsAreAFewLines) {
  constexpr std::size_t kChannels = 600;
  start(1, false);
  for (std::size_t i = 0; i < kChannels; ++i)
    swarm_.connect(stack_->gateway().endpoint(), 1, "/channel/many" + std::to_string(i));
  // The clients answer their pings meanwhile: one that is cut off has no gap.
  ASSERT_TRUE(swarm_.run_until(20s, [&] {
    return stack_->gateway().process().lines("subscribed to many").size() == kChannels;
  }));
  const std::size_t mark = stack_->gateway().process().mark();
  stack_->relay().kill();
  stack_->relay().start();
  const auto listed = [&] {
    return stack_->gateway().process().lines("gap channel=", mark).size();
  };
  const auto unlisted = [&] {
    std::size_t sum = 0;
    for (const std::string& line : stack_->gateway().process().lines("more gaps, not listed", mark))
      sum += std::stoul(line.substr(line.find("]: ") + 3));
    return sum;
  };
  EXPECT_TRUE(swarm_.run_until(20s, [&] { return listed() + unlisted() == kChannels; }))
      << listed() << " and " << unlisted();
  EXPECT_EQ(gap_events(0), kChannels);
  EXPECT_GE(listed(), 200U);
  EXPECT_LT(listed(), 500U);
}

TEST_F(RelayRestart, ClientsStayAndTrafficResumes) {
  start(4, true);
  connect_each(10);
  ASSERT_TRUE(traffic_within(5s));
  for (int round = 1; round <= 2; ++round) {
    stack_->relay().kill();
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(eventually(5s, [&] {
        return stack_->gateway(i).readyz().body.find("degraded") != std::string::npos;
      }));
      EXPECT_EQ(stack_->gateway(i).readyz().status, 200);
    }
    swarm_.publish(0);  // held until the relay is back
    stack_->relay().start();
    const SteadyClock::time_point back = SteadyClock::now();
    EXPECT_TRUE(traffic_within(10s));  // within 1 s on an idle machine; a time is no assertion
    std::cout << "traffic again after "
              << std::chrono::duration_cast<Millis>(SteadyClock::now() - back).count() << " ms\n";
    EXPECT_EQ(swarm_.open_count(), 40U);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_TRUE(eventually(5s, [&] { return gap_events(i) == round; })) << gap_events(i);
      stack_->gateway(i).process().wait_line("gap.*livechat");
      stack_->gateway(i).wait_ready();
    }
  }
  EXPECT_EQ(swarm_.faults().repeated, 0U);
  EXPECT_EQ(swarm_.faults().mistagged, 0U);
}

TEST_F(RelayRestart, UnderLoadEveryMessageIsAccountedFor) {
  start(2, true);
  connect_each(5);
  ASSERT_TRUE(traffic_within(5s));
  swarm_.run_paced(500, 1000us, [&](std::size_t i) {
    if (i == 200) stack_->relay().kill();
    if (i == 202) stack_->relay().start();
    swarm_.publish(0);
  });
  ASSERT_TRUE(traffic_within(5s));
  EXPECT_EQ(swarm_.open_count(), 10U);
  EXPECT_EQ(swarm_.faults().repeated, 0U);
  // What a client misses was of unknown fate, or reached Redis and died with the relay on its way
  // back: the second is acknowledged all the same, and told as a gap whose size nobody knows.
  const std::uint64_t missing = swarm_.sent(0) - swarm_.client(0).received;
  EXPECT_GE(gap_events(0), missing > 0 ? 1 : 0);
  const auto sent = static_cast<double>(swarm_.sent(0));
  EXPECT_TRUE(
      eventually(5s, [&] { return publishes("published") + publishes("unknown_fate") == sent; }));
}

TEST_F(RelayRestart, UnansweredPublishesAreCountedExactly) {
  start(1, false);
  WsClient client = WsClient::connect(stack_->gateway().endpoint());
  client.send_text("first");
  ASSERT_EQ(client.text(), "first");
  stack_->relay().process().signal(SIGSTOP);
  for (int i = 0; i < 100; ++i) client.send_text("who knows");
  ASSERT_TRUE(eventually(5s, [&] {
    return stack_->gateway().metrics().value("sluice_gateway_client_messages_total") == 101;
  }));
  stack_->relay().kill();
  ASSERT_TRUE(eventually(5s, [&] { return publishes("unknown_fate") == 100; }))
      << publishes("unknown_fate");
  stack_->relay().start();
  stack_->gateway().wait_ready();
  client.send_text("after");
  EXPECT_EQ(client.text(), "after");  // never sent again, and the client was not closed
}

TEST_F(RelayRestart, HeldPublishesComeInOrderOrTheClientIsTold) {
  start(1, false, {}, {"--publish-wait", "3s"});
  WsClient client = WsClient::connect(stack_->gateway().endpoint());
  client.send_text("first");
  ASSERT_EQ(client.text(), "first");
  stack_->relay().kill();
  ASSERT_TRUE(eventually(
      5s, [&] { return stack_->gateway().readyz().body.find("degraded") != std::string::npos; }));
  for (int i = 0; i < 50; ++i) client.send_text(std::to_string(i));
  stack_->relay().start();
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.text(), std::to_string(i));
}

TEST_F(RelayRestart, AwayTooLongCloses1013) {
  start(1, false, {}, {"--publish-wait", "500ms"});
  WsClient sender = WsClient::connect(stack_->gateway().endpoint());
  WsClient listener = WsClient::connect(stack_->gateway().endpoint());
  stack_->relay().kill();
  ASSERT_TRUE(eventually(
      5s, [&] { return stack_->gateway().readyz().body.find("degraded") != std::string::npos; }));
  sender.send_text("nobody takes it");
  EXPECT_EQ(sender.wait_close(5s).code, 1013);
  EXPECT_TRUE(listener.quiet(300ms));
  EXPECT_EQ(publishes("timed_out"), 1);
}

TEST_F(RelayRestart, QueueFullClosesAtOnce) {
  start(1, false, {}, {"--publish-wait", "60s", "--publish-queue-bytes", "64KiB"});
  WsClient sender = WsClient::connect(stack_->gateway().endpoint());
  stack_->relay().kill();
  ASSERT_TRUE(eventually(
      5s, [&] { return stack_->gateway().readyz().body.find("degraded") != std::string::npos; }));
  for (int i = 0; i < 20; ++i) sender.send_text(std::string(10000, 'q'));
  EXPECT_EQ(sender.wait_close(5s).code, 1013);
  EXPECT_EQ(publishes("queue_full"), 1);
}

TEST_F(RelayRestart, NotReadyAfterTheGrace) {
  start(1, false, {}, {"--ready-grace", "400ms"});
  stack_->relay().kill();
  stack_->gateway().wait_ready(503, 5s);
  EXPECT_NE(stack_->gateway().readyz().body.find("not ready"), std::string::npos);
  stack_->relay().start();
  stack_->gateway().wait_ready(200, 5s);
}

TEST_F(RelayRestart, OnGapCloseSendsThemToReload) {
  start(1, false, {}, {"--on-gap", "close"});
  WsClient client = WsClient::connect(stack_->gateway().endpoint());
  client.send_text("x");
  ASSERT_EQ(client.text(), "x");
  stack_->relay().kill();
  stack_->relay().start();
  EXPECT_EQ(client.wait_close().code, 1012);
}

TEST_F(RelayRestart, KilledGatewaysLeaveTheSubscriptionAlone) {
  start(4, true);
  connect_each(5);
  ASSERT_TRUE(traffic_within(5s));
  ASSERT_EQ(redis_->subscribers("livechat"), 1);
  for (std::size_t i = 0; i < 4; ++i) stack_->gateway(i).kill();
  EXPECT_FALSE(eventually(1s, [&] { return redis_->subscribers("livechat") != 1; }));
  const SteadyClock::time_point began = SteadyClock::now();
  for (std::size_t i = 0; i < 4; ++i) stack_->gateway(i).start();
  WsSwarm again;
  for (std::size_t i = 0; i < 4; ++i) {
    again.connect(stack_->gateway(i).endpoint(), 5);
    stack_->gateway(i).wait_subscribed();
  }
  again.publish(0);
  EXPECT_TRUE(again.run_until(5s, [&] { return again.all_received(0, 20, 1); }));
  EXPECT_LT(SteadyClock::now() - began, 15s);
  EXPECT_EQ(redis_->subscribers("livechat"), 1);
  EXPECT_EQ(redis_->clients().size(), 2U);
}

TEST_F(RelayRestart, LingerEndsTheSubscription) {
  start(1, true, {"--linger", "500ms"});
  {
    WsClient client = WsClient::connect(stack_->gateway().endpoint());
    client.send_text("x");
    ASSERT_EQ(client.text(), "x");
  }
  EXPECT_EQ(redis_->subscribers("livechat"), 1);
  EXPECT_TRUE(eventually(5s, [&] { return redis_->subscribers("livechat") == 0; }));
  WsClient again = WsClient::connect(stack_->gateway().endpoint());
  again.send_text("y");
  EXPECT_EQ(again.text(), "y");
}

// --- the link itself, cut or slow ---

class Link : public ::testing::Test {
 protected:
  void start(Args gateway_args = {}) {
    relay_ = std::make_unique<Relay>(directory_);
    Endpoint target;
    target.path = relay_->socket_path();
    proxy_ = std::make_unique<FaultProxy>(target, directory_.file("link.sock"));
    GatewaySettings settings;
    settings.relay = proxy_->endpoint().text();
    settings.args = std::move(gateway_args);
    gateway_ = std::make_unique<Gateway>(settings);
    settings.id = "2222";
    settings.relay = relay_->address();
    settings.args = {};
    other_ = std::make_unique<Gateway>(settings);
  }
  TempDir directory_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<FaultProxy> proxy_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<Gateway> other_;
};

TEST_F(Link, CutAndResumedLosesNothing) {
  start();
  WsSwarm swarm;
  swarm.connect(gateway_->endpoint(), 5);
  swarm.connect(other_->endpoint(), 1);
  gateway_->wait_subscribed();
  other_->wait_subscribed();
  swarm.publish(5);
  ASSERT_TRUE(swarm.run_until(5s, [&] { return swarm.all_received(0, 6, 1); }));
  swarm.run_paced(600, 1000us, [&](std::size_t i) {
    if (i % 200 == 100) proxy_->cut();
    swarm.publish(5);
  });
  EXPECT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(0, 6, 601); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  EXPECT_EQ(gateway_->metrics().value("sluice_gateway_gap_events_total"), 0);
  EXPECT_EQ(proxy_->accepted(), 4U);
}

TEST_F(Link, AnySplitOfBytesWillDo) {
  start();
  WsSwarm swarm;
  swarm.connect(gateway_->endpoint(), 2);
  swarm.connect(other_->endpoint(), 1);
  gateway_->wait_subscribed();
  other_->wait_subscribed();
  for (const std::size_t bytes : {1, 7, 33}) {
    proxy_->dribble(bytes);
    swarm.publish(0);
    swarm.publish(2, 100);
  }
  EXPECT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, 3, 6); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

TEST_F(Link, SilentLinkIsGivenUpAndReplaced) {
  start({"--ping-interval", "10m"});
  WsClient client = WsClient::connect(gateway_->endpoint());
  client.send_text("x");
  ASSERT_EQ(client.text(), "x");
  proxy_->stall(0, true);
  gateway_->process().wait_line("relay link lost", 10s);
  proxy_->stall(0, false);  // the relay sees the end of the old one
  ASSERT_TRUE(eventually(10s, [&] { return gateway_->is_ready(); }));
  EXPECT_GE(proxy_->accepted(), 2U);
  client.send_text("y");
  EXPECT_EQ(client.text(), "y");
}

TEST_F(Link, RelayRefusesNonsense) {
  start();
  for (const std::string& bytes : {std::string(32, '\0'), std::string(32, '\xFF'),
                                   std::string("GET / HTTP/1.1\r\n\r\n"
                                               "and then some more bytes")}) {
    Endpoint to;
    to.path = relay_->socket_path();
    Socket socket = Socket::connect(to);
    (void)socket.try_send(bytes);
    (void)socket.read_all(5s);
    EXPECT_NE(socket.read_some(0ms).end, ReadEnd::kTimeout);
  }
  WsClient client = WsClient::connect(gateway_->endpoint());
  client.send_text("still there");
  EXPECT_EQ(client.text(), "still there");
}

}  // namespace
}  // namespace sluice::test
