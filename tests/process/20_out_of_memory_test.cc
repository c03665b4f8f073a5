// A daemon that finds no more memory ends at once with one line and a code that is not 0, and the
// rest of the stack goes on. Its address space is bounded while it runs; its own bounds are set so
// high that they are not met first.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

constexpr std::uint64_t kRoomBytes = 48U << 20U;
constexpr std::size_t kMessageBytes = 60000;
/// Several times what fits.
constexpr std::size_t kMessagesMax = 5 * kRoomBytes / kMessageBytes;

/// The process may map so much more than it does now.
void bound_memory(const Process& process) {
  std::uint64_t pages = 0;
  std::ifstream("/proc/" + std::to_string(process.pid()) + "/statm") >> pages;
  ASSERT_GT(pages, 0U);
  const rlim_t bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + kRoomBytes;
  const rlimit limit{bytes, bytes};
  ASSERT_EQ(::prlimit(process.pid(), RLIMIT_AS, &limit, nullptr), 0);
}

void expect_ended(Process& process, const std::string& program) {
  const ExitStatus status = process.wait_exit();
  EXPECT_EQ(status.code, 1);
  EXPECT_EQ(status.signal, 0);
  EXPECT_EQ(process.lines("^" + program + ": out of memory").size(), 1U);
  EXPECT_TRUE(process.lines("terminate called|what\\(\\)|CHECK failed").empty());
  EXPECT_NE(process.lines().back().find("out of memory"), std::string::npos);
}

class OutOfMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (sanitized()) GTEST_SKIP() << "a sanitizer maps more than any bound";
  }
};

TEST_F(OutOfMemory, TheRelayEndsAndItsSuccessorIsFound) {
  Stack::Settings settings;
  settings.relay_args = {"--ring-bytes", "60GiB"};
  Stack stack(std::move(settings));
  WsClient client = WsClient::connect(stack.gateway().endpoint());
  client.send_text("before");
  EXPECT_EQ(client.text(), "before");
  Process& relay = stack.relay().process();
  bound_memory(relay);
  const std::string message(kMessageBytes, 'm');
  for (std::size_t i = 0; i < kMessagesMax && relay.running(); ++i) {
    client.send_text(message);
    // The last one may have died with the relay.
    while (relay.running() && client.next(100ms).kind == WsEvent::Kind::kTimeout) continue;
  }
  expect_ended(relay, "sluice-relay");
  stack.relay().start();
  stack.gateway().wait_ready();
  WsClient after = WsClient::connect(stack.gateway().endpoint());
  after.send_text("after");
  EXPECT_EQ(after.text(), "after");
}

TEST_F(OutOfMemory, TheGatewayEndsAndTheRelayStays) {
  Stack::Settings settings;
  settings.gateway_args = {"--publish-queue-bytes", "1GiB", "--publish-wait", "5m"};
  Stack stack(std::move(settings));
  WsClient client = WsClient::connect(stack.gateway().endpoint());
  stack.relay().process().signal(SIGSTOP);
  Process& gateway = stack.gateway().process();
  bound_memory(gateway);
  const std::string message(kMessageBytes, 'm');
  try {
    for (std::size_t i = 0; i < kMessagesMax && gateway.running(); ++i) client.send_text(message);
  } catch (const HarnessError&) {
    // The connection ended with the gateway.
  }
  expect_ended(gateway, "sluice-gateway");
  stack.relay().process().signal(SIGCONT);
  stack.gateway().start();
  WsClient after = WsClient::connect(stack.gateway().endpoint());
  after.send_text("after");
  EXPECT_EQ(after.text(), "after");
}

}  // namespace
}  // namespace sluice::test
