// What dies and comes back under clients of the Centrifuge protocol: gateways without a keeper, one
// after the other, Redis, and all connections at once. Each client has each publication exactly
// once, in order, and Redis is not asked for what the relay still has.
//
// Small in a normal run; SLUICE_TEST_FULL=1: 4 gateways × 500 clients and 100 SDKs, 100 channels.
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <iostream>
#include <memory>

#include "tests/process/support/centrifuge_traffic.h"
#include "tests/process/support/haproxy.h"
#include "tests/process/support/redis_server.h"

namespace sluice::test {
namespace {

constexpr std::size_t kGateways = 4;

constexpr const char* kRules = R"(
[connection]
anonymous = true

[namespaces.kept]
subscribe = "everyone"
publish = "everyone"
history_size = 1000
history_ttl = "10m"
recovery = "forced"
recover_max = 1000

[namespaces.ring]
subscribe = "everyone"
publish = "everyone"
recovery = "forced"
recover_max = 1000
)";

/// Four gateways behind the shipped haproxy.cfg, and one more for who publishes; one relay, Redis
/// that keeps what it has answered.
class CentrifugeRestart : public ::testing::Test {
 protected:
  CentrifugeRestart() {
    for (std::size_t i = 0; i <= kGateways; ++i) {
      GatewaySettings settings;
      settings.id = Stack::id_of(i);
      settings.relay = relay_.address();
      settings.args = {"--rules",      rules_,  "--drain-delay",  "2s",
                       "--drain-rate", "500/s", "--publish-wait", "30s"};
      if (i < kGateways) {
        const Args balanced = behind_balancer();
        settings.args.insert(settings.args.end(), balanced.begin(), balanced.end());
      }
      gateways_.push_back(std::make_unique<Gateway>(std::move(settings)));
    }
    std::vector<Gateway*> balanced;
    for (std::size_t i = 0; i < kGateways; ++i) balanced.push_back(gateways_[i].get());
    haproxy_ = std::make_unique<Haproxy>(directory_, balanced);
    for (const auto& server : haproxy_->servers()) haproxy_->wait_status(server, "UP");
  }

  /// `ring`: every other channel is one without a history.
  CentrifugeTraffic::Settings traffic(bool ring) const {
    CentrifugeTraffic::Settings settings;
    settings.to = haproxy_->endpoint();
    settings.speak_at = gateways_.back()->endpoint();
    settings.clients = full_size() ? 2000 : 100;
    settings.sdks = full_size() ? 100 : 6;
    settings.shared = "kept:shared";
    settings.subscribe.recoverable = true;
    for (int i = 0; i < (full_size() ? 100 : 10); ++i)
      settings.others.push_back((ring && i % 2 == 1 ? "ring:" : "kept:") + std::to_string(i));
    return settings;
  }

  /// Every gateway in turn: `end` it, start the next process on its ports, until the balancer has
  /// it again.
  void roll(CentrifugeTraffic& traffic, int signal) {
    const auto& servers = haproxy_->servers();
    for (std::size_t i = 0; i < kGateways; ++i) {
      Gateway& gateway = *gateways_[i];
      gateway.process().signal(signal);
      ASSERT_TRUE(traffic.run_until(60s, [&] { return !gateway.process().running(); }));
      EXPECT_EQ(gateway.process().wait_exit().signal, signal == SIGKILL ? SIGKILL : 0);
      traffic.meanwhile([&] {
        if (signal == SIGKILL) haproxy_->wait_status(servers[i], "DOWN", 30s);
        gateway.start();
        haproxy_->wait_status(servers[i], "UP", 30s);
      });
    }
    ASSERT_TRUE(traffic.run_until(60s, [&] { return traffic.all_there(); })) << traffic.describe();
  }

