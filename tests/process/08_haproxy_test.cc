// Four gateways behind the shipped haproxy.cfg, as users run them.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>

#include "tests/process/support/haproxy.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class Balanced : public ::testing::Test {
 protected:
  void start(Args gateway_args = {}, bool with_redis = false) {
    Stack::Settings settings;
    settings.gateways = 4;
    settings.gateway_args = behind_balancer();
    settings.gateway_args.insert(settings.gateway_args.end(), {"--tag-messages"});
    settings.gateway_args.insert(settings.gateway_args.end(), gateway_args.begin(),
                                 gateway_args.end());
    if (with_redis) {
      redis_ = std::make_unique<RedisServer>(directory_);
      settings.relay_args = {"--broker", redis_->url()};
    }
    stack_ = std::make_unique<Stack>(std::move(settings));
    std::vector<Gateway*> gateways;
    for (std::size_t i = 0; i < 4; ++i) gateways.push_back(&stack_->gateway(i));
    haproxy_ = std::make_unique<Haproxy>(directory_, gateways);
    for (const auto& server : haproxy_->servers()) haproxy_->wait_status(server, "UP");
  }
  double connections(std::size_t gateway) {
    return stack_->gateway(gateway).metrics().value("sluice_gateway_connections");
  }
  /// `count` clients, spread; whatever is published from now on reaches each.
  std::size_t connect(WsSwarm& swarm, std::size_t count) {
    const std::size_t first = swarm.connect(haproxy_->endpoint(), count);
    for (std::size_t i = 0; i < 4; ++i) {
      if (stack_->gateway(i).process().running()) stack_->gateway(i).wait_subscribed();
    }
    return first;
  }
  /// Clients of `swarm` by the tag of what they got.
  static std::map<std::string, std::size_t> by_tag(const WsSwarm& swarm) {
    std::map<std::string, std::size_t> count;
    for (std::size_t i = 0; i < swarm.size(); ++i) ++count[swarm.client(i).tag];
    return count;
  }

  TempDir directory_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stack> stack_;
  std::unique_ptr<Haproxy> haproxy_;
};

TEST_F(Balanced, ClientsSpreadAndHearEachOther) {
  start(evenly_weighted());
  WsSwarm swarm;
  connect(swarm, 40);
  for (std::size_t i = 0; i < 40; ++i) swarm.publish(i);
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, 40, 40); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  const auto tags = by_tag(swarm);
  EXPECT_EQ(tags.size(), 4U);
  for (const auto& [tag, count] : tags) EXPECT_EQ(count, 10U) << tag;
}

TEST_F(Balanced, GatewaysLogTheClientsAddress) {
  start();
  Endpoint from = haproxy_->endpoint();
  from.source = "127.0.0.77";
  const WsClient client = WsClient::connect(from);
  EXPECT_TRUE(eventually(5s, [&] {
    for (std::size_t i = 0; i < 4; ++i) {
      if (!stack_->gateway(i).process().lines("connected.*127\\.0\\.0\\.77").empty() ||
          !stack_->gateway(i).process().lines("127\\.0\\.0\\.77.*connected").empty()) {
        return true;
      }
    }
    return false;
  }));
}

TEST_F(Balanced, OneKilledTheOthersServe) {
  start(evenly_weighted());
  WsSwarm swarm;
  connect(swarm, 40);
  swarm.publish(0);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(0, 40, 1); }));
  const std::string dead = stack_->gateway(1).id();
  stack_->gateway(1).kill();
  ASSERT_TRUE(swarm.run_until(5s, [&] { return swarm.open_count() == 30; }));
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(swarm.client(i).open && !swarm.client(i).closed, swarm.client(i).tag != dead);
  }
  // Its former clients come back at once, before any check has noticed: nobody is turned away.
  const std::size_t first = connect(swarm, 10);
  swarm.publish(first);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(first, swarm.size(), 1); }));
  const auto& servers = haproxy_->servers();
  haproxy_->wait_status(servers[1], "DOWN");
  stack_->gateway(1).start();
  haproxy_->wait_status(servers[1], "UP");
  // Empty, so it is the one that leastconn prefers.
  const WsClient next = WsClient::connect(haproxy_->endpoint());
  EXPECT_TRUE(eventually(5s, [&] { return connections(1) >= 1; }));
}

