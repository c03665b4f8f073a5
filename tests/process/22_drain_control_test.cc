// What an operator, a balancer or a clock makes of a drain: sluice drain and undrain, who is waited
// for, ages, and a bounded rate of new clients.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

class DrainControl : public ::testing::Test {
 protected:
  Gateway& start(Args args, const Args& relay_args = {}) {
    Stack::Settings settings;
    settings.gateway_args = std::move(args);
    settings.relay_args = relay_args;
    stack_ = std::make_unique<Stack>(std::move(settings));
    return stack_->gateway();
  }
  [[nodiscard]] SpawnOptions tool(Args args) const {
    SpawnOptions options;
    options.args = {tool_program()};
    options.args.insert(options.args.end(), args.begin(), args.end());
    options.args.insert(options.args.end(), {"--relay", stack_->relay().address()});
    return options;
  }
  Finished sluice(Args args) const { return run(tool(std::move(args))); }
  /// One agent check, as HAProxy makes it.
  static std::string ask(const Gateway& gateway) {
    Socket socket = Socket::connect(gateway.agent());
    return socket.read_all(5s);
  }
  /// One health check that says who it is.
  static int check(const Gateway& gateway, const std::string& header) {
    Socket socket = Socket::connect(gateway.admin());
    socket.send_all("GET /readyz HTTP/1.0\r\n" + header + "\r\n");
    const std::string reply = socket.read_all(5s);
    return std::stoi(reply.substr(reply.find(' ') + 1));
  }
  static constexpr const char* kUp =
      "X-Haproxy-Server-State: UP 2/3; name=gw/1111; node=lb; weight=1/1; scur=0/1; qcur=0\r\n";
  static constexpr const char* kNoLoad =
      "x-haproxy-server-state: NOLB; name=gw/1111; node=lb; weight=1/0; scur=0/1; qcur=0\r\n";

  std::unique_ptr<Stack> stack_;
};

TEST_F(DrainControl, DrainedByHandAndTakenBack) {
  Gateway& gateway = start({"--drain-delay", "50ms", "--drain-rate", "1000/s"});
  WsSwarm swarm;
  swarm.connect(gateway.endpoint(), 30);
  std::unique_ptr<Finished> drained;
  Process drain(tool({"drain", "1111"}));
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() == 0; }));
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(swarm.client(i).close_code, 1001);
    EXPECT_EQ(swarm.client(i).close_reason, "draining");
  }
  EXPECT_EQ(drain.wait_exit().code, 0);
  EXPECT_FALSE(drain.lines("^1111 draining: 0 clients").empty()) << drain.output();
  EXPECT_EQ(gateway.readyz().status, 404);
  const HttpResponse refused = WsClient::dial(gateway.endpoint()).response();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.headers.at("retry-after"), "1");
  EXPECT_TRUE(gateway.process().running());

  const Finished undrained = sluice({"undrain", "1111"});
  EXPECT_EQ(undrained.status.code, 0) << undrained.output;
  EXPECT_NE(undrained.output.find("1111 ready"), std::string::npos) << undrained.output;
  EXPECT_EQ(gateway.readyz().status, 200);
  WsClient client = WsClient::connect(gateway.endpoint());
  client.send_text("back");
  EXPECT_EQ(client.text(), "back");
  EXPECT_EQ(gateway.metrics().value("sluice_gateway_refused_total", R"(reason="draining")"), 1);
}

