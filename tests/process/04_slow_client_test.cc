// Somebody who does not read delays nobody else, costs bounded memory, and is told.
#include <gtest/gtest.h>

#include <iostream>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

/// The process has not grown past `bytes`. Not said of sanitized builds, which keep what was freed.
void expect_rss_below(const Process& process, std::uint64_t bytes) {
  if (!sanitized()) {
    EXPECT_LT(process.rss_bytes(), bytes);
  }
}

class SlowClient : public ::testing::Test {
 protected:
  void start(std::size_t gateways, Args gateway_args, Args relay_args = {}) {
    Stack::Settings settings;
    settings.gateways = gateways;
    settings.gateway_args = std::move(gateway_args);
    settings.relay_args = std::move(relay_args);
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  /// One client that never reads beside `readers` that do; `messages` of 1 KiB from the first
  /// reader.
  void fill_one_silent_client(std::size_t readers, std::size_t messages) {
    WsSwarm swarm;
    swarm.connect(stack_->gateway().endpoint(), readers);
    const std::size_t silent = swarm.connect(stack_->gateway().endpoint(), 1, "/", 10s, 4096);
    swarm.pause(silent, true);
    swarm.run_paced(messages, 200us, [&](std::size_t) { swarm.publish(0, 1000); });
    EXPECT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, readers, messages); }));
    EXPECT_EQ(swarm.faults(), SwarmFaults{});
    for (std::size_t i = 0; i < readers; ++i) EXPECT_TRUE(swarm.client(i).open);
    EXPECT_TRUE(eventually(10s, [&] { return connections() == static_cast<double>(readers); }));
  }
  double connections() { return stack_->gateway().metrics().value("sluice_gateway_connections"); }

  std::unique_ptr<Stack> stack_;
};

TEST_F(SlowClient, ClosedAtTheBoundOthersUntouched) {
  start(1, {"--client-queue-bytes", "1MiB"});
  fill_one_silent_client(5, 8000);  // warms up: allocators, tables
  const std::uint64_t before = stack_->gateway().process().rss_bytes();
  const double slow = stack_->gateway().metrics().value("sluice_gateway_closed_total", "too_slow");
  EXPECT_EQ(slow, 1);
  fill_one_silent_client(5, 8000);
  EXPECT_EQ(stack_->gateway().metrics().value("sluice_gateway_closed_total", "too_slow"), 2);
  expect_rss_below(stack_->gateway().process(), before + 2 * kMiB);
}

