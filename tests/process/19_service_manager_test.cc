// What the daemons tell the service manager (systemd's Type=notify), heard on a socket in its
// place: ready when they are, not when they start; what they do; a watchdog that a stopped loop
// starves.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

/// systemd's end of NOTIFY_SOCKET.
class ManagerSocket {
 public:
  explicit ManagerSocket(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw HarnessError("bind " + path_ + ": " + std::strerror(errno));
  }
  [[nodiscard]] std::map<std::string, std::string> environment() const {
    return {{"NOTIFY_SOCKET", path_}, {"WATCHDOG_USEC", "400000"}};
  }
  /// A message that begins so has come by the deadline.
  bool hears(const std::string& beginning, Millis wait = 20s) {
    return eventually(wait, [&] { return count(beginning) > 0; });
  }
  [[nodiscard]] std::size_t count(const std::string& beginning) {
    std::array<char, 1024> buffer;
    for (ssize_t n; (n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0)) > 0;)
      heard_.emplace_back(buffer.data(), static_cast<std::size_t>(n));
    return static_cast<std::size_t>(
        std::count_if(heard_.begin(), heard_.end(), [&](const std::string& message) {
          return message.compare(0, beginning.size(), beginning) == 0;
        }));
  }
  void forget() {
    (void)count("");
    heard_.clear();
  }

 private:
  std::string path_;
  UniqueFd fd_;
  std::vector<std::string> heard_;
};

class ServiceManagerTest : public ::testing::Test {
 protected:
  void start_gateway(Args args = {}) {
    GatewaySettings settings;
    settings.relay = "unix:" + directory_.file("relay.sock");
    settings.args = std::move(args);
    settings.env = manager_.environment();
    settings.wait_ready = false;
    gateway_ = std::make_unique<Gateway>(settings);
  }

  TempDir directory_;
  ManagerSocket manager_{directory_.file("notify")};
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(ServiceManagerTest, GatewayIsReadyWhenItHasItsRelay) {
  start_gateway();
  ASSERT_TRUE(manager_.hears("STATUS=starting: waiting for the relay; 0 clients"));
  ASSERT_TRUE(manager_.hears("WATCHDOG=1"));
  EXPECT_EQ(manager_.count("READY=1"), 0U);
  const Relay relay(directory_);
  ASSERT_TRUE(manager_.hears("READY=1"));
  ASSERT_TRUE(manager_.hears("STATUS=ready; 0 clients"));
  WsClient client = WsClient::connect(gateway_->endpoint());
  EXPECT_TRUE(manager_.hears("STATUS=ready; 1 clients"));
}

TEST_F(ServiceManagerTest, GatewayThatRequiresNoRelayIsReadyAtOnce) {
  start_gateway({"--ready-requires", "none"});
  EXPECT_TRUE(manager_.hears("READY=1"));
  EXPECT_TRUE(manager_.hears("STATUS=degraded: the relay is away; 0 clients"));
}

TEST_F(ServiceManagerTest, RelayComesAndGoesReadyIsSaidOnce) {
  start_gateway();
  Relay relay(directory_);
  ASSERT_TRUE(manager_.hears("READY=1"));
  relay.kill();
  ASSERT_TRUE(manager_.hears("STATUS=degraded: the relay is away"));
  relay.start();
  manager_.forget();
  ASSERT_TRUE(manager_.hears("STATUS=ready"));
  EXPECT_EQ(manager_.count("READY=1"), 0U);
}

TEST_F(ServiceManagerTest, DrainIsTold) {
  start_gateway({"--drain-delay", "500ms"});
  const Relay relay(directory_);
  ASSERT_TRUE(manager_.hears("READY=1"));
  gateway_->process().signal(SIGTERM);
  EXPECT_TRUE(manager_.hears("STOPPING=1"));
  EXPECT_TRUE(manager_.hears("STATUS=draining; 0 clients"));
  EXPECT_EQ(gateway_->process().wait_exit().code, 0);
}

TEST_F(ServiceManagerTest, StoppedLoopStarvesTheWatchdog) {
  start_gateway();
  ASSERT_TRUE(manager_.hears("WATCHDOG=1"));
  gateway_->process().signal(SIGSTOP);
  // What was on its way has come; from then on there is nothing.
  ASSERT_TRUE(eventually(20s, [&] {
    manager_.forget();
    observe_for(1s);
    return manager_.count("WATCHDOG=1") == 0;
  }));
  gateway_->process().signal(SIGCONT);
  EXPECT_TRUE(manager_.hears("WATCHDOG=1"));
}

TEST_F(ServiceManagerTest, Relay) {
  SpawnOptions options;
  options.args = {relay_program(), "--listen", "unix:" + directory_.file("relay.sock"), "--broker",
                  "redis+unix://" + directory_.file("no-redis.sock")};
  options.env = manager_.environment();
  Process relay(std::move(options));
  // It serves its gateways, broker or not.
  ASSERT_TRUE(manager_.hears("READY=1"));
  ASSERT_TRUE(manager_.hears("STATUS=broker away: "));
  ASSERT_TRUE(manager_.hears("WATCHDOG=1"));
  relay.signal(SIGTERM);
  EXPECT_TRUE(manager_.hears("STOPPING=1"));
  EXPECT_EQ(relay.wait_exit().code, 0);
}

TEST_F(ServiceManagerTest, Keeper) {
  SpawnOptions options;
  options.args = {keeper_program(), "--id", "1111", "--listen",
                  "unix:" + directory_.file("keeper.sock")};
  options.env = manager_.environment();
  Process keeper(std::move(options));
  ASSERT_TRUE(manager_.hears("READY=1"));
  ASSERT_TRUE(manager_.hears("STATUS=no gateway; holding 0 clients"));
  ASSERT_TRUE(manager_.hears("WATCHDOG=1"));
  keeper.signal(SIGUSR2);
  keeper.wait_line("resumed after an upgrade");
  manager_.forget();
  ASSERT_TRUE(manager_.hears("WATCHDOG=1"));
  keeper.signal(SIGTERM);
  EXPECT_TRUE(manager_.hears("STOPPING=1"));
  EXPECT_EQ(keeper.wait_exit().code, 0);
}

}  // namespace
}  // namespace sluice::test
