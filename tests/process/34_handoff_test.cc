// Gateways that follow one another, by every way that one can end, and what else may change at the
// same time: the keeper, the program, the flags. Deaths at a chosen step are 35's, load is 32's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <thread>

#include "keeper/shared_state.h"
#include "tests/process/support/handoff_traffic.h"
#include "tests/process/support/haproxy.h"
#include "tests/process/support/own_haproxy.h"
#include "tests/process/support/proxy_header.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

/// Messages that a killed gateway may have read and not passed on: one of each speaker.
constexpr std::uint64_t kUnderWay = HandoffTraffic::kSpeakers;

HandoffStage::Settings with(Args args) {
  HandoffStage::Settings settings;
  settings.gateway_args = std::move(args);
  return settings;
}

void kill_under(HandoffStage& stage, HandoffTraffic& traffic) {
  stage.gateway().signal(SIGKILL);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
}

void park_under(HandoffStage& stage, HandoffTraffic& traffic, int number = SIGUSR2) {
  stage.gateway().signal(number);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  EXPECT_EQ(stage.gateway().wait_exit().code, 0);
}

/// The next one, and nobody has noticed a planned change.
void expect_taken_over(HandoffStage& stage, HandoffTraffic& traffic) {
  stage.spawn();
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  EXPECT_TRUE(traffic.exact());
  EXPECT_EQ(traffic.closed(), 0U) << traffic.endings();
}

/// The same after a kill.
void expect_survived(HandoffStage& stage, HandoffTraffic& traffic) {
  stage.spawn();
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  EXPECT_TRUE(traffic.exact(kUnderWay));
  EXPECT_LE(traffic.closed(), 1U) << traffic.endings();
}

// ---- fencing

TEST(Fencing, ASuccessorWaitsForTheEndOfAStoppedGateway) {
  HandoffStage stage;
  Process& old = stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  old.signal(SIGSTOP);
  const std::string waits = "waiting for the end of process " + std::to_string(old.pid()) + ",";
  Process& next = stage.spawn();
  next.wait_line(waits);
  Process& third = stage.spawn();
  third.wait_line(waits);
  old.signal(SIGCONT);
  ASSERT_TRUE(traffic.goes_on(200));
  EXPECT_TRUE(traffic.exact());
  EXPECT_TRUE(next.lines("listening on").empty() && third.lines("listening on").empty());

  old.signal(SIGSTOP);
  old.kill();
  ASSERT_TRUE(traffic.goes_on(200));
  next.wait_line("took over from a gateway that was killed: ");
  EXPECT_TRUE(third.lines("listening on").empty()) << "one at a time";
  EXPECT_TRUE(traffic.exact(kUnderWay));
  EXPECT_LE(traffic.closed(), 1U) << traffic.endings();

  next.signal(SIGUSR2);
  ASSERT_TRUE(traffic.goes_on(200));
  EXPECT_EQ(next.wait_exit().code, 0);
  third.wait_line("took over from a gateway that parked: ");
  EXPECT_TRUE(traffic.exact(kUnderWay));
  EXPECT_LE(traffic.closed(), 1U) << traffic.endings();
}

TEST(Fencing, WhoWaitsDoesSoThroughAnUpgradeOfTheKeeper) {
  HandoffStage stage;
  Process& old = stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  old.signal(SIGSTOP);
  Process& next = stage.spawn();
  const std::string waits = "waiting for the end of process " + std::to_string(old.pid()) + ",";
  next.wait_line(waits);
  const std::size_t mark = next.mark();
  stage.keeper().signal(SIGUSR2);
  next.wait_line(waits, 10s, mark);
  old.signal(SIGCONT);
  ASSERT_TRUE(traffic.goes_on());
  EXPECT_TRUE(traffic.exact());
  old.signal(SIGUSR2);
  ASSERT_TRUE(traffic.goes_on());
  next.wait_line("took over from a gateway that parked: 9 clients");
  EXPECT_TRUE(traffic.exact());
  EXPECT_EQ(traffic.closed(), 0U) << traffic.endings();
}

