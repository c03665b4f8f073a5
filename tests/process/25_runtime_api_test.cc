// Gateways that register themselves at HAProxy, through its stats socket.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <memory>

#include "tests/process/support/haproxy.h"
#include "tests/process/support/own_haproxy.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

constexpr const char* kMaintenance = "1";
constexpr const char* kDrain = "8";

class RuntimeApi : public ::testing::Test {
 protected:
  RuntimeApi() : relay_(directory_) {}

  OwnHaproxy& haproxy(OwnHaproxy::Settings settings = {}) {
    haproxies_.push_back(std::make_unique<OwnHaproxy>(directory_, std::move(settings)));
    return *haproxies_.back();
  }
  static Args at(const OwnHaproxy& haproxy) {
    return {"--haproxy-socket", haproxy.stats_address(), "--haproxy-server", "gateways"};
  }
  GatewaySettings settings(const std::string& id, const Args& more) const {
    GatewaySettings settings;
    settings.id = id;
    settings.relay = relay_.address();
    settings.args = behind_balancer();
    for (const char* word : {"--tag-messages", "--drain-delay", "0s", "--drain-rate", "1000/s"})
      settings.args.emplace_back(word);
    settings.args.insert(settings.args.end(), more.begin(), more.end());
    return settings;
  }
  Gateway& gateway(const std::string& id, const Args& more) {
    gateways_.push_back(std::make_unique<Gateway>(settings(id, more)));
    return *gateways_.back();
  }
  static void wait_registered(Gateway& gateway, std::size_t from = 0) {
    gateway.process().wait_line("registered as gateways/" + gateway.id(), 10s, from);
  }
  static double metric(const Gateway& gateway, const std::string& what,
                       const std::string& label = "") {
    return gateway.metrics().value("sluice_gateway_haproxy_" + what, label);
  }
  static std::string admin_state(const OwnHaproxy& haproxy, const std::string& name) {
    const auto row = haproxy.server(name);
    return row ? row->at("srv_admin_state") : "absent";
  }
  /// After a restart: the agent check has said the `ready` that it owed for its drain, which ends
  /// an operator's word too, and that stands again.
  static void expect_kept(Gateway& gateway, const OwnHaproxy& haproxy, const std::string& state) {
    if (!gateway.process().lines("owed a ready").empty())
      gateway.process().wait_line("told the balancer at .* ready again");
    observe_for(1500ms);
    EXPECT_EQ(admin_state(haproxy, gateway.id()), state);
  }
  /// Clients of `swarm` from `first` on that are open, by the tag of what they got.
  static std::map<std::string, std::size_t> by_tag(const WsSwarm& swarm, std::size_t first) {
    std::map<std::string, std::size_t> count;
    for (std::size_t i = first; i < swarm.size(); ++i) {
      if (!swarm.client(i).closed) ++count[swarm.client(i).tag];
    }
    return count;
  }
  /// `count` new clients, one of which says something that all of them hear.
  std::size_t connect(WsSwarm& swarm, const OwnHaproxy& haproxy, std::size_t count) {
    const std::size_t first = swarm.connect(haproxy.endpoint(), count);
    for (const auto& gateway : gateways_) {
      if (gateway->process().running()) gateway->wait_subscribed();
    }
    swarm.publish(first);
    EXPECT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(first, swarm.size(), 1); }));
    return first;
  }

  TempDir directory_;
  Relay relay_;
  std::vector<std::unique_ptr<OwnHaproxy>> haproxies_;
  std::vector<std::unique_ptr<Gateway>> gateways_;
};