TEST_F(DrainControl, TakenBackInTheMiddleTheRestStays) {
  Gateway& gateway = start({"--drain-delay", "50ms", "--drain-rate", "10/s"});
  WsSwarm swarm;
  swarm.connect(gateway.endpoint(), 60);
  EXPECT_EQ(sluice({"drain", "1111", "--no-wait"}).status.code, 0);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() <= 50; }));
  EXPECT_EQ(sluice({"undrain", "1111"}).status.code, 0);
  // Closes that were on their way when the drain was taken back may still arrive, so the number
  // left is counted anew; who has got a close frame is not left, though its TCP connection may be.
  const auto is_left = [&](std::size_t i) {
    const SwarmClient& client = swarm.client(i);
    return client.open && !client.closed && client.close_code == 0;
  };
  std::size_t speaker = 0;
  while (!is_left(speaker)) ++speaker;
  swarm.publish(speaker);
  EXPECT_TRUE(swarm.run_until(10s, [&] {
    std::size_t left = 0;
    std::size_t heard = 0;
    for (std::size_t i = 0; i < 60; ++i) {
      left += is_left(i) ? 1 : 0;
      heard += is_left(i) && swarm.client(i).received > 0 ? 1 : 0;
    }
    return heard == left && left == swarm.open_count();
  }));
  EXPECT_GT(swarm.open_count(), 20U);
  EXPECT_TRUE(eventually(5s, [&] {
    return gateway.metrics().value("sluice_gateway_closed_total", R"(reason="drained")") ==
           static_cast<double>(60 - swarm.open_count());
  }));
}

TEST_F(DrainControl, OlderThanSparesTheYoung) {
  Gateway& gateway = start({"--drain-delay", "50ms", "--drain-rate", "1000/s"});
  const WsClient old = WsClient::connect(gateway.endpoint());
  const SteadyClock::time_point connected = SteadyClock::now();
  ASSERT_TRUE(eventually(10s, [&] { return SteadyClock::now() - connected > 2100ms; }));
  WsClient young = WsClient::connect(gateway.endpoint());
  const Finished drained = sluice({"drain", "1111", "--older-than", "2s", "--no-wait", "--json"});
  EXPECT_EQ(drained.status.code, 0) << drained.output;
  EXPECT_EQ(Json::parse(drained.output)["state"], "draining") << drained.output;
  // The old one answers no close frame: it is cut 5 s after its own.
  EXPECT_TRUE(
      eventually(15s, [&] { return gateway.metrics().value("sluice_gateway_connections") == 1; }));
  young.send_text("here");
  EXPECT_EQ(young.text(), "here");
}

TEST_F(DrainControl, NobodyOfThatNameIsSaid) {
  start({});
  for (const char* command : {"drain", "undrain"}) {
    const Finished finished = sluice({command, "7777"});
    EXPECT_EQ(finished.status.code, 6);
    EXPECT_EQ(finished.output, "sluice: no gateway 7777 is connected\n");
  }
}

TEST_F(DrainControl, AGatewayThatIsToEndCantBeKept) {
  Gateway& gateway = start({"--drain-delay", "20s", "--drain-timeout", "60s"});
  const WsClient client = WsClient::connect(gateway.endpoint());
  gateway.process().signal(SIGTERM);
  gateway.wait_ready(404);
  const std::size_t mark = gateway.process().mark();
  Process undrain(tool({"undrain", "1111"}));
  gateway.process().wait_line("told to end", 5s, mark);
  EXPECT_EQ(undrain.wait_exit(15s).code, 6);
  EXPECT_EQ(gateway.readyz().status, 404);
}

TEST_F(DrainControl, AnOperatorsDrainGoesOnToTheEnd) {
  Gateway& gateway = start({"--drain-delay", "50ms", "--drain-rate", "5/s"});
  WsSwarm swarm;
  swarm.connect(gateway.endpoint(), 30);
  EXPECT_EQ(sluice({"drain", "1111", "--no-wait"}).status.code, 0);
  gateway.process().signal(SIGTERM);
  ASSERT_TRUE(swarm.run_until(15s, [&] { return swarm.open_count() == 0; }));
  EXPECT_EQ(gateway.process().wait_exit().code, 0);
}

TEST_F(DrainControl, WaitsUntilTheBalancersThatAskHaveSeenIt) {
  // Far longer than the test: only the checks can end the announcement.
  Gateway& gateway = start({"--drain-delay", "25s", "--drain-timeout", "60s"});
  WsClient client = WsClient::connect(gateway.endpoint());
  EXPECT_EQ(ask(gateway).rfind("up", 0), 0U);
  EXPECT_EQ(check(gateway, kUp), 200);
  EXPECT_EQ(gateway.metrics().value("sluice_gateway_balancers"), 1);
  gateway.process().signal(SIGTERM);
  gateway.wait_ready(404);  // a prober without a name: it does not count
  EXPECT_EQ(WsClient::dial(gateway.endpoint()).response().status, 101);
  EXPECT_EQ(check(gateway, kUp), 404);
  EXPECT_EQ(WsClient::dial(gateway.endpoint()).response().status, 101) << "it may not heed it";
  EXPECT_EQ(ask(gateway).rfind("up", 0), 0U) << "nothing that stays";
  EXPECT_EQ(check(gateway, kNoLoad), 404);
  EXPECT_EQ(describe(client.wait_close()), "close 1001 'draining'");
  EXPECT_EQ(gateway.process().wait_exit().code, 0);
}