TEST_F(SlowClient, HoldsNoMoreThanItsBound) {
  start(1, {"--client-queue-bytes", "1MiB"});
  WsSwarm swarm;
  swarm.connect(stack_->gateway().endpoint(), 1);
  const std::uint64_t before = stack_->gateway().process().rss_bytes();
  // Each is behind by less than its bound: all stay, and share the frames.
  const std::size_t first = swarm.connect(stack_->gateway().endpoint(), 50, "/", 10s, 4096);
  for (std::size_t i = first; i < swarm.size(); ++i) swarm.pause(i, true);
  for (int i = 0; i < 800; ++i) swarm.publish(0, 1000);
  ASSERT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, 1, 800); }));
  EXPECT_EQ(connections(), 51);
  expect_rss_below(stack_->gateway().process(), before + 6 * kMiB);
  for (std::size_t i = first; i < swarm.size(); ++i) swarm.pause(i, false);
  EXPECT_TRUE(swarm.run_until(20s, [&] { return swarm.all_received(0, swarm.size(), 800); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

TEST_F(SlowClient, OneThatReadsSlowlyGetsEverythingInOrder) {
  start(1, {"--client-queue-bytes", "64MiB"});
  WsSwarm swarm;
  swarm.connect(stack_->gateway().endpoint(), 1);
  const std::size_t slow = swarm.connect(stack_->gateway().endpoint(), 1, "/", 10s, 4096);
  // Stops and goes while messages of many sizes pass: partial sends and their tails.
  swarm.run_paced(3000, 300us, [&](std::size_t i) {
    swarm.publish(0, (i * 977) % 9000);
    if (i % 50 == 0) swarm.pause(slow, (i / 50) % 2 == 0);
  });
  swarm.pause(slow, false);
  EXPECT_TRUE(swarm.run_until(30s, [&] { return swarm.all_received(0, 2, 3000); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

// --- a gateway that does not read ---

class StoppedGateway : public SlowClient {
 protected:
  static constexpr std::size_t kPerGateway = 10;
  static constexpr std::size_t kSender = 999;

  void start_four(Args relay_args) {
    redis_ = std::make_unique<RedisServer>(directory_);
    relay_args.insert(relay_args.end(), {"--broker", redis_->url()});
    start(4, {}, std::move(relay_args));
    for (std::size_t i = 0; i < 4; ++i) {
      swarm_.connect(stack_->gateway(i).endpoint(), kPerGateway);
      stack_->gateway(i).wait_subscribed();
    }
    publisher_ = std::make_unique<RespClient>(redis_->unix_endpoint());
    publish(1);  // so that each client knows where the numbers begin
    ASSERT_TRUE(swarm_.run_until(10s, [&] { return swarm_.all_received(0, 40, 1); }));
  }
  void publish(std::size_t count) {
    swarm_.run_paced(count, 1000us, [&](std::size_t) {
      publisher_->command({"PUBLISH", "livechat", numbered(kSender, ++published_)});
    });
  }
  /// Numbers that client `index` has not got.
  std::uint64_t missed(std::size_t index) const {
    return published_ - swarm_.client(index).received;
  }
  void expect_the_others_got_all() {
    EXPECT_TRUE(
        swarm_.run_until(10s, [&] { return swarm_.all_received(0, 3 * kPerGateway, published_); }));
    for (std::size_t i = 0; i < 3 * kPerGateway; ++i) EXPECT_EQ(missed(i), 0U);
  }
  void continue_stopped() {
    stack_->gateway(3).process().signal(SIGCONT);
    publish(100);
    ASSERT_TRUE(swarm_.run_until(20s, [&] {
      for (std::size_t i = 3 * kPerGateway; i < swarm_.size(); ++i)
        if (swarm_.client(i).last[kSender] != published_) return false;
      return true;
    }));
  }
  double gap_events(std::size_t gateway) {
    return stack_->gateway(gateway).metrics().value("sluice_gateway_gap_events_total");
  }

  TempDir directory_;
  std::unique_ptr<RedisServer> redis_;
  WsSwarm swarm_;
  std::unique_ptr<RespClient> publisher_;
  std::uint64_t published_ = 0;
};

TEST_F(StoppedGateway, SaysExactlyWhatItMissed) {
  start_four({"--ring-messages", "2000", "--gateway-queue-bytes", "64KiB"});
  stack_->gateway(3).process().signal(SIGSTOP);
  swarm_.reset_latency();
  publish(full_size() ? 30000 : 8000);
  expect_the_others_got_all();
  std::cout << "the others' latency p50 " << swarm_.latency_us(0.5) << " us, p99 "
            << swarm_.latency_us(0.99) << " us\n";
  continue_stopped();
  const std::uint64_t lost = missed(swarm_.size() - 1);
  EXPECT_GT(lost, 0U);
  EXPECT_LT(lost, published_);
  const Metrics metrics = stack_->gateway(3).metrics();
  EXPECT_EQ(metrics.value("sluice_gateway_gap_messages_total"), static_cast<double>(lost));
  EXPECT_GE(metrics.value("sluice_gateway_gap_events_total"), 1);
  stack_->gateway(3).process().wait_line("gap.*livechat");
  for (std::size_t i = 3 * kPerGateway; i < swarm_.size(); ++i) {
    EXPECT_EQ(missed(i), lost);
    EXPECT_TRUE(swarm_.client(i).open);
  }
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(gap_events(i), 0);
}

TEST_F(StoppedGateway, WithinTheRingNothingIsMissed) {
  start_four(
      {"--ring-messages", "20000", "--ring-bytes", "64MiB", "--gateway-queue-bytes", "64MiB"});
  stack_->gateway(3).process().signal(SIGSTOP);
  swarm_.reset_latency();
  publish(5000);
  expect_the_others_got_all();
  continue_stopped();
  EXPECT_TRUE(swarm_.run_until(10s, [&] { return swarm_.all_received(0, 40, published_); }));
  EXPECT_EQ(swarm_.faults(), SwarmFaults{});
  EXPECT_EQ(gap_events(3), 0);
}

TEST_F(StoppedGateway, RelayStaysWithinItsBounds) {
  start_four({"--ring-messages", "1000", "--ring-bytes", "4MiB", "--gateway-queue-bytes", "64KiB"});
  publish(2000);
  const std::uint64_t before = stack_->relay().process().rss_bytes();
  stack_->gateway(3).process().signal(SIGSTOP);
  publish(5000);
  expect_rss_below(stack_->relay().process(), before + 4 * kMiB);
  stack_->gateway(3).process().signal(SIGCONT);
}

}  // namespace
}  // namespace sluice::test
