// The agent check's table against the real HAProxy: each row is brought about and read back from
// `show stat`, and what an operator has set at HAProxy stays.
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/own_haproxy.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

/// How long HAProxy goes on asking after an operator has set something; ten times a second.
Millis polling_time() {
  return full_size() ? Millis(60s) : Millis(3s);
}

class AgentTable : public ::testing::Test {
 protected:
  void start(const Args& args, const std::string& grace = "300ms") {
    Args relay_args{"--state-dir", directory_.file("state")};
    if (redis_) relay_args.insert(relay_args.end(), {"--broker", redis_->url()});
    relay_ = std::make_unique<Relay>(directory_, relay_args);
    GatewaySettings settings;
    settings.relay = relay_->address();
    settings.args = {"--proxy-protocol", "required", "--trusted-proxy", "127.0.0.0/8",
                     "--ready-grace",    grace,      "--agent-ramp",    "0s",
                     "--drain-delay",    "25s"};
    settings.args.insert(settings.args.end(), args.begin(), args.end());
    gateway_ = std::make_unique<Gateway>(settings);
    balance();
  }
  void balance() {
    OwnHaproxy::Settings settings = checks_;
    settings.check = "100ms";
    settings.servers = "  server 1111 " + gateway_->endpoint().text() + " check port " +
                       std::to_string(gateway_->admin().port) + " agent-check agent-port " +
                       std::to_string(gateway_->agent().port) + " agent-inter 100ms\n";
    haproxy_ = std::make_unique<OwnHaproxy>(directory_, settings);
    haproxy_->start();
    haproxy_->wait_status("1111", "UP");
  }
  [[nodiscard]] std::string agent_says() const { return haproxy_->stat("1111", "last_agt"); }
  void expect_weight(const std::string& weight) const {
    EXPECT_TRUE(eventually(10s, [&] { return haproxy_->stat("1111", "weight") == weight; }))
        << haproxy_->stat("1111", "weight") << ", not " << weight;
  }
  [[nodiscard]] double answers(const std::string& word = "") const {
    return gateway_->metrics().value("sluice_gateway_agent_answers_total",
                                     word.empty() ? "" : "word=\"" + word + "\"");
  }
  /// As long as HAProxy asks, and at least so often, the server stays like that.
  void expect_stays(const std::string& column, const std::string& value) const {
    const double before = answers();
    const SteadyClock::time_point began = SteadyClock::now();
    while (SteadyClock::now() - began < polling_time() || answers() < before + 10) {
      ASSERT_EQ(haproxy_->stat("1111", column).rfind(value, 0), 0U)
          << haproxy_->stat("1111", column) << " after " << answers() - before << " answers";
    }
  }

  /// In the shipped files checks say who they are and a 404 is heeded.
  OwnHaproxy::Settings checks_;
  TempDir directory_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<OwnHaproxy> haproxy_;
};

TEST_F(AgentTable, ReadyIsUpWithAWeight) {
  start({});
  expect_weight("100");
  EXPECT_TRUE(eventually(5s, [&] { return haproxy_->stat("1111", "agent_status") == "L7OK"; }));
}

TEST_F(AgentTable, NotReadyIsDownWithTheReasonAndBackByItself) {
  start({});
  relay_->kill();
  haproxy_->wait_status("1111", "DOWN");
  EXPECT_TRUE(eventually(5s, [&] { return agent_says().find("relay") != std::string::npos; }))
      << agent_says();
  relay_->start();
  haproxy_->wait_status("1111", "UP");
}

TEST_F(AgentTable, StartingIsDown) {
  start({});
  relay_->kill();
  gateway_->kill();
  haproxy_->wait_status("1111", "DOWN");
  std::exception_ptr not_ready;
  try {
    gateway_->start();  // waits for /readyz, which does not come
  } catch (const HarnessError&) {
    not_ready = std::current_exception();
  }
  EXPECT_TRUE(not_ready);
  EXPECT_NE(agent_says().find("starting"), std::string::npos) << agent_says();
  EXPECT_EQ(haproxy_->stat("1111", "status").rfind("DOWN", 0), 0U);
  relay_->start();
  haproxy_->wait_status("1111", "UP");
}