TEST(Fencing, AnotherGatewaysKeeperIsNoKeeper) {
  HandoffStage stage;
  SpawnOptions options;
  options.args = {gateway_program(),
                  "--id",
                  "3333",
                  "--listen",
                  "127.0.0.1:0",
                  "--relay",
                  stage.relay().address(),
                  "--keeper",
                  "unix:" + stage.keeper_path()};
  const Finished finished = run(std::move(options));
  EXPECT_NE(finished.status.code, 0);
  EXPECT_NE(finished.output.find("this is the keeper of 1111"), std::string::npos);
}

// ---- in the middle of the handshake

Args proxied() {
  return {"--proxy-protocol", "optional", "--trusted-proxy", "127.0.0.0/8"};
}

void wait_pending(const HandoffStage& stage, double count) {
  ASSERT_TRUE(eventually(
      5s, [&] { return stage.metrics().value("sluice_gateway_handshakes_pending") == count; }));
}

TEST(MidHandshake, APlannedRestartLetsThemIn) {
  HandoffStage stage(with(proxied()));
  stage.start();
  const std::string head = upgrade_bytes({});
  const std::string proxy = proxy_v2::tcp4(std::string("\xCB\x00\x71\x07", 4), 4711);
  const std::vector<std::string> whole{head, head, proxy + head, proxy + head, proxy + head};
  const std::vector<std::size_t> cuts{0, 40, 10, proxy.size(), proxy.size() + 40};
  std::vector<Socket> sockets;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    sockets.push_back(Socket::connect(stage.endpoint()));
    sockets.back().send_all(whole[i].substr(0, cuts[i]));
  }
  wait_pending(stage, 5);
  // Two more bytes each between two restarts.
  stage.restart();
  stage.gateway().wait_line(", 5 in handshake");
  for (std::size_t i = 0; i < whole.size(); ++i) sockets[i].send_all(whole[i].substr(cuts[i], 2));
  wait_pending(stage, 5);
  stage.restart();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    sockets[i].send_all(whole[i].substr(cuts[i] + 2));
    std::string rest;
    EXPECT_EQ(read_head(sockets[i], rest).status, 101) << i;
  }
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(eventually(5s, [&] {
      return stage.gateway().lines("client connected .*address=203.0.113.7:4711").size() == 3;
    }));
  EXPECT_EQ(stage.clients(), 5U);
}

TEST(MidHandshake, AKillCutsThem) {
  HandoffStage stage;
  stage.start();
  Socket begun = Socket::connect(stage.endpoint());
  begun.send_all(upgrade_bytes({}).substr(0, 40));
  wait_pending(stage, 1);
  stage.gateway().kill();
  EXPECT_NE(begun.read_some(5s).end, ReadEnd::kTimeout);
  // Not accepted yet: it waits where the keeper holds the listener.
  Socket waiting = Socket::connect(stage.endpoint());
  waiting.send_all(upgrade_bytes({}));
  stage.start();
  std::string rest;
  EXPECT_EQ(read_head(waiting, rest).status, 101);
}

TEST(MidHandshake, ThroughHaproxyNobodyIsRefused) {
  HandoffStage stage(with(behind_balancer()));
  stage.start();
  OwnHaproxy::Settings settings;
  settings.servers = "  server one " + stage.endpoint().text() + " check port " +
                     std::to_string(stage.admin().port) + "\n";
  OwnHaproxy haproxy(stage.directory(), settings);
  haproxy.start();
  haproxy.wait_status("one", "UP");
  std::atomic<bool> stop{false};
  std::atomic<int> came{0};
  std::vector<std::string> failed;
  std::thread newcomers([&] {
    while (!stop) {
      try {
        WsClient client = WsClient::dial(haproxy.endpoint());
        if (!client.open()) failed.push_back("status " + std::to_string(client.response().status));
        ++came;
      } catch (const std::exception& error) {
        failed.emplace_back(error.what());
      }
    }
  });
  const auto more_come = [&] {
    const int before = came;
    EXPECT_TRUE(eventually(10s, [&] { return came > before + 20; }));
  };
  for (int i = 0; i < 3; ++i) {
    more_come();
    stage.restart();
  }
  // HAProxy tries again what had no answer: also those between head and 101.
  for (int i = 0; i < 2; ++i) {
    more_come();
    stage.gateway().kill();
    stage.start();
  }
  more_come();
  stop = true;
  newcomers.join();
  EXPECT_EQ(failed, std::vector<std::string>{});
}

