#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace sluice::sim {
namespace {

class Seeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Seeds, KeepsTheInvariants) {
  World world({.seed = GetParam(), .steps = 8000});
  EXPECT_EQ(world.run(), "");
  EXPECT_GT(world.gaps, 0U) << "no fault was ever noticed: the run proves nothing";
}

TEST_P(Seeds, KeepsTheInvariantsWithATinyRing) {
  World world(tiny_options(GetParam() + 1000));
  EXPECT_EQ(world.run(), "");
}

TEST_P(Seeds, KeepsTheInvariantsWhereARelaySoonForgets) {
  World world(short_linger_options(GetParam()));
  EXPECT_EQ(world.run(), "");
}

TEST_P(Seeds, ATakeoverMissesNothing) {
  World world(takeover_options(GetParam()));
  EXPECT_EQ(world.run(), "");
  EXPECT_GT(world.takeovers, 50U);
  EXPECT_GT(world.relay_upgrades, 5U);
  EXPECT_EQ(world.gaps, 0U);
  EXPECT_GT(world.recovered, 20U);
  EXPECT_EQ(world.unrecovered, 0U);
}

INSTANTIATE_TEST_SUITE_P(Fixed, Seeds, testing::Range<std::uint64_t>(1, 13));

TEST(Sim, OneSeedIsOneRun) {
  World a({.seed = 5, .steps = 2000});
  World b({.seed = 5, .steps = 2000});
  EXPECT_EQ(a.run(), "");
  EXPECT_EQ(b.run(), "");
  EXPECT_EQ(a.deliveries, b.deliveries);
  EXPECT_EQ(a.broker->log(), b.broker->log());
}

}  // namespace
}  // namespace sluice::sim
