// Fan-out under everything that gets in its way, over either sender: slow readers, pings both ways,
// clients that come and go, channels of very different size. SLUICE_TEST_FULL=1: five minutes each.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <vector>

#include "tests/process/support/daemons.h"
#include "tests/process/support/senders.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

std::size_t seconds_of_load() {
  return std::getenv("SLUICE_TEST_FULL") != nullptr ? 300 : 8;
}

class FanOut : public ::testing::TestWithParam<const char*> {
 protected:
  void start(Args gateway_args) {
    const std::string sender = GetParam();
    if (sender == "on" && !io_uring_allowed()) GTEST_SKIP() << "no io_uring here";
    gateway_args.insert(gateway_args.end(), {"--io-uring", sender});
    Stack::Settings settings;
    settings.gateway_args = std::move(gateway_args);
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  double metric(const std::string& name) { return stack_->gateway().metrics().value(name); }

  std::unique_ptr<Stack> stack_;
};

/// Half of the clients stop and go with small buffers, so that sends end in the middle of frames;
/// pings of both sides must find their way between whole frames.
TEST_P(FanOut, SlowReadersAndPingsLoseNothing) {
  ASSERT_NO_FATAL_FAILURE(start({"--ping-interval", "100ms", "--pong-timeout", "1m",
                                 "--client-queue-bytes", "64MiB", "--client-message-rate", "off"}));
  if (IsSkipped()) return;
  constexpr std::size_t kReaders = 10;
  constexpr std::size_t kSlow = 10;
  WsSwarm swarm;
  swarm.connect(stack_->gateway().endpoint(), kReaders);
  swarm.connect(stack_->gateway().endpoint(), kSlow, "/", 10s, 4096);
  std::mt19937 random(1);
  std::uint64_t sent = 0;
  // In rounds, after each of which everybody catches up: how far slow clients fall behind is
  // bounded, however slow the machine is.
  for (std::size_t round = 0; round < seconds_of_load() / 4; ++round) {
    swarm.run_paced(800, 5000us, [&](std::size_t i) {
      // Now one, now a burst.
      for (std::size_t n = i % 40 == 0 ? 30 : 1; n > 0; --n, ++sent)
        swarm.publish(0, random() % 20000);
      // A second or two without reading: more than the kernel takes.
      if (i % 20 == 0) swarm.pause(kReaders + random() % kSlow, random() % 3 != 0);
      swarm.send_raw(random() % (kReaders + kSlow), client_frame(WsOpcode::kPing, "between"));
    });
    for (std::size_t i = kReaders; i < swarm.size(); ++i) swarm.pause(i, false);
    ASSERT_TRUE(swarm.run_until(60s, [&] { return swarm.all_received(0, swarm.size(), sent); }));
  }
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  EXPECT_EQ(swarm.open_count(), kReaders + kSlow);
  EXPECT_GT(metric("sluice_gateway_partial_sends_total"), 10);
  EXPECT_GT(metric("sluice_gateway_pings_total"), 100);
}

/// Who stays misses nothing while others join, leave and vanish in the middle of walks.
TEST_P(FanOut, ComingAndGoingLosesNothing) {
  ASSERT_NO_FATAL_FAILURE(start({"--client-message-rate", "off"}));
  if (IsSkipped()) return;
  constexpr std::size_t kStay = 300;
  WsSwarm swarm;
  swarm.connect(stack_->gateway().endpoint(), kStay);
  std::uint64_t sent = 0;
  std::vector<std::size_t> guests;
  std::mt19937 random(2);
  for (std::size_t round = 0; round < seconds_of_load() * 4; ++round) {
    const std::size_t first = swarm.connect(stack_->gateway().endpoint(), 20);
    for (std::size_t i = 0; i < 20; ++i) guests.push_back(first + i);
    for (int i = 0; i < 20; ++i, ++sent) swarm.publish(0, random() % 300);
    while (guests.size() > 40) {
      const std::size_t at = random() % guests.size();
      swarm.drop(guests[at]);
      guests.erase(guests.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  EXPECT_TRUE(swarm.run_until(60s, [&] { return swarm.all_received(0, kStay, sent); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  while (!guests.empty()) {
    swarm.drop(guests.back());
    guests.pop_back();
  }
  EXPECT_TRUE(eventually(10s, [&] { return metric("sluice_gateway_connections") == kStay; }));
  EXPECT_EQ(metric("sluice_gateway_client_queue_bytes"), 0);
}

/// A client that closes sees the end of its connection at once, whatever holds its socket.
TEST_P(FanOut, AClientThatLeavesIsLetGoOfAtOnce) {
  ASSERT_NO_FATAL_FAILURE(start({}));
  if (IsSkipped()) return;
  WsSwarm swarm;
  swarm.connect(stack_->gateway().endpoint(), 50);
  swarm.publish(0);
  ASSERT_TRUE(swarm.run_until(10s, [&] { return swarm.all_received(0, 50, 1); }));
  for (std::size_t i = 0; i < 50; i += 2) swarm.send_close(i, 1000);
  EXPECT_TRUE(swarm.run_until(10s, [&] { return swarm.open_count() == 25; }));
  for (std::size_t i = 0; i < 50; i += 2) EXPECT_EQ(swarm.client(i).close_code, 1000);
  swarm.publish(1);
  EXPECT_TRUE(swarm.run_until(10s, [&] { return swarm.client(49).received == 2; }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
}

INSTANTIATE_TEST_SUITE_P(IoUring, FanOut, ::testing::Values("on", "off"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sluice::test