TEST_F(DrainControl, ABalancerThatIgnoresTheCheckIsToldByItsAgent) {
  Gateway& gateway = start({"--drain-delay", "25s", "--drain-timeout", "60s"});
  WsClient client = WsClient::connect(gateway.endpoint());
  EXPECT_EQ(ask(gateway).rfind("up", 0), 0U);
  EXPECT_EQ(check(gateway, kUp), 200);
  gateway.process().signal(SIGTERM);
  gateway.wait_ready(404);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(check(gateway, kUp), 404);
  ASSERT_TRUE(eventually(5s, [&] { return ask(gateway) == "drain\n"; }));
  EXPECT_EQ(describe(client.wait_close()), "close 1001 'draining'");
  EXPECT_EQ(gateway.process().wait_exit().code, 0);
}

TEST_F(DrainControl, AnAgentCheckIsToldAndThatIsSeen) {
  Gateway& gateway = start({"--drain-delay", "25s", "--drain-timeout", "60s"});
  WsClient client = WsClient::connect(gateway.endpoint());
  EXPECT_EQ(ask(gateway).rfind("up", 0), 0U);
  gateway.process().signal(SIGTERM);
  // The mark is with the relay first.
  ASSERT_TRUE(eventually(5s, [&] { return ask(gateway) == "drain\n"; }));
  EXPECT_EQ(describe(client.wait_close()), "close 1001 'draining'");
  EXPECT_EQ(gateway.process().wait_exit().code, 0);
}

TEST_F(DrainControl, ReadyIsSaidOnceByTheSuccessor) {
  const TempDir state;
  Gateway& gateway = start({"--drain-delay", "50ms", "--agent-ramp", "0s"},
                           {"--state-dir", state.path() + "/relay"});
  EXPECT_EQ(ask(gateway), "up 100%\n");
  const WsClient client = WsClient::connect(gateway.endpoint());
  gateway.process().signal(SIGTERM);
  ASSERT_TRUE(eventually(5s, [&] { return ask(gateway) == "drain\n"; }));
  EXPECT_EQ(gateway.process().wait_exit().code, 0);
  // Neither outlives the other: the mark is in the file.
  stack_->relay().kill();
  stack_->relay().start();
  gateway.start();
  EXPECT_EQ(ask(gateway), "up ready 100%\n");
  EXPECT_EQ(ask(gateway), "up 100%\n");
  // Taken and forgotten, whoever comes next.
  ASSERT_TRUE(eventually(5s, [&] {
    return read_file(state.path() + "/relay/drain-marks.json").find("127.0.0.1") ==
           std::string::npos;
  }));
  gateway.kill();
  gateway.start();
  EXPECT_EQ(ask(gateway), "up 100%\n");
}

TEST_F(DrainControl, AfterACrashInADrainTheSuccessorSaysReady) {
  Gateway& gateway = start({"--drain-delay", "25s", "--drain-timeout", "60s"});
  const WsClient client = WsClient::connect(gateway.endpoint());
  (void)ask(gateway);
  gateway.process().signal(SIGTERM);
  ASSERT_TRUE(eventually(5s, [&] { return ask(gateway) == "drain\n"; }));
  gateway.kill();
  gateway.start();
  EXPECT_EQ(ask(gateway).rfind("up ready", 0), 0U);
}