TEST_F(RuntimeApi, TwoMoreJoinSurviveReloadsAndLeave) {
  OwnHaproxy& front = haproxy();
  front.start();
  // Whoever shares the machine with us would weigh on one of them.
  Args args = at(front);
  args.insert(args.end(), {"--agent-weight", "off"});
  for (const char* id : {"1111", "2222"}) wait_registered(gateway(id, args));
  WsSwarm swarm;
  connect(swarm, front, 20);
  for (const char* id : {"3333", "4444"}) wait_registered(gateway(id, args));
  const std::size_t later = connect(swarm, front, 20);
  auto tags = by_tag(swarm, later);
  EXPECT_GE(tags["3333"], 8U);
  EXPECT_GE(tags["4444"], 8U);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.received() == 20 + 40; }));
  // Every reload forgets all four. Nobody's session ends, and who comes right after it waits for
  // the first gateway to be back instead of being turned away.
  for (int round = 0; round < 3; ++round) {
    std::vector<std::size_t> marks;
    for (const auto& gateway : gateways_) marks.push_back(gateway->process().mark());
    front.reload();
    WsSwarm newcomers;
    newcomers.connect(front.endpoint(), 8, "/channel/new");
    for (std::size_t i = 0; i < gateways_.size(); ++i) wait_registered(*gateways_[i], marks[i]);
    for (const char* id : {"1111", "2222", "3333", "4444"}) EXPECT_TRUE(front.has(id)) << id;
    const std::uint64_t heard = swarm.received();
    swarm.publish(0);
    ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.received() == heard + 40; }));
    EXPECT_EQ(swarm.open_count(), 40U);
  }
  // All there again, and clients reach all.
  const std::size_t last = connect(swarm, front, 40);
  tags = by_tag(swarm, last);
  for (const char* id : {"1111", "2222", "3333", "4444"}) EXPECT_GE(tags[id], 5U) << id;
  const std::size_t stay = by_tag(swarm, 0)["1111"] + by_tag(swarm, 0)["2222"];
  for (std::size_t i = 2; i < 4; ++i) gateways_[i]->process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() == stay; }));
  for (std::size_t i = 2; i < 4; ++i) {
    EXPECT_EQ(gateways_[i]->process().wait_exit().code, 0);
    gateways_[i]->process().wait_line("removed gateways/" + gateways_[i]->id());
    EXPECT_FALSE(front.has(gateways_[i]->id()));
  }
  for (std::size_t i = 0; i < swarm.size(); ++i) {
    const SwarmClient& client = swarm.client(i);
    const bool left = client.tag == "3333" || client.tag == "4444";
    EXPECT_EQ(client.close_code, left ? 1001 : 0) << client.tag;
  }
  connect(swarm, front, 10);
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

TEST_F(RuntimeApi, WhatItsFlagsImplyIsWhatHaproxyHas) {
  OwnHaproxy& front = haproxy({.stats_on_tcp = true});
  front.start();
  Args args = at(front);
  args.insert(args.end(), {"--haproxy-options", "weight 40  maxconn 77"});
  args[3] = "gateways/blue-1";
  Gateway& one = gateway("1111", args);
  one.process().wait_line("registered as gateways/blue-1 at " + one.endpoint().text());
  const auto row = front.server("blue-1");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->at("srv_addr"), "127.0.0.1");
  EXPECT_EQ(row->at("srv_port"), std::to_string(one.endpoint().port));
  EXPECT_EQ(row->at("srv_check_port"), std::to_string(one.admin().port));
  EXPECT_EQ(row->at("srv_iweight"), "40");
  EXPECT_EQ(front.stat("blue-1", "slim"), "77");
  front.wait_status("blue-1", "UP");
  // Through the PROXY header, or the gateway would refuse.
  Endpoint from = front.endpoint();
  from.source = "127.0.0.77";
  const WsClient client = WsClient::connect(from);
  one.process().wait_line("client connected.*127\\.0\\.0\\.77");
  EXPECT_EQ(metric(one, "registered"), 1);
  EXPECT_EQ(metric(one, "registrations_total"), 1);
  EXPECT_EQ(metric(one, "refusals_total"), 0);
}