// ---- on Unix sockets

HandoffStage::Settings on_unix_socket(const TempDir& directory) {
  HandoffStage::Settings settings;
  settings.listen = "unix:" + directory.file("clients.sock");
  return settings;
}

TEST(UnixClients, APlannedRestartKeepsAll) {
  const TempDir directory;
  HandoffStage stage(on_unix_socket(directory));
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(traffic.has_waiting(stage));
    park_under(stage, traffic);
    traffic.slow(false);
    expect_taken_over(stage, traffic);
  }
}

TEST(UnixClients, AKillKeepsThoseWithoutASendUnderWay) {
  const TempDir directory;
  HandoffStage stage(on_unix_socket(directory));
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  ASSERT_TRUE(traffic.exact());
  // An answer says that the turn is over in which the last of it was sent: what has arrived may not
  // have been recorded yet.
  EXPECT_EQ(stage.metrics().value("sluice_gateway_client_queue_bytes"), 0);
  stage.gateway().kill();
  expect_taken_over(stage, traffic);
}

TEST(UnixClients, AKillInASendClosesWhomItWasFor) {
  const TempDir directory;
  HandoffStage stage(on_unix_socket(directory));
  stage.start({{"SLUICE_FAULT_POINT", "send.sent:200"}});
  WsClient idle = WsClient::connect(stage.endpoint(), "/channel/idle");
  HandoffTraffic traffic(stage);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  stage.start();
  EXPECT_TRUE(traffic.run_until([&] { return traffic.closed() > 0; }));
  EXPECT_TRUE(traffic.exact(kUnderWay));
  idle.send_text("still here");
  EXPECT_EQ(idle.text(), "still here");
}

// ---- a state that can't be read

/// Writes another version into the memory that the keeper holds.
void make_foreign(const Process& keeper) {
  const std::string directory = "/proc/" + std::to_string(keeper.pid()) + "/fd";
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (std::filesystem::read_symlink(entry.path()).string().rfind("/memfd:", 0) != 0) continue;
    const UniqueFd memory(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC));
    const std::uint32_t version = keeper::kStateVersion + 1;
    ASSERT_EQ(
        ::pwrite(memory.get(), &version, sizeof version, offsetof(keeper::StateHeader, version)),
        static_cast<ssize_t>(sizeof version));
    ++found;
  }
  ASSERT_EQ(found, 1);
}

TEST(ForeignState, OfAnotherVersionItIsSaidAndItsClientsAreClosed) {
  HandoffStage stage;
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  stage.gateway().kill();
  make_foreign(stage.keeper());
  stage.start();
  stage.gateway().wait_line("can't be used: .*; its " + std::to_string(HandoffTraffic::clients()) +
                            " clients are closed");
  EXPECT_TRUE(traffic.run_until([&] { return traffic.closed() == HandoffTraffic::clients(); }))
      << traffic.endings();
  // The keeper can't read it either: nobody knows where a frame would end.
  for (std::size_t i = 0; i < 2 * HandoffTraffic::kListeners; ++i)
    EXPECT_EQ(traffic.down().client(i).close_code, 0) << i;
  // The next clients are served.
  WsClient fresh = WsClient::connect(stage.endpoint());
  stage.gateway().wait_line("subscribed to livechat$");
  fresh.send_text("served");
  EXPECT_EQ(fresh.text(), "served");
}

// ---- keepers come and go

TEST(KeeperLoss, ANewOneIsToldEverything) {
  HandoffStage stage;
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  stage.keeper().kill();
  stage.gateway().wait_line("the keeper is lost");
  ASSERT_TRUE(traffic.goes_on());
  // Away: a planned handoff is refused, and nothing else happens.
  stage.gateway().signal(SIGUSR2);
  stage.gateway().wait_line("SIGUSR2: clients can't be handed over, the keeper is away");
  ASSERT_TRUE(traffic.goes_on());
  WsClient unheld = WsClient::connect(stage.endpoint(), "/channel/other");
  stage.start_keeper();
  stage.gateway().wait_line("a keeper holds this gateway's clients: 10");
  park_under(stage, traffic);
  expect_taken_over(stage, traffic);
  kill_under(stage, traffic);
  expect_survived(stage, traffic);
  unheld.send_text("still here");
  EXPECT_EQ(unheld.text(), "still here");
}

