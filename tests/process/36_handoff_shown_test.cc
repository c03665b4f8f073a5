// What operators see of a handoff, and how a service manager asks for one: /readyz, metrics, the
// log and `sluice status` with a real keeper; SIGTERM's two meanings; ExecStop's park-on-restart.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

class HandoffShown : public ::testing::Test {
 protected:
  void start_keeper() {
    SpawnOptions options;
    options.args = {keeper_program(), "--id", "1111", "--listen", "unix:" + keeper_path()};
    keeper_ = std::make_unique<Process>(std::move(options));
    keeper_->wait_line("listening on unix:", 60s);
  }
  void start(Args more = {}, Args relay_args = {}) {
    relay_ = std::make_unique<Relay>(directory_, std::move(relay_args));
    settings_.relay = relay_->address();
    settings_.args = {"--keeper", "unix:" + keeper_path(), "--ping-interval", "10m"};
    settings_.args.insert(settings_.args.end(), more.begin(), more.end());
    gateway_ = std::make_unique<Gateway>(settings_);
  }
  [[nodiscard]] std::string keeper_path() const { return directory_.file("keeper.sock"); }

  /// The next process with the same command line, once this one has ended with that code (-1: it
  /// was killed). Ports are those of the listening sockets that the keeper holds.
  void next(int code) {
    EXPECT_EQ(gateway_->process().wait_exit().code, code);
    gateway_ = std::make_unique<Gateway>(settings_);
  }
  [[nodiscard]] Json row() const {
    SpawnOptions options;
    options.args = {tool_program(), "status", "--json", "--relay", relay_->address()};
    const Json status = Json::parse(run(std::move(options)).output, nullptr, false);
    return status.is_object() ? status["gateways"]["list"][0] : Json();
  }
  /// What the relay knows is a second old at most.
  bool row_says(const char* name, const Json& value) {
    return eventually(10s, [&] { return row()[name] == value; });
  }
  [[nodiscard]] double metric(const std::string& name, const std::string& label = "") const {
    return gateway_->metrics().value("sluice_gateway_" + name, label);
  }
  void expect_heard(WsClient& client, const std::string& text) {
    client.send_text(text);
    EXPECT_EQ(client.text(), text);
  }