TEST_F(RuntimeApi, KilledGatewaysServerIsTakenOver) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& one = gateway("1111", at(front));
  wait_registered(one);
  front.wait_status("1111", "UP");
  const auto before = front.server("1111");
  one.kill();
  front.wait_status("1111", "DOWN");
  one.start();
  wait_registered(one);
  front.wait_status("1111", "UP");
  EXPECT_EQ(metric(one, "registrations_total"), 0);
  EXPECT_EQ(front.server("1111")->at("srv_id"), before->at("srv_id"));
  // At another address its server is made anew, but not before HAProxy has seen the old one fail.
  one.kill();
  Gateway& other = gateway("1111", at(front));
  wait_registered(other);
  front.wait_status("1111", "UP");
  EXPECT_EQ(front.server("1111")->at("srv_port"), std::to_string(other.endpoint().port));
  EXPECT_EQ(metric(other, "registrations_total"), 1);
  // With other flags too, at once: it is its own.
  other.kill();
  other.start();
  wait_registered(other);
  WsSwarm swarm;
  connect(swarm, front, 4);
}

TEST_F(RuntimeApi, OtherFlagsMakeTheServerAnew) {
  OwnHaproxy& front = haproxy();
  front.start();
  Args args = at(front);
  GatewaySettings first = settings("1111", args);
  first.listen = "127.0.0.1:" + std::to_string(free_port());
  {
    Gateway one(first);
    wait_registered(one);
    one.kill();
  }
  first.args.insert(first.args.end(), {"--haproxy-options", "weight 7"});
  Gateway two(first);
  wait_registered(two);
  EXPECT_EQ(front.server("1111")->at("srv_iweight"), "7");
}

TEST_F(RuntimeApi, TwoOfOneNameDontFight) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& first = gateway("1111", at(front));
  wait_registered(first);
  front.wait_status("1111", "UP");
  Gateway& second = gateway("1111x", at(front));
  Args same = at(front);
  same[3] = "gateways/1111";
  Gateway& third = gateway("1111y", same);
  third.process().wait_line("refuses: \"gateways/1111 is another gateway's, at " +
                            first.endpoint().text() + "\"; choose another NAME");
  wait_registered(second);
  observe_for(3s);
  EXPECT_EQ(front.server("1111")->at("srv_port"), std::to_string(first.endpoint().port));
  EXPECT_EQ(third.process().lines("refuses").size(), 1U);
  EXPECT_EQ(metric(third, "registered"), 0);
  // It goes without touching what is not its own.
  third.process().signal(SIGTERM);
  EXPECT_EQ(third.process().wait_exit().code, 0);
  EXPECT_TRUE(front.has("1111"));
}

TEST_F(RuntimeApi, OperatorsMaintenanceIsNeverUndone) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& one = gateway("1111", at(front));
  wait_registered(one);
  front.wait_status("1111", "UP");
  ASSERT_EQ(front.command("set server gateways/1111 state maint"), "");
  one.process().wait_line("registered as gateways/1111, in maintenance by an operator");
  // Not by a reload of HAProxy, which itself would forget it.
  std::size_t mark = one.process().mark();
  front.reload();
  one.process().wait_line("in maintenance by an operator", 10s, mark);
  EXPECT_EQ(admin_state(front, "1111"), kMaintenance);
  // Nor by a restart of the gateway, nor its death.
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit().code, 0);
  one.process().wait_line("gateways/1111 stays: an operator has put it into maintenance");
  EXPECT_EQ(admin_state(front, "1111"), kMaintenance);
  one.start();
  one.process().wait_line("in maintenance by an operator");
  expect_kept(one, front, kMaintenance);
  one.kill();
  one.start();
  one.process().wait_line("in maintenance by an operator");
  EXPECT_EQ(admin_state(front, "1111"), kMaintenance);
  mark = one.process().mark();
  ASSERT_EQ(front.command("set server gateways/1111 state ready"), "");
  front.wait_status("1111", "UP");
  one.process().wait_line("registered as gateways/1111 at", 10s, mark);
  one.process().signal(SIGTERM);
  one.process().wait_line("removed gateways/1111");
}