TEST(KeeperLoss, AGatewayServesBeforeItsKeeperIsThere) {
  HandoffStage::Settings settings;
  settings.keeper = false;
  HandoffStage stage(std::move(settings));
  stage.start();
  stage.gateway().wait_line("serving without, until there is one");
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  stage.start_keeper();
  stage.gateway().wait_line("a keeper holds this gateway's clients: 9");
  park_under(stage, traffic);
  expect_taken_over(stage, traffic);
}

TEST(KeeperLoss, WithGatewayAndKeeperGoneClientsSeeTheirEnd) {
  HandoffStage stage;
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  stage.gateway().kill();
  stage.keeper().kill();
  EXPECT_TRUE(traffic.run_until([&] { return traffic.closed() == HandoffTraffic::clients(); }));
  stage.start_keeper();
  stage.start();
  WsClient fresh = WsClient::connect(stage.endpoint());
}

TEST(KeeperUpgrade, HoldsOnUnderAGatewayThatServes) {
  HandoffStage stage;
  stage.start();
  HandoffTraffic traffic(stage);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(traffic.goes_on());
    const std::size_t mark = stage.keeper().mark();
    stage.keeper().signal(SIGUSR2);
    stage.keeper().wait_line("resumed after an upgrade: 9 clients, 2 listeners held", 10s, mark);
    ASSERT_TRUE(traffic.goes_on());
    EXPECT_TRUE(stage.gateway().lines("the keeper is lost").empty());
    park_under(stage, traffic);
    expect_taken_over(stage, traffic);
  }
  kill_under(stage, traffic);
  stage.keeper().signal(SIGUSR2);
  expect_survived(stage, traffic);
}

/// Connections to a Unix socket that its listener has, accepted or not, and the listener itself.
std::ptrdiff_t sockets_at(const std::string& path) {
  std::ifstream table("/proc/net/unix");
  std::ptrdiff_t count = 0;
  for (std::string line; std::getline(table, line);) count += line.ends_with(" " + path) ? 1 : 0;
  return count;
}

TEST(KeeperUpgrade, WhoAsksMeanwhileAsksAgain) {
  HandoffStage stage;
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  stage.keeper().signal(SIGSTOP);
  kill_under(stage, traffic);
  const std::ptrdiff_t before = sockets_at(stage.keeper_path());
  stage.spawn();
  ASSERT_TRUE(traffic.run_until([&] { return sockets_at(stage.keeper_path()) == before + 1; }));
  // Its connection is accepted, if at all, by the program that ends.
  stage.keeper().signal(SIGUSR2);
  stage.keeper().signal(SIGCONT);
  ASSERT_TRUE(traffic.goes_on());
  stage.wait_serving();
  EXPECT_TRUE(traffic.exact(kUnderWay));
  EXPECT_LE(traffic.closed(), 1U) << traffic.endings();
}

// ---- the program