  /// Redis has been asked for no history, nor has the relay wanted to.
  void expect_no_history_read() {
    const Metrics relay = relay_.metrics();
    EXPECT_EQ(relay.value("sluice_relay_history_broker_queries_total"), 0);
    EXPECT_EQ(relay.value("sluice_relay_recoveries_total", "outcome=\"broker\""), 0);
    EXPECT_EQ(relay.value("sluice_relay_recoveries_total", "outcome=\"incomplete\""), 0);
    EXPECT_EQ(relay.value("sluice_relay_broker_history_fetches_total"), 0);
    EXPECT_EQ(calls("xrange"), 0U);
    EXPECT_EQ(calls("xrevrange"), 0U);
  }
  /// Of a command at Redis, those of scripts included.
  std::uint64_t calls(const std::string& command) {
    const std::string all = redis_.command({"INFO", "commandstats"});
    const std::string name = "cmdstat_" + command + ":calls=";
    const auto at = all.find(name);
    return at == std::string::npos ? 0 : std::stoull(all.substr(at + name.size()));
  }
  /// Times that Redis has read from a connection: what came together counts once.
  std::uint64_t reads_of_redis() {
    const std::string all = redis_.command({"INFO", "stats"});
    const std::string name = "total_reads_processed:";
    const auto at = all.find(name);
    if (at == std::string::npos) throw HarnessError("INFO stats says nothing of reads");
    return std::stoull(all.substr(at + name.size()));
  }
  [[nodiscard]] double recovered_from_ring() const {
    return relay_.metrics().value("sluice_relay_recoveries_total", "outcome=\"ring\"");
  }
  /// Of those who publish.
  [[nodiscard]] double publishes(const std::string& outcome) const {
    return gateways_.back()->metrics().value("sluice_gateway_publishes_total",
                                             "outcome=\"" + outcome + "\"");
  }
  void tell(CentrifugeTraffic& traffic) {
    std::cout << traffic.clients() << " clients: " << traffic.sent() << " publications, "
              << traffic.fleet().received() << " received by them, " << traffic.reconnects()
              << " reconnects, " << recovered_from_ring() << " recoveries from the ring, XRANGE "
              << calls("xrange") << ", EVALSHA " << calls("evalsha") << ", relay's CPU "
              << relay_.process().cpu_time().count() << " ms\n";
  }

