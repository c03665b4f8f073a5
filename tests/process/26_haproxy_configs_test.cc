// Each shipped HAProxy file, unchanged, in front of real gateways; and what haproxy.cfg does when a
// gateway freezes or dies.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "tests/process/support/haproxy.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

class Configs : public ::testing::Test {
 protected:
  Configs() : relay_(directory_) {}

  /// Gateways 1111, 2222, … behind a balancer that speaks the PROXY protocol.
  void start_gateways(std::size_t count, bool on_unix_sockets = false, const Args& more = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      GatewaySettings settings;
      settings.id = Stack::id_of(i);
      settings.relay = relay_.address();
      settings.args = behind_balancer();
      settings.args.emplace_back("--tag-messages");
      settings.args.insert(settings.args.end(), more.begin(), more.end());
      if (on_unix_sockets) settings.listen = "unix:" + directory_.file(settings.id + ".sock");
      gateways_.push_back(std::make_unique<Gateway>(std::move(settings)));
    }
  }
  void start_haproxy(const std::string& file, const Environment& environment = {}) {
    std::vector<Gateway*> gateways;
    for (const auto& gateway : gateways_) gateways.push_back(gateway.get());
    haproxy_ = std::make_unique<Haproxy>(directory_, gateways, file, environment);
    for (const auto& server : haproxy_->servers()) wait_checked(server);
  }
  /// Up by a check of HAProxy's: before its first one a single failure marks a server down.
  void wait_checked(const std::string& server) {
    haproxy_->wait_status(server, "UP");
    for (const char* column : {"check_status", "agent_status"}) {
      const bool good = eventually(
          5s, [&] { return haproxy_->stat(server, column).find("L7OK") != std::string::npos; });
      ASSERT_TRUE(good) << server << " " << column;
    }
  }
  Gateway& gateway(std::size_t index) { return *gateways_[index]; }
  /// `count` clients through HAProxy; whatever is published from now on reaches each.
  std::size_t connect(WsSwarm& swarm, std::size_t count) {
    const std::size_t first = swarm.connect(haproxy_->endpoint(), count);
    for (const auto& gateway : gateways_) {
      if (gateway->process().running()) gateway->wait_subscribed();
    }
    return first;
  }
  /// One client of `swarm` speaks, and all of them that are open hear it.
  static bool all_hear(WsSwarm& swarm, std::size_t speaker = 0) {
    const std::uint64_t heard = swarm.received();
    swarm.publish(speaker);
    return swarm.run_until(10s, [&] { return swarm.received() == heard + swarm.open_count(); });
  }
  /// Clients of `swarm` from `first` on, by the tag of what they got.
  static std::map<std::string, std::size_t> by_tag(const WsSwarm& swarm, std::size_t first = 0) {
    std::map<std::string, std::size_t> count;
    for (std::size_t i = first; i < swarm.size(); ++i) ++count[swarm.client(i).tag];
    return count;
  }
  /// Some gateway's log has a line that matches.
  bool logged(const std::string& pattern) {
    return eventually(5s, [&] {
      return std::any_of(gateways_.begin(), gateways_.end(), [&](const auto& gateway) {
        return !gateway->process().lines(pattern).empty();
      });
    });
  }
  /// `./dev cert`'s authority, certificate and key, in this test's directory.
  std::string certificate() {
    SpawnOptions options;
    options.args = {std::string(SLUICE_SOURCE_DIR) + "/dev", "cert", directory_.file("cert")};
    const Finished made = run(std::move(options), 60s);
    if (made.status.code != 0) throw HarnessError("./dev cert failed: " + made.output);
    return directory_.file("cert");
  }

  TempDir directory_;
  Relay relay_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
  std::unique_ptr<Haproxy> haproxy_;
};

Finished node(const std::string& script, const Args& args, const Environment& environment) {
  const std::string directory = std::string(SLUICE_SOURCE_DIR) + "/tests/process/node";
  SpawnOptions options;
  options.args = {"/usr/bin/env", "node", directory + "/" + script};
  options.args.insert(options.args.end(), args.begin(), args.end());
  options.directory = directory;
  options.env = environment;
  return run(std::move(options), 90s);
}

// ---- haproxy.cfg