TEST_F(Balanced, DrainedGatewayIsLeftWithoutAFailure) {
  start({"--drain-delay", "4s", "--drain-rate", "100/s", "--agent-weight", "off"});
  WsSwarm swarm;
  connect(swarm, 20);
  swarm.publish(0);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(0, 20, 1); }));
  const std::string leaving = stack_->gateway(2).id();
  stack_->gateway(2).process().signal(SIGTERM);
  haproxy_->wait_status(haproxy_->servers()[2], "NOLB");
  EXPECT_EQ(swarm.open_count(), 20U);
  // From here on newcomers go elsewhere; every one of them gets in.
  WsSwarm newcomers;
  connect(newcomers, 20);
  ASSERT_TRUE(swarm.run_until(15s, [&] { return swarm.open_count() == 15; }));
  for (std::size_t i = 0; i < 20; ++i) {
    const SwarmClient& client = swarm.client(i);
    EXPECT_EQ(client.close_code, client.tag == leaving ? 1001 : 0);
  }
  EXPECT_EQ(stack_->gateway(2).process().wait_exit().code, 0);
  newcomers.publish(0);
  ASSERT_TRUE(newcomers.run_until(5s, [&] { return newcomers.all_received(0, 20, 1); }));
  EXPECT_FALSE(by_tag(newcomers).contains(leaving));
}

TEST_F(Balanced, NoneLeftIs503AtOnce) {
  start();
  for (std::size_t i = 0; i < 4; ++i) stack_->gateway(i).kill();
  for (const auto& server : haproxy_->servers()) haproxy_->wait_status(server, "DOWN");
  const HttpResponse response = WsClient::dial(haproxy_->endpoint()).response();
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.headers.contains("retry-after"));
}

TEST_F(Balanced, RedisAwayTakesNobodyOut) {
  start({}, true);
  WsClient client = WsClient::connect(haproxy_->endpoint());
  redis_->kill();
  ASSERT_TRUE(eventually(
      5s, [&] { return stack_->gateway().readyz().body.find("degraded") != std::string::npos; }));
  observe_for(4s);  // more than fall × inter
  for (const auto& server : haproxy_->servers()) {
    EXPECT_EQ(haproxy_->stat(server, "status").substr(0, 2), "UP") << server;
  }
  EXPECT_TRUE(WsClient::dial(haproxy_->endpoint()).open());
}

/// 4 gateways with 250 clients each for 10 s; SLUICE_TEST_FULL=1: 1,000 each for 60 s, then 400 at
/// 100 messages a second.
TEST_F(Balanced, FanOutUnderLoad) {
  const bool full = full_size();
  const std::size_t clients = full ? 4000 : 1000;
  start({}, true);
  WsSwarm swarm;
  connect(swarm, clients);
  const std::size_t messages = full ? 600 : 100;
  swarm.run_paced(messages, 100ms, [&](std::size_t i) { swarm.publish(i * 7 % clients); });
  EXPECT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, clients, messages); }));
  EXPECT_EQ(swarm.received(), clients * messages);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  EXPECT_EQ(swarm.open_count(), clients);
  EXPECT_EQ(by_tag(swarm).size(), 4U);
  std::cout << "latency p50 " << swarm.latency_us(0.5) << " us, p99 " << swarm.latency_us(0.99)
            << " us\n";
}

TEST_F(Balanced, HundredMessagesASecond) {
  const bool full = full_size();
  start({}, true);
  WsSwarm swarm;
  connect(swarm, 400);
  const std::size_t messages = full ? 6000 : 500;
  swarm.run_paced(messages, 10ms, [&](std::size_t i) { swarm.publish(i % 400); });
  EXPECT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, 400, messages); }));
  EXPECT_EQ(swarm.received(), 400 * messages);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  std::cout << "latency p50 " << swarm.latency_us(0.5) << " us, p99 " << swarm.latency_us(0.99)
            << " us\n";
}

}  // namespace
}  // namespace sluice::test