TEST_F(AgentTable, ARelayAwayWithinTheGraceChangesNothing) {
  start({}, "60s");
  relay_->kill();
  ASSERT_TRUE(eventually(
      5s, [&] { return gateway_->readyz().body.find("degraded") != std::string::npos; }));
  expect_stays("status", "UP");
  EXPECT_EQ(answers("down"), 0);
}

TEST_F(AgentTable, RedisAwayLeavesItInTheBalance) {
  redis_ = std::make_unique<RedisServer>(directory_);
  start({});
  redis_->kill();
  ASSERT_TRUE(eventually(
      10s, [&] { return gateway_->readyz().body.find("degraded") != std::string::npos; }));
  expect_stays("status", "UP");
  EXPECT_EQ(answers("down"), 0);
}

TEST_F(AgentTable, RedisAwayTakesItOutWhereItIsRequired) {
  redis_ = std::make_unique<RedisServer>(directory_);
  start({"--ready-requires", "broker"});
  redis_->kill();
  haproxy_->wait_status("1111", "DOWN");
  EXPECT_TRUE(eventually(5s, [&] { return agent_says().find("broker") != std::string::npos; }))
      << agent_says();
  redis_->start();
  haproxy_->wait_status("1111", "UP");
}

TEST_F(AgentTable, DrainingNeedsNoWordWhereTheChecksHeedIt) {
  start({});
  const WsClient client = WsClient::dial(haproxy_->endpoint());
  ASSERT_TRUE(client.open());
  gateway_->process().signal(SIGTERM);
  haproxy_->wait_status("1111", "NOLB");
  ASSERT_TRUE(eventually(10s, [&] { return !gateway_->process().lines("closing 1").empty(); }));
  EXPECT_EQ(answers("drain"), 0);
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
  haproxy_->wait_status("1111", "DOWN");
  gateway_->start();
  haproxy_->wait_status("1111", "UP");
  EXPECT_EQ(answers("ready"), 0);
}

TEST_F(AgentTable, DrainingIsDrainWhereA404IsAFailure) {
  checks_.disable_on_404 = false;
  start({});
  const WsClient client = WsClient::dial(haproxy_->endpoint());
  ASSERT_TRUE(client.open());
  gateway_->process().signal(SIGTERM);
  ASSERT_TRUE(eventually(10s, [&] { return answers("drain") >= 1; }));
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
  haproxy_->wait_status("1111", "DOWN");
  gateway_->start();
  haproxy_->wait_status("1111", "UP");
}

TEST_F(AgentTable, AnOperatorsDrainStaysAlsoOverAnOrderlyRestart) {
  start({});
  EXPECT_EQ(haproxy_->command("set server gateways/1111 state drain"), "");
  expect_stays("status", "DRAIN");
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
  haproxy_->wait_status("1111", "DOWN");
  gateway_->start();
  haproxy_->wait_status("1111", "DRAIN");
  expect_stays("status", "DRAIN");
  EXPECT_EQ(answers("ready"), 0);
}

TEST_F(AgentTable, AnOperatorsMaintenanceStaysAlsoOverAnOrderlyRestart) {
  start({});
  ASSERT_TRUE(eventually(5s, [&] { return answers("up") >= 10; }));
  EXPECT_EQ(haproxy_->command("set server gateways/1111 state maint"), "");
  expect_stays("status", "MAINT");
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
  gateway_->start();
  expect_stays("status", "MAINT");
  EXPECT_EQ(answers("ready"), 0);
}