  TempDir directory_;
  GatewaySettings settings_;
  std::unique_ptr<Process> keeper_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(HandoffShown, APlannedOneAndOneAfterACrash) {
  start_keeper();
  start();
  WsClient client = WsClient::connect(gateway_->endpoint());
  expect_heard(client, "first");
  EXPECT_EQ(metric("handoff_state", "state=\"on\""), 1);
  EXPECT_EQ(metric("handoff_state", "state=\"off\""), 0);
  EXPECT_EQ(metric("handoff_self_test_passed"), 1);
  EXPECT_EQ(metric("keeper_up"), 1);
  EXPECT_EQ(metric("clients_held"), 1);
  EXPECT_EQ(metric("handoff_unrecorded_total"), 0);
  EXPECT_EQ(
      metric("takeovers_total", "kind=\"planned\"") + metric("takeovers_total", "kind=\"crash\""),
      0);
  EXPECT_GT(metric("handoff_memory_max_bytes"), 0);
  EXPECT_EQ(gateway_->readyz().body, "ready\n");
  EXPECT_TRUE(row_says("held", 1));
  EXPECT_EQ(row()["handoff"], "on");
  EXPECT_TRUE(row()["takeover"].is_null());

  gateway_->process().signal(SIGUSR2);
  next(0);
  gateway_->process().wait_line("took over from a gateway that parked: 1 clients");
  expect_heard(client, "after a planned one");
  EXPECT_EQ(metric("takeovers_total", "kind=\"planned\""), 1);
  EXPECT_EQ(metric("takeovers_total", "kind=\"crash\""), 0);
  EXPECT_EQ(metric("takeover_clients"), 1);
  EXPECT_EQ(metric("takeover_closed", "reason=\"read_outside_of_the_record\""), 0);
  EXPECT_TRUE(eventually(10s, [&] { return !row()["takeover"].is_null(); }));
  const Json planned = row()["takeover"];
  EXPECT_EQ(planned["kind"], "planned");
  EXPECT_EQ(planned["clients"], 1);
  EXPECT_EQ(planned["closed"], 0);
  EXPECT_TRUE(planned["pause_seconds"].is_number()) << planned;

  gateway_->kill();
  next(-1);
  gateway_->process().wait_line("took over from a gateway that was killed: 1 clients");
  expect_heard(client, "after a crash");
  EXPECT_EQ(metric("takeovers_total", "kind=\"crash\""), 1);
  EXPECT_EQ(metric("takeover_pause_seconds"), 0);
  EXPECT_TRUE(eventually(10s, [&] {
    const Json r = row();
    return r["takeover"].is_object() && r["takeover"]["kind"] == "crash";
  }));
  EXPECT_TRUE(row()["takeover"]["pause_seconds"].is_null());
}

TEST_F(HandoffShown, ThatTheKeeperIsAway) {
  start_keeper();
  start();
  WsClient client = WsClient::connect(gateway_->endpoint());
  keeper_->kill();
  gateway_->process().wait_line("the keeper is lost");
  EXPECT_EQ(gateway_->readyz().status, 200);
  EXPECT_EQ(gateway_->readyz().body, "ready; handoff is off, the keeper is away\n");
  EXPECT_EQ(metric("handoff_state", "state=\"keeper_away\""), 1);
  EXPECT_EQ(metric("keeper_losses_total"), 1);
  EXPECT_EQ(metric("clients_held"), 0);
  EXPECT_TRUE(row_says("handoff", "keeper away"));
  WsClient another = WsClient::connect(gateway_->endpoint());
  EXPECT_EQ(metric("clients_unheld_total"), 1);
  start_keeper();
  EXPECT_TRUE(row_says("handoff", "on"));
  EXPECT_TRUE(row_says("held", 2));
  EXPECT_EQ(gateway_->readyz().body, "ready\n");
}

TEST_F(HandoffShown, ThatTheRelayForgetsTooSoon) {
  start_keeper();
  start({"--handoff-wait", "8s"}, {"--ring-age", "5s", "--linger", "8s"});
  gateway_->process().wait_line("the relay's --ring-age 5s is not above our --handoff-wait 8s");
  gateway_->process().wait_line("the relay's --linger 8s is not above our --handoff-wait 8s");
}

TEST_F(HandoffShown, NothingWhereTheRelayKeepsThingsLongEnough) {
  start_keeper();
  start({"--handoff-wait", "8s"}, {"--ring-age", "9s", "--linger", "9s"});
  EXPECT_TRUE(gateway_->process().lines("--handoff-wait").empty());
}

TEST_F(HandoffShown, SigtermHandsOverWhereToldTo) {
  start_keeper();
  start({"--on-sigterm", "handoff"});
  WsClient client = WsClient::connect(gateway_->endpoint());
  gateway_->process().signal(SIGTERM);
  next(0);
  expect_heard(client, "still here");
}

TEST_F(HandoffShown, SigtermDrainsWhereNobodyWouldHoldTheClients) {
  start_keeper();
  start({"--on-sigterm", "handoff", "--drain-delay", "0s"});
  WsClient client = WsClient::connect(gateway_->endpoint());
  keeper_->kill();
  gateway_->process().wait_line("the keeper is lost");
  gateway_->process().signal(SIGTERM);
  const WsEvent event = client.wait_close();
  EXPECT_EQ(event.kind, WsEvent::Kind::kClose);
  EXPECT_EQ(event.code, 1001);
}

// ---- ExecStop=

class ParkOnRestart : public HandoffShown {
 protected:
  /// As systemd runs it, for a job of this kind; "": the bus is away.
  ExitStatus stop(const std::string& job, const std::string& pid) {
    const std::string bin = directory_.file("bin");
    std::filesystem::create_directories(bin);
    const std::string systemctl = bin + "/systemctl";
    std::ofstream(systemctl)
        << "#!/bin/sh\n"
        << "[ \"$*\" = 'list-jobs --no-legend --plain x@1.service' ] || exit 2\n"
        << (job.empty() ? "echo no bus >&2; exit 1\n"
                        : "echo '  77 x@1.service " + job + " running'\n");
    std::filesystem::permissions(systemctl, std::filesystem::perms::owner_all);
    SpawnOptions options;
    options.args = {"/bin/sh", std::string(SLUICE_SOURCE_DIR) + "/systemd/park-on-restart",
                    "x@1.service"};
    if (!pid.empty()) options.args.push_back(pid);
    options.env = {{"PATH", bin + ":/usr/bin:/bin"}};
    return run(std::move(options)).status;
  }
  [[nodiscard]] std::string pid() { return std::to_string(gateway_->process().pid()); }
};

TEST_F(ParkOnRestart, ARestartHandsOver) {
  start_keeper();
  start();
  WsClient client = WsClient::connect(gateway_->endpoint());
  // Somebody has to wait for its end, else it stays to be seen.
  std::thread parent([&] { EXPECT_EQ(gateway_->process().wait_exit().code, 0); });
  EXPECT_EQ(stop("restart", pid()).code, 0);
  parent.join();
  gateway_ = std::make_unique<Gateway>(settings_);
  expect_heard(client, "still here");
}

TEST_F(ParkOnRestart, AStopIsLeftToTheDrain) {
  start_keeper();
  start();
  EXPECT_EQ(stop("stop", pid()).code, 0);
  EXPECT_EQ(stop("", pid()).code, 0);
  EXPECT_EQ(stop("restart", "").code, 0) << "the process has ended by itself";
  // In the order of its signals: these were none.
  gateway_->process().signal(SIGHUP);
  gateway_->process().wait_line("SIGHUP");
  EXPECT_TRUE(gateway_->process().lines("SIGUSR2").empty());
}

TEST_F(ParkOnRestart, ARestartThatCantHandOverIsLeftToTheDrain) {
  start_keeper();
  start();
  keeper_->kill();
  gateway_->process().wait_line("the keeper is lost");
  EXPECT_EQ(stop("restart", pid()).code, 0);
  gateway_->process().wait_line("SIGUSR2: clients can't be handed over");
  EXPECT_TRUE(gateway_->process().running());
}

}  // namespace
}  // namespace sluice::test
