// Whose bytes the program's own recv shows to the filter.
#include "gateway/recv_hook.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "common/unique_fd.h"

namespace sluice::gateway {
namespace {

class CountingFilter final : public ReceiveFilter {
 public:
  CountingFilter() { set_receive_filter(this); }
  ~CountingFilter() override { set_receive_filter(nullptr); }
  bool receiving(int /*fd*/) override { return true; }
  std::size_t received(int /*fd*/, std::span<std::uint8_t> bytes) override {
    seen += bytes.size();
    return bytes.size();
  }
  std::size_t seen = 0;
};

TEST(RecvHook, OtherThreadsReceiveUnseen) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  ASSERT_EQ(::send(writer.get(), "abcd", 4, 0), 4);
  CountingFilter filter;
  char buffer[2];
  std::thread([&] { EXPECT_EQ(::recv(reader.get(), buffer, 2, 0), 2); }).join();
  EXPECT_EQ(filter.seen, 0U);
  EXPECT_EQ(::recv(reader.get(), buffer, 2, 0), 2);
  EXPECT_EQ(filter.seen, 2U);
}

}  // namespace
}  // namespace sluice::gateway
