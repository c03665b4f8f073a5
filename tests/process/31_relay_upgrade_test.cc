// The relay becomes another program in the same process, under load: no link and no message is
// lost, Redis does not notice. What can't follow does not.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

/// "id=7" of a line of CLIENT LIST.
std::string word(const std::string& line, const std::string& name) {
  std::istringstream words(line);
  for (std::string one; words >> one;) {
    if (one.rfind(name + "=", 0) == 0) return one;
  }
  return {};
}

class RelayUpgrade : public ::testing::Test {
 protected:
  void start(std::size_t gateways, bool with_redis, Args relay_args = {}, Args gateway_args = {}) {
    // A name of its own, so that a test can put another file there.
    program_ = programs_.file("sluice-relay");
    std::filesystem::create_symlink(relay_program(), program_);
    Stack::Settings settings;
    settings.gateways = gateways;
    settings.relay_args = std::move(relay_args);
    settings.gateway_args = std::move(gateway_args);
    settings.relay_program = program_;
    if (with_redis) {
      redis_ = std::make_unique<RedisServer>(redis_directory_);
      settings.relay_args.insert(settings.relay_args.end(), {"--broker", redis_->url()});
    }
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  void connect_each(std::size_t count) {
    for (std::size_t i = 0; i < stack_->size(); ++i) {
      swarm_.connect(stack_->gateway(i).endpoint(), count);
      stack_->gateway(i).wait_subscribed();
    }
  }
  void install(const std::string& script) {
    std::filesystem::remove(program_);
    programs_.write("sluice-relay", script);
    ::chmod(program_.c_str(), 0755);
  }
  Process& relay() { return stack_->relay().process(); }
  double upgrades(const std::string& outcome) {
    return stack_->relay().metrics().value("sluice_relay_upgrades_total",
                                           "outcome=\"" + outcome + "\"");
  }
  /// Asks, and serves clients until it has happened.
  void upgrade() {
    const std::size_t mark = relay().mark();
    relay().signal(SIGUSR2);
    ASSERT_TRUE(swarm_.run_until(20s, [&] { return !relay().lines("upgraded:", mark).empty(); }));
  }
  /// Of the relay's connection that subscribes.
  std::string subscriber() {
    for (const std::string& line : redis_->clients()) {
      if (word(line, "name") == "name=sluice-relay-sub") return line;
    }
    return {};
  }
  double publishes(const std::string& outcome) {
    double sum = 0;
    for (std::size_t i = 0; i < stack_->size(); ++i)
      sum += stack_->gateway(i).metrics().value("sluice_gateway_publishes_total", outcome);
    return sum;
  }
  void expect_no_link_lost() {
    for (std::size_t i = 0; i < stack_->size(); ++i) {
      const Metrics metrics = stack_->gateway(i).metrics();
      EXPECT_EQ(metrics.value("sluice_gateway_relay_losses_total"), 0);
      EXPECT_EQ(metrics.value("sluice_gateway_relay_connects_total"), 1);
      EXPECT_EQ(metrics.value("sluice_gateway_gap_events_total"), 0);
    }
    EXPECT_EQ(stack_->relay().metrics().value("sluice_relay_links_closed_total"), 0);
  }
  /// Clients 0 and `other` publish by turns while the relay is upgraded `times`; then all that was
  /// sent and is not of unknown fate has come to everybody.
  void run_under_load(int times, std::size_t other) {
    for (int i = 0; i < times; ++i) {
      const std::size_t mark = relay().mark();
      relay().signal(SIGUSR2);
      do {
        swarm_.run_paced(50, 1000us,
                         [&](std::size_t n) { swarm_.publish(n % 2 == 0 ? 0 : other); });
      } while (relay().lines("upgraded:", mark).empty());
    }
    const auto sent = static_cast<double>(swarm_.sent(0) + swarm_.sent(other));
    ASSERT_TRUE(swarm_.run_until(
        20s, [&] { return publishes("published") + publishes("unknown_fate") == sent; }))
        << publishes("published") << " + " << publishes("unknown_fate") << " of " << sent;
    const double unknown = publishes("unknown_fate");
    EXPECT_EQ(unknown,
              stack_->relay().metrics().value("sluice_relay_upgrade_publishes_unknown_fate_total"));
    EXPECT_TRUE(swarm_.run_until(10s, [&] {
      for (std::size_t i = 0; i < swarm_.size(); ++i) {
        if (static_cast<double>(swarm_.client(i).received) + unknown < sent) return false;
      }
      return true;
    }));
    EXPECT_EQ(upgrades("done"), times);
    EXPECT_EQ(swarm_.open_count(), swarm_.size());
    EXPECT_LE(static_cast<double>(swarm_.faults().missing),
              unknown * static_cast<double>(swarm_.size()));
    EXPECT_EQ(swarm_.faults().repeated, 0U);
    EXPECT_EQ(swarm_.faults().mistagged, 0U);
  }

  TempDir programs_;
  TempDir redis_directory_;
  std::string program_;
  std::unique_ptr<RedisServer> redis_;
  std::unique_ptr<Stack> stack_;
  WsSwarm swarm_;
};

TEST_F(RelayUpgrade, UnderLoadNobodyNotices) {
  start(2, true);
  connect_each(10);
  const pid_t pid = relay().pid();
  const std::string before = subscriber();
  const std::size_t descriptors = relay().fd_count();
  run_under_load(8, 10);
  expect_no_link_lost();
  EXPECT_EQ(relay().pid(), pid);
  EXPECT_TRUE(relay().running());
  ASSERT_FALSE(word(before, "id").empty());
  EXPECT_EQ(word(subscriber(), "id"), word(before, "id"));
  EXPECT_EQ(redis_->subscribers("livechat"), 1);
  EXPECT_EQ(redis_->clients().size(), 2U);
  EXPECT_TRUE(eventually(5s, [&] { return relay().fd_count() == descriptors; }))
      << relay().fd_count() << ", " << descriptors << " before";
  std::cout << "links were not read for "
            << stack_->relay().metrics().value("sluice_relay_upgrade_pause_seconds") << " s\n";
}

TEST_F(RelayUpgrade, WithTheEmbeddedBroker) {
  start(2, false);
  connect_each(5);
  run_under_load(5, 5);
  expect_no_link_lost();
  EXPECT_EQ(publishes("unknown_fate"), 0);
}

// Frames and payloads larger than a socket's buffer are cut somewhere in nearly every upgrade.
TEST_F(RelayUpgrade, LargeMessagesAreWhole) {
  start(2, true, {}, {"--max-message-size", "1MiB"});
  connect_each(1);
  std::uint64_t sent = 0;
  for (int i = 0; i < 5; ++i) {
    const std::size_t mark = relay().mark();
    for (int n = 0; n < 8; ++n, ++sent) swarm_.publish(0, 300'000);
    relay().signal(SIGUSR2);
    ASSERT_TRUE(swarm_.run_until(20s, [&] { return !relay().lines("upgraded:", mark).empty(); }));
  }
  ASSERT_TRUE(swarm_.run_until(20s, [&] {
    return publishes("published") + publishes("unknown_fate") == static_cast<double>(sent);
  }));
  const auto unknown = static_cast<std::uint64_t>(publishes("unknown_fate"));
  EXPECT_TRUE(swarm_.run_until(20s, [&] {
    return swarm_.client(0).received + unknown >= sent &&
           swarm_.client(1).received + unknown >= sent;
  }));
  EXPECT_EQ(swarm_.faults().repeated, 0U);
  expect_no_link_lost();
}

TEST_F(RelayUpgrade, AStoppedGatewaysQueueGoesAlong) {
  start(2, true);
  connect_each(2);
  stack_->gateway(1).process().signal(SIGSTOP);
  const std::uint64_t count = 4000;
  for (std::uint64_t i = 0; i < count; ++i) {
    swarm_.publish(0, 500);
    if (i % 100 == 0) swarm_.serve(1);
  }
  ASSERT_TRUE(swarm_.run_until(20s, [&] { return swarm_.all_received(0, 2, count); }));
  const double queued = stack_->relay().metrics().value("sluice_relay_gateway_queue_bytes");
  EXPECT_GT(queued, 0);
  upgrade();
  EXPECT_EQ(stack_->relay().metrics().value("sluice_relay_gateway_queue_bytes"), queued);
  upgrade();
  stack_->gateway(1).process().signal(SIGCONT);
  EXPECT_TRUE(swarm_.run_until(20s, [&] { return swarm_.all_received(0, 4, count); }));
  EXPECT_EQ(swarm_.faults(), SwarmFaults{});
  expect_no_link_lost();
}

TEST_F(RelayUpgrade, WhatIsCutFromAFullQueueIsToldExactly) {
  start(2, true, {"--gateway-queue-bytes", "64KiB"});
  connect_each(2);
  stack_->gateway(1).process().signal(SIGSTOP);
  std::uint64_t sent = 0;
  // In steps that fit the queue of the gateway that is not stopped, however slow it is.
  const auto publish = [&](int count) {
    for (int i = 1; i <= count; ++i) {
      swarm_.publish(0, 500);
      ++sent;
      if (i % 50 != 0 && i != count) continue;
      ASSERT_TRUE(swarm_.run_until(20s, [&] { return swarm_.all_received(0, 2, sent); }));
    }
  };
  publish(3000);
  upgrade();
  EXPECT_GT(stack_->relay().metrics().value("sluice_relay_overruns_total"), 0);
  publish(1000);
  upgrade();
  stack_->gateway(1).process().signal(SIGCONT);
  publish(10);
  const auto at_the_end = [&](std::size_t client) {
    const auto& last = swarm_.client(client).last;
    return !last.empty() && last[0] == sent;
  };
  ASSERT_TRUE(swarm_.run_until(20s, [&] { return at_the_end(2) && at_the_end(3); }));
  const std::uint64_t lost = sent - swarm_.client(2).received;
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(swarm_.client(3).received, sent - lost);
  EXPECT_EQ(stack_->gateway(1).metrics().value("sluice_gateway_gap_messages_total"),
            static_cast<double>(lost));
  EXPECT_EQ(swarm_.faults().repeated, 0U);
  EXPECT_EQ(stack_->gateway(1).metrics().value("sluice_gateway_relay_losses_total"), 0);
}

TEST_F(RelayUpgrade, ABrokenProgramIsRefused) {
  start(1, true);
  connect_each(2);
  install("#!/bin/sh\nexit 3\n");
  const std::size_t mark = relay().mark();
  relay().signal(SIGUSR2);
  relay().wait_line("upgrade refused, going on as before: .* --check ended with code 3", 10s, mark);
  EXPECT_EQ(upgrades("refused"), 1);
  std::filesystem::remove(program_);
  relay().signal(SIGUSR2);
  relay().wait_line("upgrade refused.*No such file", 10s, mark);
  EXPECT_EQ(upgrades("refused"), 2);
  swarm_.publish(0);
  EXPECT_TRUE(swarm_.run_until(5s, [&] { return swarm_.all_received(0, 2, 1); }));
  expect_no_link_lost();
}

TEST_F(RelayUpgrade, WhereTheExecFailsTheOldOneServesOn) {
  start(1, true);
  connect_each(2);
  // Stands its check, and is gone then.
  install("#!/bin/sh\nrm -- \"$0\"\n");
  const std::size_t descriptors = relay().fd_count();
  const std::size_t mark = relay().mark();
  relay().signal(SIGUSR2);
  relay().wait_line("upgrade failed, going on as before: .*No such file", 10s, mark);
  EXPECT_EQ(upgrades("failed"), 1);
  for (int i = 0; i < 3; ++i) swarm_.publish(0);
  EXPECT_TRUE(swarm_.run_until(5s, [&] { return swarm_.all_received(0, 2, 3); }));
  expect_no_link_lost();
  EXPECT_TRUE(eventually(5s, [&] { return relay().fd_count() == descriptors; }));
  // And the next one works.
  std::filesystem::create_symlink(relay_program(), program_);
  upgrade();
  swarm_.publish(0);
  EXPECT_TRUE(swarm_.run_until(5s, [&] { return swarm_.all_received(0, 2, 4); }));
  expect_no_link_lost();
}

TEST_F(RelayUpgrade, WhileRedisIsAwayNothingIsForgotten) {
  start(1, true, {}, {"--publish-wait", "30s"});
  connect_each(2);
  redis_->kill();
  relay().wait_line("broker away");
  swarm_.publish(0);  // waits
  ASSERT_TRUE(swarm_.run_until(
      5s, [&] { return stack_->relay().metrics().value("sluice_relay_publishes_held") == 1; }));
  upgrade();
  EXPECT_EQ(stack_->relay().metrics().value("sluice_relay_publishes_held"), 1);
  redis_->start();
  EXPECT_TRUE(swarm_.run_until(10s, [&] { return swarm_.all_received(0, 2, 1); }));
  // The time without a subscription is told, across the upgrade.
  EXPECT_TRUE(eventually(5s, [&] {
    return stack_->gateway().metrics().value("sluice_gateway_gap_events_total") == 1;
  }));
  EXPECT_EQ(stack_->gateway().metrics().value("sluice_gateway_relay_losses_total"), 0);
}

TEST_F(RelayUpgrade, WhatRedisDoesNotAnswerIsOfUnknownFate) {
  start(1, true);
  connect_each(1);
  const std::string before = subscriber();
  redis_->stop();
  for (int i = 0; i < 5; ++i) swarm_.publish(0);
  ASSERT_TRUE(swarm_.run_until(5s, [&] {
    return stack_->relay().metrics().value("sluice_relay_publishes_in_flight") == 5;
  }));
  upgrade();
  EXPECT_TRUE(swarm_.run_until(5s, [&] { return publishes("unknown_fate") == 5; }));
  EXPECT_EQ(stack_->relay().metrics().value("sluice_relay_upgrade_publishes_unknown_fate_total"),
            5);
  redis_->resume();
  EXPECT_TRUE(swarm_.run_until(10s, [&] { return swarm_.all_received(0, 1, 5); }));
  EXPECT_EQ(word(subscriber(), "id"), word(before, "id"));
  expect_no_link_lost();
}

TEST_F(RelayUpgrade, KillAfterAnUpgradeIsAKill) {
  start(1, true);
  connect_each(2);
  upgrade();
  stack_->relay().kill();
  stack_->relay().start();
  EXPECT_TRUE(eventually(10s, [&] {
    return stack_->gateway().metrics().value("sluice_gateway_gap_events_total") == 1;
  }));
  stack_->gateway().wait_ready();
  swarm_.publish(0);
  EXPECT_TRUE(swarm_.run_until(5s, [&] { return swarm_.all_received(0, 2, 1); }));
  EXPECT_EQ(swarm_.open_count(), 2U);
}

TEST_F(RelayUpgrade, SignalsThatComeTogetherAreOneOrMore) {
  start(1, false);
  connect_each(1);
  const std::size_t mark = relay().mark();
  for (int i = 0; i < 20; ++i) relay().signal(SIGUSR2);
  relay().wait_line("upgraded:", 10s, mark);
  swarm_.publish(0);
  EXPECT_TRUE(swarm_.run_until(5s, [&] { return swarm_.all_received(0, 1, 1); }));
  expect_no_link_lost();
  relay().signal(SIGUSR2);
  relay().signal(SIGTERM);
  EXPECT_EQ(relay().wait_exit().code, 0);
}

TEST_F(RelayUpgrade, TheToolAsksAndWaits) {
  start(1, false);
  connect_each(1);
  const auto tool = [&](const std::string& what) {
    SpawnOptions options;
    options.args = {tool_program(), "upgrade", what, "--relay", stack_->relay().address()};
    return run(std::move(options));
  };
  const Finished done = tool("relay");
  EXPECT_EQ(done.status.code, 0) << done.output;
  EXPECT_NE(done.output.find("relay upgraded: sluice-relay"), std::string::npos) << done.output;
  EXPECT_EQ(upgrades("done"), 1);
  EXPECT_EQ(tool("9999").status.code, 6);
  install("#!/bin/sh\nexit 1\n");
  const Finished refused = tool("relay");
  EXPECT_EQ(refused.status.code, 6) << refused.output;
  EXPECT_NE(refused.output.find("refused"), std::string::npos) << refused.output;
}

// ---- a state that this program can't read

/// A listening socket, and the memory of a relay that has gone on as this program, but of another
/// version. The bytes are the promise to all versions.
class UnreadableState : public ::testing::Test {
 protected:
  void SetUp() override {
    listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strcpy(name.sun_path, directory_.file("relay.sock").c_str());
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(listener_.get(), 16), 0);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    link_.reset(ends[0]);
    gateway_.reset(ends[1]);
  }
  static void put(std::string& out, std::uint64_t value, std::size_t bytes) {
    out.append(reinterpret_cast<const char*>(&value), bytes);
  }
  UniqueFd memory(std::uint32_t version, std::uint64_t magic = 0x31594C5243554C53) {
    std::string bytes;
    put(bytes, magic, 8);
    put(bytes, 44, 8);
    put(bytes, version, 4);
    put(bytes, kListener, 4);
    put(bytes, UINT32_MAX, 4);
    put(bytes, 1, 8);
    put(bytes, kLink, 4);
    bytes += "else";
    UniqueFd fd(::memfd_create("state", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    return fd;
  }
  std::unique_ptr<Process> resume(const UniqueFd& state) {
    SpawnOptions options;
    options.args = {relay_program(), "--listen", "unix:" + directory_.file("relay.sock"),
                    "--resume-fd", std::to_string(kState)};
    options.fds = {{kListener, listener_.get()}, {kLink, link_.get()}, {kState, state.get()}};
    auto process = std::make_unique<Process>(std::move(options));
    link_.reset();
    listener_.reset();
    return process;
  }

  static constexpr int kListener = 20;
  static constexpr int kLink = 21;
  static constexpr int kState = 22;
  TempDir directory_;
  UniqueFd listener_;
  UniqueFd link_;
  UniqueFd gateway_;
};

TEST_F(UnreadableState, OfAnotherVersionItsSocketsAreKeptAndItsLinksClosed) {
  const auto relay = resume(memory(3));
  relay->wait_line("can't be read, starting as after a crash: it is of version 3");
  relay->wait_line("ready");
  char byte = 0;
  EXPECT_EQ(::recv(gateway_.get(), &byte, 1, 0), 0) << "its end";
  GatewaySettings settings;
  settings.relay = "unix:" + directory_.file("relay.sock");
  Gateway gateway(settings);  // ready: it has found the relay where it listened before
}

TEST_F(UnreadableState, GarbageOfOurVersionIsNoState) {
  const auto relay = resume(memory(2));
  relay->wait_line("can't be read, starting as after a crash: ");
  relay->wait_line("ready");
  char byte = 0;
  EXPECT_EQ(::recv(gateway_.get(), &byte, 1, 0), 0);
}

}  // namespace
}  // namespace sluice::test