TEST_F(RuntimeApi, OperatorsDrainIsNeverUndone) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& one = gateway("1111", at(front));
  wait_registered(one);
  ASSERT_EQ(front.command("set server gateways/1111 state drain"), "");
  one.process().wait_line("registered as gateways/1111, in drain by an operator");
  const std::size_t mark = one.process().mark();
  front.reload();
  one.process().wait_line("in drain by an operator", 10s, mark);
  EXPECT_EQ(admin_state(front, "1111"), kDrain);
  one.process().signal(SIGTERM);
  one.process().wait_line("gateways/1111 stays: an operator has put it into drain");
  EXPECT_EQ(one.process().wait_exit().code, 0);
  one.start();
  one.process().wait_line("in drain by an operator");
  expect_kept(one, front, kDrain);
}

TEST_F(RuntimeApi, RefusalsAreSaidOnceWithTheirRemedy) {
  struct Case {
    OwnHaproxy::Settings settings;
    std::string server;
    std::string line;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {{.name = "a", .level = "operator"},
       "gateways",
       "refuses: \"Permission denied\"; its `stats socket` line needs `level admin`",
       "permission"},
      {{.name = "b", .backend = "balance static-rr"},
       "gateways",
       "refuses: \"Backend must use a dynamic load balancing to support dynamic servers.\"; give "
       "backend gateways `balance leastconn`",
       "static_balance"},
      {{.name = "c"},
       "gatways",
       "refuses: \"Can't find backend.\"; --haproxy-server names the backend gatways: mend one of "
       "the two",
       "no_backend"},
  };
  std::vector<double> commands;
  for (const Case& each : cases) {
    OwnHaproxy& front = haproxy(each.settings);
    front.start();
    Args args = at(front);
    args[3] = each.server;
    Gateway& one = gateway("g" + each.settings.name, args);
    std::string pattern;
    for (const char c : each.line) {
      if (std::string(".()?*+[]").find(c) != std::string::npos) pattern += '\\';
      pattern += c;
    }
    one.process().wait_line(pattern);
    EXPECT_EQ(metric(one, "refusals_total", "reason=\"" + each.reason + "\""), 1);
    EXPECT_EQ(metric(one, "registered"), 0);
    commands.push_back(metric(one, "commands_total"));
  }
  observe_for(3s);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(gateways_[i]->process().lines("refuses").size(), 1U);
    EXPECT_EQ(metric(*gateways_[i], "commands_total"), commands[i]) << "tried again so soon";
    EXPECT_EQ(gateways_[i]->readyz().status, 200);
    gateways_[i]->process().signal(SIGTERM);
    EXPECT_EQ(gateways_[i]->process().wait_exit().code, 0);
  }
}

TEST_F(RuntimeApi, HaproxyComesLateGoesAndComesBack) {
  OwnHaproxy& front = haproxy();
  Gateway& one = gateway("1111", at(front));
  one.process().wait_line("haproxy unix:\\S+: away: nothing there yet; trying again");
  front.start();
  wait_registered(one);
  std::size_t mark = one.process().mark();
  front.kill();
  one.process().wait_line("haproxy unix:\\S+: away: nobody listens; trying again", 10s, mark);
  EXPECT_EQ(metric(one, "registered"), 0);
  EXPECT_EQ(one.readyz().status, 200);
  mark = one.process().mark();
  front.start();
  wait_registered(one, mark);
  WsSwarm swarm;
  connect(swarm, front, 2);
  // One line per change, however often it was tried.
  EXPECT_EQ(one.process().lines("away: nothing there").size(), 1U);
  EXPECT_EQ(one.process().lines("away: nobody listens").size(), 1U);
}

