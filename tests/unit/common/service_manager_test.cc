// What the service manager hears, read from a socket of our own in its place.
#include "common/service_manager.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace sluice {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ServiceManagerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/slu-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    listen(directory_ + "/notify");
  }
  void TearDown() override {
    for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
      ::unsetenv(variable);
    std::filesystem::remove_all(directory_);
  }

  /// As systemd writes it: '@' stands for the zero of an abstract name.
  void listen(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const bool abstract = path[0] == '@';
    if (abstract) address.sun_path[0] = '\0';
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const auto size = offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1);
    ASSERT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(size)),
              0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  /// Everything that has come.
  std::vector<std::string> heard() {
    std::vector<std::string> messages;
    std::array<char, 2048> buffer;
    for (;;) {
      const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (n < 0) return messages;
      messages.emplace_back(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  void tick(ServiceManager& manager, Duration later = milliseconds(50)) {
    now_ += later;
    manager.tick(now_, [this] { return status_; });
  }

  using Messages = std::vector<std::string>;
  std::string directory_;
  UniqueFd socket_;
  TimePoint now_{seconds(1000)};
  std::string status_ = "starting";
};

TEST_F(ServiceManagerTest, TellsReadyOnceAndStatusWhenItChanges) {
  ServiceManager manager;
  ASSERT_TRUE(manager.present());
  tick(manager);
  EXPECT_EQ(heard(), (Messages{"STATUS=starting\n"}));
  manager.ready();
  manager.ready();
  EXPECT_EQ(heard(), (Messages{"READY=1\n"}));
  status_ = "ready; 3 clients";
  tick(manager);
  EXPECT_EQ(heard(), (Messages{"STATUS=ready; 3 clients\n"}));
  tick(manager, seconds(60));
  EXPECT_EQ(heard(), Messages{});
  manager.stopping();
  status_ = "draining";
  tick(manager);
  EXPECT_EQ(heard(), (Messages{"STOPPING=1\n", "STATUS=draining\n"}));
}

TEST_F(ServiceManagerTest, StatusThatMovesIsToldNowAndThen) {
  ServiceManager manager;
  std::size_t told = 0;
  for (int i = 0; i < 1200; ++i) {  // a minute of ticks
    status_ = std::to_string(i) + " clients";
    tick(manager);
    told += heard().size();
  }
  EXPECT_GE(told, 10U);
  EXPECT_LE(told, 13U);
  manager.status_changed();
  status_ = "not ready";
  tick(manager);
  EXPECT_EQ(heard(), (Messages{"STATUS=not ready\n"}));
}

TEST_F(ServiceManagerTest, PingsTheWatchdogTwicePerInterval) {
  ::setenv("WATCHDOG_USEC", "10000000", 1);
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  ServiceManager manager;
  EXPECT_EQ(manager.watchdog_interval(), seconds(10));
  std::size_t pings = 0;
  for (int i = 0; i < 1200; ++i) {
    tick(manager);
    for (const std::string& message : heard())
      if (message == "WATCHDOG=1\n") ++pings;
  }
  EXPECT_GE(pings, 11U);
  EXPECT_LE(pings, 13U);
}

TEST_F(ServiceManagerTest, NoWatchdogUnlessItIsOurs) {
  const auto interval = [](const char* micros, const std::string& pid) {
    ::setenv("WATCHDOG_USEC", micros, 1);
    ::setenv("WATCHDOG_PID", pid.c_str(), 1);
    return ServiceManager().watchdog_interval();
  };
  const std::string us = std::to_string(::getpid());
  EXPECT_EQ(interval("10000000", std::to_string(::getpid() + 1)), Duration::zero());
  EXPECT_EQ(interval("0", us), Duration::zero());
  EXPECT_EQ(interval("10s", us), Duration::zero());
  EXPECT_EQ(interval("99999999999999999999", us), Duration::zero());
  EXPECT_EQ(interval("5000", us), milliseconds(5));
}

TEST_F(ServiceManagerTest, NobodyThere) {
  for (const char* path : {"", "relative", "/", "@"}) {
    ::setenv("NOTIFY_SOCKET", path, 1);
    EXPECT_FALSE(ServiceManager().present()) << path;
  }
  ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
  EXPECT_FALSE(ServiceManager().present());
  ::unsetenv("NOTIFY_SOCKET");
  ::setenv("WATCHDOG_USEC", "10000000", 1);
  ServiceManager manager;
  EXPECT_FALSE(manager.present());
  EXPECT_EQ(manager.watchdog_interval(), Duration::zero());
  manager.ready();
  tick(manager);
  manager.stopping();
  EXPECT_EQ(heard(), Messages{});
}

TEST_F(ServiceManagerTest, AbstractSocket) {
  listen("@sluice-test-" + std::to_string(::getpid()));
  ServiceManager manager;
  manager.ready();
  EXPECT_EQ(heard(), (Messages{"READY=1\n"}));
}

TEST_F(ServiceManagerTest, ManagerThatDoesNotReadHoldsNothingUp) {
  ::setenv("WATCHDOG_USEC", "1000", 1);
  ::unsetenv("WATCHDOG_PID");
  ServiceManager manager;
  for (int i = 0; i < 5000; ++i) tick(manager);  // returns: no queue is that long
  status_ = "ready";
  manager.ready();
  Messages before = heard();
  EXPECT_LT(before.size(), 5000U);
  for (const std::string& message : before) EXPECT_NE(message, "READY=1\n");
  // Dropped for want of room, told as soon as there is some.
  tick(manager);
  const Messages after = heard();
  ASSERT_GE(after.size(), 2U);
  EXPECT_EQ(after[0], "READY=1\n");
  EXPECT_EQ(after[1], "STATUS=ready\n");
}

TEST_F(ServiceManagerTest, StatusIsOneLineOfBoundedLength) {
  ServiceManager manager;
  status_ = "reason\nREADY=1\n" + std::string(1000, 'x');
  tick(manager);
  const Messages messages = heard();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].substr(0, 23), "STATUS=reason READY=1 x");
  EXPECT_EQ(messages[0].size(), kStatusBytesMax + 8);
}

}  // namespace
}  // namespace sluice
