// What an idle client costs the gateway.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <iostream>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::test {
namespace {

constexpr std::size_t kClients = 10000;
constexpr std::size_t kBytesPerClient = 2560;
constexpr std::size_t kDescriptorsBeside = 200;  ///< of the test and of the gateway, clients apart

/// As many clients as descriptors allow, up to the full number.
std::size_t affordable_clients() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return std::min<std::size_t>(sanitized() ? 1000 : kClients, limit.rlim_max - kDescriptorsBeside);
}

TEST(Memory, IdleClientCostsLittle) {
  const std::size_t clients = affordable_clients();
  Stack::Settings settings;
  settings.gateway_args = {"--max-connections", std::to_string(clients + 10)};
  Stack stack(std::move(settings));
  Process& process = stack.gateway().process();
  WsSwarm swarm;
  swarm.connect(stack.gateway().endpoint(), 10);
  const std::uint64_t before = process.rss_bytes();
  swarm.connect(stack.gateway().endpoint(), clients);
  const std::uint64_t idle = process.rss_bytes();
  const std::uint64_t each = (idle - before) / clients;
  std::cout << clients << " idle clients: " << each << " bytes each\n";
  if (!sanitized()) {
    EXPECT_LE(each, kBytesPerClient);
  }
  // Nothing per message grows with the clients but the outbox reference, and that is given back.
  for (int i = 0; i < 20; ++i) swarm.publish(0, 1000);
  ASSERT_TRUE(swarm.run_until(60s, [&] { return swarm.all_received(0, swarm.size(), 20); }));
  EXPECT_EQ(swarm.faults(), SwarmFaults{});
  if (!sanitized()) {
    EXPECT_LE(process.rss_bytes(), idle + clients * 256 + (1U << 20U));
  }
}

}  // namespace
}  // namespace sluice::test