/// A gateway that neither ends nor does anything (10 s with SLUICE_TEST_FULL=1; else until it has
/// been marked down): its clients stay, and of the new ones every single one gets in.
TEST_F(Configs, FrozenGatewayKeepsItsClientsAndGetsNoOthers) {
  start_gateways(4, false, evenly_weighted());
  start_haproxy("haproxy.cfg");
  WsSwarm swarm;
  connect(swarm, 40);
  ASSERT_TRUE(all_hear(swarm));
  const std::string frozen = gateway(1).id();
  const std::size_t its_clients = by_tag(swarm)[frozen];
  ASSERT_GT(its_clients, 0U);
  gateway(1).process().signal(SIGSTOP);
  const SteadyClock::time_point began = SteadyClock::now();
  // Before a check has noticed: those that HAProxy gives to the frozen one are moved on.
  WsSwarm newcomers;
  newcomers.connect(haproxy_->endpoint(), 20);
  haproxy_->wait_status(frozen, "DOWN");
  newcomers.connect(haproxy_->endpoint(), 20);
  const Millis frozen_for = full_size() ? 10s : 1s;
  swarm.run_until(frozen_for, [&] { return SteadyClock::now() - began > frozen_for; });
  EXPECT_EQ(swarm.open_count(), 40U);
  gateway(1).process().signal(SIGCONT);
  haproxy_->wait_status(frozen, "UP");
  EXPECT_TRUE(all_hear(swarm));
  EXPECT_EQ(swarm.open_count(), 40U);
  EXPECT_EQ(by_tag(swarm)[frozen], its_clients);
  // It was down for HAProxy and never for its clients, and has none that came meanwhile.
  EXPECT_TRUE(newcomers.run_until(10s, [&] { return newcomers.all_received(0, 40, 1); }));
  EXPECT_EQ(newcomers.open_count(), 40U);
  EXPECT_EQ(by_tag(newcomers).count(frozen), 0U);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

/// Killed and back: no newcomer is turned away at any time, and what comes back is not flooded.
TEST_F(Configs, KilledGatewayIsMissedByNobodyAndComesBackSlowly) {
  start_gateways(4);
  start_haproxy("haproxy.cfg");
  WsSwarm swarm;
  connect(swarm, 400);
  const std::string dead = gateway(2).id();
  const SteadyClock::time_point began = SteadyClock::now();
  gateway(2).kill();
  // Connecting throws on any answer but 101.
  while (haproxy_->stat(dead, "status").rfind("DOWN", 0) != 0) {
    swarm.connect(haproxy_->endpoint(), 2);
    swarm.run_for(20ms);
    ASSERT_LT(SteadyClock::now() - began, 30s);
  }
  std::cout << "marked down after "
            << std::chrono::duration_cast<Millis>(SteadyClock::now() - began).count() << " ms, "
            << swarm.size() - 400 << " came meanwhile\n";
  if (full_size()) {
    EXPECT_LT(SteadyClock::now() - began, 3500ms);
  }
  gateway(2).start();
  haproxy_->wait_status(dead, "UP");
  // It has none and the others have 133 each: without a ramp it would get all of these.
  WsSwarm after;
  connect(after, 60);
  ASSERT_TRUE(all_hear(after));
  EXPECT_LT(by_tag(after)[dead], 40U);
}

// ---- haproxy-unix.cfg

/// A worker that is stopping counts no usable server in its backends: what answers 503 when none is
/// left must not hold in it.
TEST_F(Configs, ReloadRefusesNobodyWhoseRequestIsOnItsWay) {
  start_gateways(4, false, evenly_weighted());
  start_haproxy("haproxy.cfg");
  const std::string request = upgrade_bytes({});
  std::vector<Socket> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(Socket::connect(haproxy_->endpoint()));
    // Of half of them the old worker has a part of the head, of the others the connection alone.
    if (i % 2 == 0) clients.back().send_all(request.substr(0, 20));
  }
  // Accepted by the old worker, all of them.
  ASSERT_TRUE(
      eventually(5s, [&] { return std::stoi(haproxy_->stats().at("FRONTEND").at("scur")) >= 8; }));
  const std::size_t mark = haproxy_->process().mark();
  haproxy_->process().signal(SIGUSR2);
  haproxy_->process().wait_line("Proxy gateways stopped", 15s, mark);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].send_all(request.substr(i % 2 == 0 ? 20 : 0));
    std::string rest;
    EXPECT_EQ(read_head(clients[i], rest).status, 101) << i;
  }
}