TEST_F(AgentTable, DrainingIsDrainAndTheSuccessorEndsIt) {
  checks_.send_state = false;
  start({});
  const WsClient client = WsClient::dial(haproxy_->endpoint());
  ASSERT_TRUE(client.open());
  gateway_->process().signal(SIGTERM);
  ASSERT_TRUE(eventually(5s, [&] {
    const std::string status = haproxy_->stat("1111", "status");
    return status.rfind("DRAIN", 0) == 0 || status.rfind("NOLB", 0) == 0;
  }));
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
  haproxy_->wait_status("1111", "DOWN");
  gateway_->start();
  // No operator's hand: the mark at the relay makes the new process say `ready`.
  haproxy_->wait_status("1111", "UP");
  EXPECT_EQ(answers("ready"), 1);
}

TEST_F(AgentTable, DrainedAndAboutToEndIsStopped) {
  start({"--drain-timeout", "60s"});
  WsClient client = WsClient::dial(haproxy_->endpoint());
  ASSERT_TRUE(client.open());
  gateway_->wait_subscribed();
  relay_->process().signal(SIGSTOP);
  client.send_text("on its way");
  ASSERT_TRUE(eventually(
      5s, [&] { return gateway_->metrics().value("sluice_gateway_client_messages_total") == 1; }));
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(client.wait_close(15s).code, 1001);
  ASSERT_TRUE(eventually(10s, [&] { return answers("stopped") >= 1; }));
  haproxy_->wait_status("1111", "DOWN");
  relay_->process().signal(SIGCONT);
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
}

TEST_F(AgentTable, AnOperatorsDrainStaysAlsoOverARestart) {
  start({});
  EXPECT_EQ(haproxy_->command("set server gateways/1111 state drain"), "");
  expect_stays("status", "DRAIN");
  gateway_->kill();
  haproxy_->wait_status("1111", "DOWN");
  gateway_->start();
  haproxy_->wait_status("1111", "DRAIN");
  expect_stays("status", "DRAIN");
  EXPECT_EQ(answers("ready"), 0);
  EXPECT_EQ(haproxy_->command("set server gateways/1111 state ready"), "");
  haproxy_->wait_status("1111", "UP");
}

TEST_F(AgentTable, AnOperatorsMaintenanceStaysAlsoOverARestart) {
  start({});
  EXPECT_EQ(haproxy_->command("set server gateways/1111 state maint"), "");
  expect_stays("status", "MAINT");
  gateway_->kill();
  gateway_->start();
  expect_stays("status", "MAINT");
  EXPECT_EQ(answers("ready"), 0);
}

TEST_F(AgentTable, AnOperatorsDrainOutlivesAnOrderlyRestartThatBeganBeforeIt) {
  start({});
  gateway_->process().signal(SIGTERM);
  EXPECT_EQ(gateway_->process().wait_exit(15s).code, 0);
  haproxy_->wait_status("1111", "DOWN");
  gateway_->start();
  haproxy_->wait_status("1111", "UP");
  ASSERT_TRUE(eventually(5s, [&] { return answers("up") >= 3; }));
  EXPECT_EQ(haproxy_->command("set server gateways/1111 state drain"), "");
  expect_stays("status", "DRAIN");
}

TEST_F(AgentTable, WithoutAWeightTheOperatorsStays) {
  start({"--agent-weight", "off"});
  expect_weight("100");
  EXPECT_EQ(haproxy_->command("set server gateways/1111 weight 30"), "");
  expect_weight("30");
  expect_stays("weight", "30");
}

TEST_F(AgentTable, TheWeightIsOurs) {
  start({"--max-connections", "10"});
  EXPECT_EQ(haproxy_->command("set server gateways/1111 weight 30"), "");
  expect_weight("100");
  std::vector<WsClient> clients;
  clients.reserve(8);
  for (int i = 0; i < 8; ++i) clients.push_back(WsClient::connect(haproxy_->endpoint()));
  EXPECT_TRUE(eventually(40s, [&] { return haproxy_->stat("1111", "weight") == "50"; }))
      << haproxy_->stat("1111", "weight");
}

}  // namespace
}  // namespace sluice::test