class UpgradeInPlace : public ::testing::Test {
 protected:
  explicit UpgradeInPlace(Args gateway_args = {}) : program_(directory_.file("gateway")) {
    std::filesystem::create_symlink(gateway_program(), program_);
    HandoffStage::Settings settings;
    settings.gateway_args = std::move(gateway_args);
    settings.program = program_;
    stage_ = std::make_unique<HandoffStage>(std::move(settings));
    stage_->start();
    traffic_ = std::make_unique<HandoffTraffic>(*stage_);
  }
  void replace_program(const std::string& by) {
    std::filesystem::remove(program_);
    std::filesystem::create_symlink(by, program_);
  }
  std::string script(const std::string& name, const std::string& text) {
    const std::string path = directory_.write(name, "#!/bin/sh\n" + text);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  std::unique_ptr<Process> ask_for_upgrade() {
    SpawnOptions options;
    options.args = {tool_program(), "upgrade", "1111", "--relay", stage_->relay().address()};
    return std::make_unique<Process>(std::move(options));
  }
  /// `sluice upgrade`, to its end.
  Finished upgrade() {
    const auto asking = ask_for_upgrade();
    Process& tool = *asking;
    EXPECT_TRUE(traffic_->run_until([&] { return !tool.running(); }, 30s));
    const ExitStatus status = tool.wait_exit();
    return {status, tool.output()};
  }

  TempDir directory_;
  std::string program_;
  std::unique_ptr<HandoffStage> stage_;
  std::unique_ptr<HandoffTraffic> traffic_;
};

TEST_F(UpgradeInPlace, TheProcessStaysAndSoDoItsClients) {
  ASSERT_TRUE(traffic_->goes_on());
  // Its own, and its clients': no admin request is open any more.
  ASSERT_TRUE(eventually(
      5s, [&] { return sockets_of(stage_->gateway()) == 4 + HandoffTraffic::clients(); }));
  const std::size_t descriptors = stage_->gateway().fd_count();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(traffic_->goes_on());
    const std::size_t mark = stage_->gateway().mark();
    const Finished finished = upgrade();
    EXPECT_EQ(finished.status.code, 0) << finished.output;
    EXPECT_TRUE(stage_->gateway().running());
    stage_->gateway().wait_line("took over from a gateway that parked: 9 clients", 10s, mark);
    ASSERT_TRUE(traffic_->goes_on());
    EXPECT_TRUE(traffic_->exact());
    EXPECT_EQ(traffic_->closed(), 0U) << traffic_->endings();
    EXPECT_TRUE(eventually(5s, [&] { return stage_->gateway().fd_count() == descriptors; }))
        << stage_->gateway().fd_count() << " descriptors, before " << descriptors;
  }
}

/// libcurl has descriptors of its own, which it does not close when another program begins.
class UpgradeWithHooks : public UpgradeInPlace {
 protected:
  UpgradeWithHooks() : UpgradeInPlace({"--hook-rpc", "http://127.0.0.1:9/"}) {}
};

TEST_F(UpgradeWithHooks, NoDescriptorOfTheirsIsLeftBehind) {
  ASSERT_TRUE(traffic_->goes_on());
  // Its own, libcurl's pair, and its clients': no admin request is open any more.
  ASSERT_TRUE(eventually(
      5s, [&] { return sockets_of(stage_->gateway()) == 6 + HandoffTraffic::clients(); }));
  const std::size_t before = stage_->gateway().fd_count();
  for (int i = 0; i < 2; ++i) {
    const std::size_t mark = stage_->gateway().mark();
    EXPECT_EQ(upgrade().status.code, 0);
    stage_->gateway().wait_line("took over from a gateway that parked: 9 clients", 10s, mark);
    ASSERT_TRUE(traffic_->goes_on());
  }
  EXPECT_TRUE(eventually(5s, [&] { return stage_->gateway().fd_count() == before; }))
      << stage_->gateway().fd_count() << " descriptors, before " << before;
}

TEST_F(UpgradeInPlace, ABrokenProgramIsRefusedAndTheOldOneGoesOn) {
  for (const std::string& broken :
       {std::string("/bin/false"), script("kills-itself", "kill -9 $$\n"),
        directory_.write("no-program", "nothing"), directory_.file("absent")}) {
    ASSERT_TRUE(traffic_->goes_on());
    replace_program(broken);
    const std::size_t mark = stage_->gateway().mark();
    const auto tool = ask_for_upgrade();
    stage_->gateway().wait_line("not upgraded: ", 10s, mark);
    ASSERT_TRUE(traffic_->goes_on());
  }
  // And once there is a good one it is taken.
  replace_program(gateway_program());
  EXPECT_EQ(upgrade().status.code, 0);
  ASSERT_TRUE(traffic_->goes_on());
  EXPECT_TRUE(traffic_->exact());
  EXPECT_EQ(traffic_->closed(), 0U) << traffic_->endings();
}

/// It said that all is well and can't serve: what was handed over waits for one that can.
TEST_F(UpgradeInPlace, AProgramThatLiesCostsNoClient) {
  ASSERT_TRUE(traffic_->goes_on());
  replace_program(script("liar", "case \"$*\" in *--check*) exit 0 ;; esac\nexit 3\n"));
  const auto tool = ask_for_upgrade();
  EXPECT_TRUE(traffic_->run_until([&] { return !stage_->gateway().running(); }));
  EXPECT_EQ(stage_->gateway().wait_exit().code, 3);
  replace_program(gateway_program());
  expect_taken_over(*stage_, *traffic_);
}