TEST_F(Configs, UnixSocketsCarryClientsAndTheirAddresses) {
  start_gateways(4, true, evenly_weighted());
  start_haproxy("haproxy-unix.cfg");
  WsSwarm swarm;
  connect(swarm, 40);
  ASSERT_TRUE(all_hear(swarm));
  const auto tags = by_tag(swarm);
  EXPECT_EQ(tags.size(), 4U);
  for (const auto& [tag, count] : tags) EXPECT_EQ(count, 10U) << tag;
  Endpoint from = haproxy_->endpoint();
  from.source = "127.0.0.77";
  const WsClient client = WsClient::connect(from);
  EXPECT_TRUE(logged("client connected.*127\\.0\\.0\\.77"));
  // Checks go to the admin ports: the clients' sockets have seen clients alone.
  for (const auto& gateway : gateways_) {
    EXPECT_EQ(gateway->metrics().value("sluice_gateway_refusals_total"), 0) << gateway->id();
  }
}

TEST_F(Configs, UnixSocketOfADeadGatewaySendsClientsElsewhere) {
  start_gateways(4, true);
  start_haproxy("haproxy-unix.cfg");
  gateway(0).kill();
  WsSwarm swarm;
  swarm.connect(haproxy_->endpoint(), 20);
  haproxy_->wait_status(gateway(0).id(), "DOWN");
  gateway(0).start();
  haproxy_->wait_status(gateway(0).id(), "UP");
  connect(swarm, 20);
  EXPECT_TRUE(all_hear(swarm));
  EXPECT_EQ(by_tag(swarm).size(), 4U);
}

// ---- haproxy-tls.cfg