TEST_F(RuntimeApi, WithoutHaproxyTheEndIsNotHeldUp) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& one = gateway("1111", at(front));
  wait_registered(one);
  front.kill();
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit().code, 0);
  one.process().wait_line("away \\(.*\\): gateways/1111 is not removed");
}

TEST_F(RuntimeApi, TwoHaproxies) {
  OwnHaproxy& left = haproxy({.name = "left"});
  OwnHaproxy& right = haproxy({.name = "right"});
  left.start();
  Args args = at(left);
  args.insert(args.end(), {"--haproxy-socket", right.stats_address()});
  Gateway& one = gateway("1111", args);
  one.process().wait_line("left.sock: registered as gateways/1111");
  one.process().wait_line("right.sock: away");
  EXPECT_EQ(metric(one, "sockets"), 2);
  EXPECT_EQ(metric(one, "registered"), 1);
  right.start();
  one.process().wait_line("right.sock: registered as gateways/1111");
  WsSwarm swarm;
  connect(swarm, left, 2);
  connect(swarm, right, 2);
  one.process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() == 0; }));
  EXPECT_EQ(one.process().wait_exit().code, 0);
  EXPECT_FALSE(left.has("1111"));
  EXPECT_FALSE(right.has("1111"));
}

/// A server of the configuration without a check: HAProxy would never miss the gateway by itself.
TEST_F(RuntimeApi, ServerOfTheConfigurationIsDrivenNotTouched) {
  OwnHaproxy::Settings file;
  const std::uint16_t port = free_port();
  file.servers = "  server 1111 127.0.0.1:" + std::to_string(port) + "\n";
  OwnHaproxy& front = haproxy(file);
  front.start();
  GatewaySettings mine = settings("1111", at(front));
  mine.listen = "127.0.0.1:" + std::to_string(port);
  Gateway one(mine);
  one.process().wait_line("gateways/1111 is in its configuration: its health is driven");
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit().code, 0);
  EXPECT_EQ(front.stat("1111", "status"), "DOWN");
  EXPECT_EQ(admin_state(front, "1111"), "0");
  one.start();
  front.wait_status("1111", "no check");
  { const WsClient client = WsClient::connect(front.endpoint()); }
  // An operator's word stands above it, in both directions.
  ASSERT_EQ(front.command("set server gateways/1111 state maint"), "");
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit().code, 0);
  one.start();
  const std::size_t looks = static_cast<std::size_t>(metric(one, "commands_total"));
  ASSERT_TRUE(eventually(10s, [&] { return metric(one, "commands_total") >= looks + 3.0; }));
  EXPECT_EQ(admin_state(front, "1111"), kMaintenance);
  ASSERT_EQ(front.command("set server gateways/1111 state ready"), "");
  ASSERT_TRUE(eventually(5s, [&] { return WsClient::dial(front.endpoint()).open(); }));
  EXPECT_EQ(one.process().lines("registered as").size(), 0U);
}

TEST_F(RuntimeApi, DrainOfAServerOfTheConfigurationIsSeen) {
  OwnHaproxy::Settings file;
  const std::uint16_t port = free_port();
  file.servers = "  server 1111 127.0.0.1:" + std::to_string(port) + "\n";
  OwnHaproxy& front = haproxy(file);
  front.start();
  GatewaySettings mine = settings("1111", at(front));
  mine.listen = "127.0.0.1:" + std::to_string(port);
  *std::find(mine.args.begin(), mine.args.end(), "0s") = "4s";
  Gateway one(mine);
  one.process().wait_line("its health is driven");
  WsClient client = WsClient::connect(front.endpoint());
  one.process().signal(SIGTERM);
  front.wait_status("1111", "NOLB", 3s);
  EXPECT_EQ(WsClient::dial(front.endpoint()).response().status, 503);
  EXPECT_EQ(client.wait_close().code, 1001);
}