// ---- the end

TEST(Ending, SigtermHandsOverWhereItIsToldTo) {
  HandoffStage stage(with({"--on-sigterm", "handoff"}));
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  park_under(stage, traffic, SIGTERM);
  expect_taken_over(stage, traffic);
}

bool refuses(const Endpoint& to) {
  try {
    (void)Socket::connect(to, 1s);
    return false;
  } catch (const HarnessError&) {
    return true;
  }
}

TEST(Ending, ADrainLeavesNothingHeld) {
  HandoffStage stage(with({"--drain-delay", "0s"}));
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  stage.gateway().signal(SIGTERM);
  EXPECT_TRUE(traffic.run_until([&] { return !stage.gateway().running(); }));
  EXPECT_EQ(stage.gateway().wait_exit().code, 0);
  EXPECT_EQ(traffic.closed(), HandoffTraffic::clients());
  for (std::size_t i = 0; i < 2 * HandoffTraffic::kListeners; ++i)
    EXPECT_EQ(traffic.down().client(i).close_code, 1001) << i;
  stage.keeper().wait_line("has ended and left nothing");
  EXPECT_TRUE(refuses(stage.endpoint()));
  EXPECT_TRUE(refuses(stage.admin()));
  EXPECT_EQ(stage.keeper_sockets(), 1U) << "its own listener";
}

TEST(Ending, AtASecondSignalWhoIsLeftIsToldAtOnce) {
  HandoffStage stage(
      with({"--drain-delay", "1m", "--drain-timeout", "2m", "--handoff-wait", "1m"}));
  stage.start();
  HandoffTraffic traffic(stage);
  ASSERT_TRUE(traffic.goes_on());
  Socket begun = Socket::connect(stage.endpoint());
  begun.send_all(upgrade_bytes({}).substr(0, 40));
  wait_pending(stage, 1);
  stage.gateway().signal(SIGTERM);
  stage.gateway().wait_line("SIGTERM: draining 9 clients");
  stage.gateway().signal(SIGTERM);
  EXPECT_TRUE(traffic.run_until([&] { return traffic.closed() == HandoffTraffic::clients(); }))
      << traffic.endings();
  for (std::size_t i = 0; i < 2 * HandoffTraffic::kListeners; ++i)
    EXPECT_EQ(traffic.down().client(i).close_code, 1012) << i;
  EXPECT_EQ(stage.gateway().wait_exit().code, 0);
  EXPECT_NE(begun.read_some(5s).end, ReadEnd::kTimeout);
  EXPECT_TRUE(refuses(stage.endpoint()));
  EXPECT_TRUE(refuses(stage.admin()));
  EXPECT_TRUE(eventually(5s, [&] { return stage.keeper_sockets() == 1; }))
      << stage.keeper_sockets();
}

// ---- what else a successor may do differently

TEST(Listeners, OneThatIsNotWantedCloses) {
  HandoffStage stage;
  const std::string extra = "unix:" + stage.directory().file("extra.sock");
  stage.start({}, {"--listen", extra});
  WsClient client = WsClient::connect(Endpoint::parse(extra));
  stage.gateway().signal(SIGUSR2);
  EXPECT_EQ(stage.gateway().wait_exit().code, 0);
  stage.start();
  EXPECT_TRUE(eventually(5s, [&] { return refuses(Endpoint::parse(extra)); }));
  stage.gateway().wait_line("subscribed to livechat$");
  client.send_text("one");
  EXPECT_EQ(client.text(), "one") << "its client stays";
  stage.gateway().signal(SIGUSR2);
  EXPECT_EQ(stage.gateway().wait_exit().code, 0);
  const Endpoint before = stage.endpoint();
  stage.start({}, {"--listen", extra});
  WsClient again = WsClient::connect(Endpoint::parse(extra));
  EXPECT_EQ(stage.endpoint().port, before.port);
  again.send_text("two");
  EXPECT_EQ(client.text(), "two");
}

}  // namespace
}  // namespace sluice::test
