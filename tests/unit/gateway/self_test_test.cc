#include "gateway/handoff/self_test.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <string>

namespace sluice::gateway {
namespace {

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

TEST(SelfTest, ConnectionsCanGoOnHere) {
  ASSERT_TRUE(test_resuming());  // libraries open what they keep
  const std::ptrdiff_t before = open_descriptors();
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const auto good = test_resuming();
  const std::string said = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(said + ::testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(good) << good.error().message;
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace sluice::gateway
