#include "gateway/handoff/self_test.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

TEST(SelfTest, ConnectionsCanGoOnHere) {
  for (int i = 0; i < 3; ++i) {
    const auto good = test_resuming();
    EXPECT_TRUE(good) << good.error().message;
  }
}

}  // namespace
}  // namespace sluice::gateway