  TempDir directory_;
  RedisServer redis_{directory_, "", RedisServer::durable()};
  std::string rules_ = directory_.write("rules.toml", kRules);
  Relay relay_{directory_, {"--broker", redis_.url(), "--rules", rules_}};
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::unique_ptr<Haproxy> haproxy_;
};

TEST_F(CentrifugeRestart, GatewaysDrainedInTurn) {
  CentrifugeTraffic clients(traffic(true));
  ASSERT_TRUE(clients.goes_on());
  roll(clients, SIGTERM);
  EXPECT_TRUE(clients.exact());
  // Each was at some gateway, and each of these was drained.
  EXPECT_GE(clients.reconnects(), clients.clients());
  for (std::size_t i = 0; i < clients.clients(); ++i)
    EXPECT_EQ(clients.fleet().client(i).close_code, 3001) << i;
  EXPECT_GT(recovered_from_ring(), 0);
  expect_no_history_read();
  tell(clients);
}

TEST_F(CentrifugeRestart, GatewaysKilledInTurn) {
  CentrifugeTraffic clients(traffic(true));
  ASSERT_TRUE(clients.goes_on());
  roll(clients, SIGKILL);
  EXPECT_TRUE(clients.exact());
  EXPECT_GE(clients.reconnects(), clients.clients());
  EXPECT_GT(recovered_from_ring(), 0);
  expect_no_history_read();
  tell(clients);
}

TEST_F(CentrifugeRestart, RedisAwayForFiveSecondsWithItsDataKept) {
  CentrifugeTraffic clients(traffic(false));
  ASSERT_TRUE(clients.goes_on());
  redis_.kill();
  clients.run_for(5s);
  clients.meanwhile([&] { redis_.start(); });
  ASSERT_TRUE(clients.goes_on());
  EXPECT_TRUE(clients.complete());
  // Not even noticed: what was published meanwhile has waited.
  EXPECT_TRUE(clients.unnoticed());
  EXPECT_EQ(publishes("published") + publishes("unknown_fate"),
            static_cast<double>(clients.sent()));
  EXPECT_GT(relay_.metrics().value("sluice_relay_broker_history_positions_total"), 0);
  std::cout << publishes("unknown_fate") << " publishes of unknown fate\n";
  tell(clients);
}

// ---- all at once

/// Everybody's connection is cut, something is published, everybody comes back.
TEST_F(CentrifugeRestart, RecoveryOfAllAtOnce) {
  CentrifugeTraffic::Settings settings = traffic(true);
  settings.clients = full_size() ? 5000 : 300;
  settings.sdks = 0;
  CentrifugeTraffic clients(std::move(settings));
  ASSERT_TRUE(clients.goes_on());
  const Millis before = relay_.process().cpu_time();
  const std::uint64_t scripts = calls("evalsha");
  for (std::size_t i = 0; i < clients.clients(); ++i) clients.fleet().cut(i);
  ASSERT_TRUE(clients.run_until(60s, [&] { return clients.all_there(); })) << clients.describe();
  EXPECT_TRUE(clients.exact());
  EXPECT_EQ(clients.reconnects(), clients.clients());
  for (std::size_t i = 0; i < clients.clients(); ++i) {
    for (const auto& [name, stream] : clients.fleet().client(i).streams)
      EXPECT_EQ(stream.recovered_times, 1U) << i << " on " << name;
  }
  EXPECT_GT(recovered_from_ring(), 0);
  expect_no_history_read();
  std::cout << "relay's CPU from cut to the last recovery "
            << (relay_.process().cpu_time() - before).count() << " ms, EVALSHA "
            << calls("evalsha") - scripts << "\n";
  tell(clients);
}

/// Every client comes with ten subscriptions, at first with channels that nobody has, then again
/// with their positions.
TEST_F(CentrifugeRestart, SubscribeStormsAreBatched) {
  const std::size_t clients = full_size() ? 2000 : 200;
  const std::size_t channels = full_size() ? 1000 : 100;
  constexpr std::size_t kEach = 10;
  CentrifugeFleet fleet;
  CentrifugeOptions options;
  options.to = haproxy_->endpoint();
  const auto storm = [&](const char* what, const std::function<void()>& begin) {
    const std::uint64_t reads = reads_of_redis();
    const std::uint64_t scripts = calls("evalsha");
    const std::uint64_t subscribes = calls("subscribe");
    const Metrics before = relay_.metrics();
    const Millis cpu = relay_.process().cpu_time();
    begin();
    EXPECT_TRUE(fleet.run_until(
        60s, [&] { return fleet.all_connected() && fleet.all_subscribed(0, fleet.size()); }));
    const Metrics after = relay_.metrics();
    const auto grown = [&](const char* name) { return after.value(name) - before.value(name); };
    const std::uint64_t read = reads_of_redis() - reads;
    std::cout << what << ": " << clients * kEach << " subscribes of " << clients << " clients, "
              << grown("sluice_relay_history_requests_total") << " recoveries asked, link bytes "
              << grown("sluice_relay_link_received_bytes_total") << " in and "
              << grown("sluice_relay_link_sent_bytes_total") << " out, to Redis "
              << grown("sluice_relay_broker_sent_bytes_total") << " bytes, SUBSCRIBE "
              << calls("subscribe") - subscribes << ", EVALSHA " << calls("evalsha") - scripts
              << ", in " << read << " reads of Redis, relay's CPU "
              << (relay_.process().cpu_time() - cpu).count() << " ms\n";
    return read;
  };
  const std::uint64_t first = storm("all new", [&] {
    for (std::size_t i = 0; i < clients; ++i) {
      fleet.add(options);
      for (std::size_t j = 0; j < kEach; ++j)
        fleet.subscribe(i, "kept:" + std::to_string((i * kEach + j) % channels),
                        {.recoverable = true});
      if (i % 100 == 99) fleet.run_for(10ms);
    }
  });
  // A position is asked for each channel, by hundreds at once.
  EXPECT_LT(first, channels / 2);
  CentrifugeOptions speaks;
  speaks.to = gateways_.back()->endpoint();
  const std::size_t speaker = fleet.connect(speaks);
  const std::uint64_t again = storm("come back, one missed on each", [&] {
    for (std::size_t i = 0; i < clients; ++i) fleet.cut(i);
    for (std::size_t i = 0; i < channels; ++i) {
      centrifuge::Command publish;
      publish.mutable_publish()->set_channel("kept:" + std::to_string(i));
      publish.mutable_publish()->set_data(numbered_data(1));
      fleet.send(speaker, std::move(publish));
    }
  });
  EXPECT_LT(again, channels / 2);
  for (std::size_t i = 0; i < clients; ++i) {
    for (const auto& [name, stream] : fleet.client(i).streams)
      EXPECT_TRUE(stream.recovered_times == 1 && stream.received == 1) << i << " on " << name;
  }
  EXPECT_EQ(fleet.faults(), CentrifugeFaults{});
  expect_no_history_read();
}

}  // namespace
}  // namespace sluice::test
