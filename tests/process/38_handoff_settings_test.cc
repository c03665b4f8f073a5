// Handoffs in which something has changed: the gateway's bounds, the keeper, the state itself; and
// ends that nobody is to follow.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "common/unique_fd.h"
#include "keeper/shared_state.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

constexpr Millis kWait = 60s;
/// IANA: Service Restart.
constexpr int kServiceRestart = 1012;

class HandoffSettings : public testing::Test {
 protected:
  HandoffSettings() : relay_(directory_) { start_keeper(); }

  void start_keeper() {
    SpawnOptions options;
    options.args = {keeper_program(), "--id", "1111", "--listen", keeper_address()};
    keeper_ = std::make_unique<Process>(std::move(options));
    keeper_->wait_line("listening on unix:", kWait);
  }
  void start(const Args& more = {}) {
    SpawnOptions options;
    options.args = {gateway_program(), "--id",           "1111",     "--listen",      "127.0.0.1:0",
                    "--relay",         relay_.address(), "--keeper", keeper_address()};
    options.args.insert(options.args.end(), more.begin(), more.end());
    gateway_ = std::make_unique<Process>(std::move(options));
    endpoint_ = Endpoint::parse(gateway_->wait_line("listening on ([0-9.]+:[0-9]+)", kWait)[1]);
    gateway_->wait_line("relay link up", kWait);
  }
  void park() {
    gateway_->signal(SIGUSR2);
    gateway_->wait_exit(kWait);
  }
  void crash() {
    gateway_->signal(SIGKILL);
    gateway_->wait_exit(kWait);
  }
  void expect_echo(WsClient& client, const std::string& text) {
    client.send_text(text);
    EXPECT_EQ(client.text(kWait), text);
  }
  [[nodiscard]] std::string keeper_address() const {
    return "unix:" + directory_.file("keeper.sock");
  }

  TempDir directory_;
  Relay relay_;
  std::unique_ptr<Process> keeper_;
  std::unique_ptr<Process> gateway_;
  Endpoint endpoint_;
};

TEST_F(HandoffSettings, ClientsStayWhateverTheBoundsBecome) {
  start({"--max-connections", "100", "--handoff-memory", "8MiB"});
  std::vector<WsClient> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(WsClient::connect(endpoint_));
  const auto go_on = [&](const std::string& text) {
    gateway_->wait_line("took over from a gateway that .*: 20 clients", kWait);
    clients.back().send_text(text);
    for (WsClient& client : clients) EXPECT_EQ(client.text(kWait), text);
  };
  park();
  start({"--max-connections", "300", "--handoff-memory", "32MiB"});
  go_on("more of both");
  crash();
  start({"--max-connections", "400", "--handoff-memory", "32MiB"});
  go_on("more clients, unplanned");
  park();
  start({"--max-connections", "5", "--handoff-memory", "4MiB"});
  go_on("fewer than there are");
  EXPECT_EQ(WsClient::dial(endpoint_).response().status, 503);
  crash();
  start();
  go_on("as it is by default");
}

TEST_F(HandoffSettings, ASecondSigtermTellsTheClients) {
  start();
  WsClient client = WsClient::connect(endpoint_);
  expect_echo(client, "one");
  gateway_->signal(SIGTERM);
  gateway_->wait_line("draining 1 clients", kWait);
  gateway_->signal(SIGTERM);
  keeper_->wait_line("releasing 1 clients, .*nobody is to follow", kWait);
  EXPECT_EQ(client.wait_close(kWait).code, kServiceRestart);
  EXPECT_EQ(gateway_->wait_exit(kWait).code, 0);
}

TEST_F(HandoffSettings, AKeeperThatIsReplacedHoldsTheClientsAgain) {
  start();
  WsClient client = WsClient::connect(endpoint_);
  expect_echo(client, "before");
  keeper_->signal(SIGKILL);
  keeper_->wait_exit(kWait);
  gateway_->wait_line("the keeper is lost", kWait);
  expect_echo(client, "without");
  start_keeper();
  gateway_->wait_line("a keeper holds this gateway's clients: 1", kWait);
  crash();
  start();
  expect_echo(client, "after");
}

/// Its answer must not reach the client's socket, and what it waits for may never come.
TEST_F(HandoffSettings, OneThatWaitsForItsTurnEndsWhenItIsTold) {
  start();
  WsClient client = WsClient::connect(endpoint_);
  for (const int number : {SIGTERM, SIGUSR2}) {
    SpawnOptions options;
    options.args = {gateway_program(), "--id",           "1111",     "--listen",      "127.0.0.1:0",
                    "--relay",         relay_.address(), "--keeper", keeper_address()};
    Process second(std::move(options));
    second.wait_line("waiting for the end of process " + std::to_string(gateway_->pid()), kWait);
    second.signal(number);
    EXPECT_EQ(second.wait_exit(kWait).code, 0);
  }
  expect_echo(client, "undisturbed");
}

TEST_F(HandoffSettings, AStateThatContradictsItselfIsReleased) {
  start();
  WsClient one = WsClient::connect(endpoint_);
  WsClient other = WsClient::connect(endpoint_);
  expect_echo(one, "before");
  EXPECT_EQ(other.text(kWait), "before");
  crash();
  // Two clients with one session record.
  int memory = -1;
  const std::string table = "/proc/" + std::to_string(keeper_->pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(table)) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry, gone).string().find("sluice-state") !=
        std::string::npos)
      memory = ::open(entry.path().c_str(), O_RDWR | O_CLOEXEC);
  }
  const UniqueFd state(memory);
  ASSERT_TRUE(state.valid());
  keeper::StateHeader header;
  ASSERT_EQ(::pread(state.get(), &header, sizeof header, 0), ssize_t{sizeof header});
  keeper::Slot slots[2];
  const auto at = static_cast<off_t>(header.slots_at);
  ASSERT_EQ(::pread(state.get(), slots, sizeof slots, at), ssize_t{sizeof slots});
  slots[1].session = slots[0].session;
  ASSERT_EQ(::pwrite(state.get(), slots, sizeof slots, at), ssize_t{sizeof slots});
  start();
  gateway_->wait_line("can't be used: block [0-9]+ lies in another; its 2 clients are closed",
                      kWait);
  EXPECT_EQ(one.wait_close(kWait).code, kServiceRestart);
  EXPECT_EQ(other.wait_close(kWait).code, kServiceRestart);
  // And it serves, and can be followed.
  WsClient third = WsClient::connect(endpoint_);
  expect_echo(third, "afresh");
  park();
  start();
  expect_echo(third, "again");
}

}  // namespace
}  // namespace sluice::test