TEST_F(DrainControl, WithoutARelayTheAgentIsDownAndBackByItself) {
  Gateway& gateway = start({"--ready-grace", "200ms", "--agent-weight", "off"});
  EXPECT_EQ(ask(gateway), "up\n");
  stack_->relay().kill();
  ASSERT_TRUE(eventually(10s, [&] { return ask(gateway).rfind("down #not ready: ", 0) == 0; }));
  stack_->relay().start();
  ASSERT_TRUE(eventually(10s, [&] { return ask(gateway) == "up\n"; }));
}

TEST_F(DrainControl, TheWeightRisesAfterTheStart) {
  Gateway& gateway = start({"--agent-ramp", "3s"});
  const std::string first = ask(gateway);
  ASSERT_EQ(first.rfind("up ", 0), 0U);
  EXPECT_LT(std::stoi(first.substr(3)), 100);
  EXPECT_TRUE(eventually(10s, [&] { return ask(gateway) == "up 100%\n"; }));
}

TEST_F(DrainControl, TheWeightFallsWithTheRoomThatIsLeft) {
  Gateway& gateway = start({"--agent-ramp", "0s", "--max-connections", "100"});
  WsSwarm swarm;
  swarm.connect(gateway.endpoint(), 80);
  EXPECT_TRUE(swarm.run_until(40s, [&] { return ask(gateway) == "up 50%\n"; }));
  EXPECT_EQ(gateway.metrics().value("sluice_gateway_agent_weight_percent"), 50);
}

TEST_F(DrainControl, ConnectionsEndByTheirAgeEachAtItsTime) {
  Gateway& gateway = start({"--max-connection-age", "5s", "--drain-rate", "1000/s"});
  WsSwarm swarm;
  const SteadyClock::time_point began = SteadyClock::now();
  swarm.connect(gateway.endpoint(), 40);
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.open_count() < 40; }));
  EXPECT_GE(SteadyClock::now() - began, 3900ms) << "up to a fifth before the age";
  EXPECT_GT(swarm.open_count(), 20U) << "not all together";
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.open_count() == 0; }));
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(swarm.client(i).close_code, 1001);
    EXPECT_EQ(swarm.client(i).close_reason, "connection age");
  }
  EXPECT_EQ(gateway.metrics().value("sluice_gateway_closed_total", R"(reason="aged")"), 40);
}

TEST_F(DrainControl, TheAgedLeaveAtTheDrainRate) {
  Gateway& gateway = start({"--max-connection-age", "1s", "--drain-rate", "20/s"});
  WsSwarm swarm;
  swarm.connect(gateway.endpoint(), 60);
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.open_count() < 60; }));
  const SteadyClock::time_point began = SteadyClock::now();
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.open_count() == 0; }));
  EXPECT_GT(SteadyClock::now() - began, 2s);
}

TEST_F(DrainControl, OverTheAcceptRateIs503AndLaterLetIn) {
  Gateway& gateway = start({"--accept-rate", "5/s"});
  std::vector<WsClient> in;
  int refused = 0;
  for (int i = 0; i < 20 && refused == 0; ++i) {
    WsClient client = WsClient::dial(gateway.endpoint());
    if (client.response().status == 101) {
      in.push_back(std::move(client));
    } else {
      ++refused;
      EXPECT_EQ(client.response().status, 503);
      EXPECT_EQ(client.response().headers.at("retry-after"), "1");
    }
  }
  EXPECT_EQ(refused, 1);
  EXPECT_GE(in.size(), 5U);
  EXPECT_EQ(gateway.metrics().value("sluice_gateway_refused_total", R"(reason="accept_rate")"), 1);
  EXPECT_TRUE(
      eventually(5s, [&] { return WsClient::dial(gateway.endpoint()).response().status == 101; }));
}

TEST_F(DrainControl, AStateDirThatCantBeUsedStopsTheRelay) {
  const TempDir directory;
  (void)directory.write("file", "x");
  SpawnOptions options;
  options.args = {relay_program(), "--listen", "unix:" + directory.file("r.sock"), "--state-dir",
                  directory.file("file")};
  const Finished finished = run(std::move(options));
  EXPECT_EQ(finished.status.code, 1);
  EXPECT_EQ(finished.output.find("--state-dir: ") == std::string::npos, false) << finished.output;
}

}  // namespace
}  // namespace sluice::test