TEST_F(RuntimeApi, SomebodyElsesServerIsLeftAlone) {
  OwnHaproxy::Settings file;
  file.servers = "  server 1111 127.0.0.1:1\n";
  OwnHaproxy& front = haproxy(file);
  front.start();
  Gateway& one = gateway("1111", at(front));
  one.process().wait_line(
      "refuses: \"gateways/1111 is a server of its configuration at 127.0.0.1:1\"; choose another");
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit().code, 0);
  EXPECT_EQ(front.stat("1111", "status"), "no check");
}

/// A client that takes no notice of its end keeps a session in HAProxy when the drain's time is up.
TEST_F(RuntimeApi, SessionsLeftOverDontKeepTheServer) {
  OwnHaproxy& front = haproxy();
  front.start();
  Args args = at(front);
  args.insert(args.end(), {"--drain-timeout", "1s"});
  Gateway& one = gateway("1111", args);
  wait_registered(one);
  const WsClient deaf = WsClient::connect(front.endpoint());
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit().code, 0);
  one.process().wait_line("removed gateways/1111");
  EXPECT_FALSE(front.has("1111"));
  // HAProxy's word for a session shut down by command.
  front.process().wait_line(" gateways/1111 .* 101 .* K");
}

TEST_F(RuntimeApi, HungHaproxyHoldsUpNobody) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& one = gateway("1111", at(front));
  wait_registered(one);
  const int worker = front.worker();
  ASSERT_EQ(::kill(worker, SIGSTOP), 0);
  one.process().wait_line("away: it does not answer; trying again", 20s);
  EXPECT_EQ(one.readyz().status, 200);
  ASSERT_EQ(::kill(worker, SIGCONT), 0);
  const std::size_t mark = one.process().mark();
  wait_registered(one, mark);
  ASSERT_EQ(::kill(worker, SIGSTOP), 0);
  one.process().signal(SIGTERM);
  EXPECT_EQ(one.process().wait_exit(15s).code, 0);
  ASSERT_EQ(::kill(worker, SIGCONT), 0);
}

TEST_F(RuntimeApi, DiesHalfDoneAndIsFinishedByTheNext) {
  OwnHaproxy& front = haproxy();
  front.start();
  Gateway& one = gateway("1111", at(front));
  wait_registered(one);
  one.kill();
  // As it stands between `add server` and the line that enables it, or on its way out.
  ASSERT_EQ(front.command("disable health gateways/1111; set server gateways/1111 state maint"),
            "");
  one.start();
  wait_registered(one);
  front.wait_status("1111", "UP");
  EXPECT_EQ(admin_state(front, "1111"), "0");
}

TEST_F(RuntimeApi, StartFaultsNameFlagAndRemedy) {
  const auto said = [&](const Args& args) {
    SpawnOptions options;
    options.args = {gateway_program(), "--id", "1111", "--relay", relay_.address()};
    options.args.insert(options.args.end(), args.begin(), args.end());
    const Finished finished = run(std::move(options));
    EXPECT_NE(finished.status.code, 0);
    return finished.output;
  };
  const std::string somewhere = "unix:" + directory_.file("x.sock");
  EXPECT_NE(said({"--listen", "127.0.0.1:0", "--haproxy-socket", somewhere})
                .find("--haproxy-socket needs --haproxy-server BACKEND"),
            std::string::npos);
  EXPECT_NE(
      said({"--listen", "127.0.0.1:0", "--haproxy-socket", somewhere, "--haproxy-server", "b"})
          .find("--haproxy-socket needs --admin-listen ADDR:PORT"),
      std::string::npos);
  EXPECT_NE(said({"--listen", "*:0", "--admin-listen", "*:0", "--haproxy-socket", "192.0.2.1:9999",
                  "--haproxy-server", "b"})
                .find("say --haproxy-advertise ADDR:PORT"),
            std::string::npos);
}

}  // namespace
}  // namespace sluice::test
