// The n-th port call fails, for every n of a short story (world.cc, act_by_script): a link and the
// broker break and recover in it, a gateway dies, clients come and go. Each run goes to its end
// with the invariants checked, and with nothing left of anything. `sim --sweep N` replays one.
//
// Memory is no port: when the daemons can't have it, they end at once (ARCHITECTURE.md, When memory
// runs out), which tests/process/20_out_of_memory_test.cc shows. Failing the n-th allocation here
// would test states that no process of ours goes on from.
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/world.h"

namespace sluice::sim {
namespace {

/// One ctest case each, so that they run side by side.
constexpr std::uint64_t kShares = 4;

class FaultSweep : public testing::TestWithParam<std::uint64_t> {};

TEST_P(FaultSweep, EveryCallMayFail) {
  World whole(sweep_options(0));
  ASSERT_EQ(whole.run(), "");
  std::uint64_t failures = 0;
  for (std::uint64_t n = 1 + GetParam(); n <= whole.faults.count(); n += kShares) {
    World world(sweep_options(n));
    const std::string failure = world.run();
    EXPECT_EQ(failure, "") << "sim --sweep " << n;
    EXPECT_TRUE(world.faults.happened()) << n;
    failures += failure.empty() ? 0 : 1;
    ASSERT_LT(failures, 10U) << "and so on";
  }
}

INSTANTIATE_TEST_SUITE_P(Share, FaultSweep, testing::Range<std::uint64_t>(0, kShares));

TEST(FaultSweepStory, ReachesEveryPort) {
  World whole(sweep_options(0));
  ASSERT_EQ(whole.run(), "");
  for (std::size_t i = 0; i < kPorts; ++i) {
    const auto port = static_cast<Port>(i);
    EXPECT_GT(whole.faults.calls(port), 0U) << to_string(port);
  }
  EXPECT_GT(whole.gaps, 0U);
  EXPECT_GT(whole.faults.count(), 1000U);
}

TEST(FaultSweepStory, AMessageLostInSilenceIsNoticed) {
  const std::uint64_t calls = [] {
    World whole(sweep_options(0));
    EXPECT_EQ(whole.run(), "");
    return whole.faults.count();
  }();
  bool noticed = false;
  for (std::uint64_t n = 1; n <= calls && !noticed; n += 3) {
    WorldOptions options = sweep_options(n);
    options.fail_silently = true;
    World world(options);
    const std::string failure = world.run();
    noticed = failure.find("messages missing") != std::string::npos;
    if (noticed) {
      EXPECT_EQ(world.faults.failed(), Port::kBrokerDeliver);
    }
  }
  EXPECT_TRUE(noticed);
}

}  // namespace
}  // namespace sluice::sim