TEST_F(Configs, TlsFromNpmWs) {
  const std::string cert = certificate();
  start_gateways(4);
  start_haproxy("haproxy-tls.cfg", {{"SLUICE_LB_CERT", cert + "/haproxy.pem"}});
  const std::string url =
      "wss://localhost:" + std::to_string(haproxy_->endpoint().port) + "/channel/round";
  const Finished finished =
      node("round_trip.mjs", {url, url, "tagged"}, {{"NODE_EXTRA_CA_CERTS", cert + "/ca.pem"}});
  EXPECT_EQ(finished.status.code, 0) << finished.output;
  EXPECT_NE(finished.output.find("round trip ok"), std::string::npos) << finished.output;
  // Without the authority there is no connection: it was a real certificate that was checked.
  const Finished distrusts = node("round_trip.mjs", {url, url, "tagged"}, {});
  EXPECT_NE(distrusts.status.code, 0);
  EXPECT_NE(distrusts.output.find("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), std::string::npos)
      << distrusts.output;
  EXPECT_FALSE(
      haproxy_->process().wait_line(R"("GET /channel/round HTTP/1\.1" TLSv1\.3/)").empty());
  EXPECT_TRUE(logged(
      R"(client connected.* address=127\.0\.0\.1:.* tls=TLSv1\.3 cipher=TLS_\w+ sni=localhost)"));
}

/// Three pages, each with a WebSocket on the HTTP/2 connection that the page itself came by.
TEST_F(Configs, TlsFromChromiumOverHttp2) {
  const std::string cert = certificate();
  start_gateways(4, false, {"--demo"});
  start_haproxy("haproxy-tls.cfg", {{"SLUICE_LB_CERT", cert + "/haproxy.pem"}});
  const std::string url = "wss://localhost:" + std::to_string(haproxy_->endpoint().port);
  const Finished finished = node("browser_tls.mjs", {url, cert + "/haproxy.pem", "3"}, {});
  ASSERT_EQ(finished.status.code, 0) << finished.output;
  std::cout << finished.output;
  for (int page = 1; page <= 3; ++page) {
    for (int client = 1; client <= 3; ++client) {
      const std::string heard =
          "page " + std::to_string(page) + " heard client " + std::to_string(client);
      EXPECT_NE(finished.output.find(heard), std::string::npos) << heard;
    }
  }
  // HAProxy's own word: three WebSockets by HTTP/2, and none of another kind.
  const std::string session = R"("GET https://localhost:\d+/channel/h2 HTTP/2\.0" TLSv1\.3/)";
  for (std::size_t i = 0, from = 0; i < 3; ++i) {
    haproxy_->process().wait_line(session, 10s, from);
    from = haproxy_->process().mark();
    if (haproxy_->process().lines(session).size() == 3) break;
  }
  EXPECT_EQ(haproxy_->process().lines(session).size(), 3U);
  EXPECT_TRUE(haproxy_->process().lines(R"(/channel/h2 HTTP/1\.1")").empty());
  EXPECT_TRUE(logged(
      R"(client connected.* address=127\.0\.0\.1:.* tls=TLSv1\.3 cipher=TLS_\w+ sni=localhost alpn=h2 )"
      "unique_id=[0-9a-f-]{36}"));
}

// ---- haproxy-dynamic.cfg

/// The commands that the file names, as an operator would type them.
TEST_F(Configs, DynamicServersComeAndGo) {
  start_gateways(2, false, evenly_weighted());
  Environment environment = {{"SLUICE_LB_API", "ipv4@127.0.0.1:" + std::to_string(free_port())}};
  haproxy_ = std::make_unique<Haproxy>(directory_, std::vector<Gateway*>{}, "haproxy-dynamic.cfg",
                                       environment);
  EXPECT_TRUE(haproxy_->servers().empty());
  EXPECT_EQ(WsClient::dial(haproxy_->endpoint()).response().status, 503);
  for (const auto& gateway : gateways_) {
    const std::string server = "gateways/" + gateway->id();
    EXPECT_EQ(haproxy_->command("add server " + server + " " + gateway->endpoint().text() +
                                " check port " + std::to_string(gateway->admin().port) +
                                " inter 1s fall 3 rise 2 agent-check agent-port " +
                                std::to_string(gateway->agent().port) +
                                " agent-inter 1s weight 100 send-proxy-v2"),
              "New server registered.\n\n");
    EXPECT_EQ(haproxy_->command("enable server " + server), "\n");
    EXPECT_EQ(haproxy_->command("enable health " + server), "\n");
    EXPECT_EQ(haproxy_->command("enable agent " + server), "\n");
    wait_checked(gateway->id());
  }
  WsSwarm swarm;
  connect(swarm, 20);
  ASSERT_TRUE(all_hear(swarm));
  for (const auto& [tag, count] : by_tag(swarm)) EXPECT_EQ(count, 10U) << tag;
  gateway(1).process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(15s, [&] { return swarm.open_count() == 10; }));
  EXPECT_EQ(gateway(1).process().wait_exit().code, 0);
  // Not before: the agent's `drain` would make a drain of the maintenance.
  EXPECT_EQ(haproxy_->command("set server gateways/2222 state maint"), "\n");
  ASSERT_TRUE(eventually(5s, [&] { return haproxy_->stat("2222", "scur") == "0"; }));
  EXPECT_EQ(haproxy_->command("del server gateways/2222"), "Server deleted.\n");
  EXPECT_EQ(haproxy_->servers(), std::vector<std::string>{"1111"});
  WsSwarm rest;
  rest.connect(haproxy_->endpoint(), 4);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

TEST_F(Configs, DynamicServersRegisterThemselvesAgainAfterAReload) {
  const std::string api = "127.0.0.1:" + std::to_string(free_port());
  haproxy_ = std::make_unique<Haproxy>(directory_, std::vector<Gateway*>{}, "haproxy-dynamic.cfg",
                                       Environment{{"SLUICE_LB_API", "ipv4@" + api}});
  Args args = evenly_weighted();
  args.insert(args.end(), {"--haproxy-socket", api, "--haproxy-server", "gateways"});
  start_gateways(2, false, args);
  for (const auto& gateway : gateways_) {
    gateway->process().wait_line("registered as gateways/" + gateway->id());
    wait_checked(gateway->id());
  }
  WsSwarm swarm;
  connect(swarm, 20);
  ASSERT_TRUE(all_hear(swarm));
  const std::array<std::size_t, 2> marks = {gateway(0).process().mark(),
                                            gateway(1).process().mark()};
  haproxy_->process().signal(SIGUSR2);
  for (std::size_t i = 0; i < 2; ++i) {
    // Whoever comes meanwhile gets in: connecting throws on any answer but 101.
    WsSwarm newcomers;
    newcomers.connect(haproxy_->endpoint(), 4, "/channel/new");
    gateway(i).process().wait_line("registered as gateways/" + gateway(i).id(), 10s, marks[i]);
  }
  EXPECT_TRUE(all_hear(swarm));
  EXPECT_EQ(swarm.open_count(), 20U);
  gateway(1).process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(15s, [&] { return swarm.open_count() == 10; }));
  EXPECT_EQ(gateway(1).process().wait_exit().code, 0);
  EXPECT_EQ(haproxy_->servers(), std::vector<std::string>{"1111"});
}

}  // namespace
}  // namespace sluice::test
