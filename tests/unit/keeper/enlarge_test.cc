#include "keeper/enlarge.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "keeper/arena.h"

namespace sluice::keeper {
namespace {

constexpr StateSize kSmall{.slots = 3, .views = 5, .arena_bytes = 1U << 20U};
constexpr StateSize kLarge{.slots = 4000, .views = 7, .arena_bytes = 64U << 20U};

class EnlargeTest : public testing::Test {
 protected:
  EnlargeTest() : state_(*SharedState::create(kSmall)) {
    state_.slots()[2].generation = 77;
    state_.views()[4].end = 78;
    state_.header().link[1].settled_sequence = 79;
    state_.header().link_now = 1;
    state_.header().quiescent = 1;
    state_.header().frozen_micros = 80;
    Arena arena(state_.arena());
    static_cast<void>(arena.allocate(500'000));  // nobody writes there
    block_ = arena.allocate(10'000);
    std::fill_n(arena.data(block_), 10'000, std::byte{81});
  }
  void expect_the_same(const SharedState& other) const {
    EXPECT_EQ(other.slots()[2].generation, 77U);
    EXPECT_EQ(other.views()[4].end, 78U);
    EXPECT_EQ(other.header().link[other.header().link_now].settled_sequence, 79U);
    EXPECT_EQ(other.header().quiescent, 1U);
    EXPECT_EQ(other.header().frozen_micros, 80U);
    EXPECT_TRUE(std::ranges::equal(other.arena().first(state_.arena().size()), state_.arena()));
    EXPECT_EQ(Arena::data_of(other.arena(), block_)[9'999], std::byte{81});
  }

  SharedState state_;
  ArenaUnit block_ = 0;
};

TEST_F(EnlargeTest, EverythingIsThereAgainAndThereIsMoreRoom) {
  EXPECT_TRUE(too_small(state_, kLarge));
  const auto larger = enlarged(state_, kLarge);
  ASSERT_TRUE(larger);
  EXPECT_FALSE(too_small(*larger, kLarge));
  EXPECT_EQ(larger->slots().size(), 4000U);
  EXPECT_EQ(larger->views().size(), 7U);
  EXPECT_EQ(larger->arena().size(), 64U << 20U);
  expect_the_same(*larger);
  struct stat status {};
  ASSERT_EQ(::fstat(larger->fd(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 4 << 20) << "empty pages were copied";
}

TEST_F(EnlargeTest, NothingGetsSmaller) {
  const auto other =
      enlarged(state_, {.slots = 2, .views = 6, .arena_bytes = state_.arena().size() / 2});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->slots().size(), 3U);
  EXPECT_EQ(other->arena().size(), state_.arena().size());
  expect_the_same(*other);
}

TEST_F(EnlargeTest, EachRegionMayBeTooSmall) {
  EXPECT_FALSE(too_small(state_, kSmall));
  for (int i = 0; i < 3; ++i) {
    StateSize size = kSmall;
    if (i == 0) ++size.slots;
    if (i == 1) ++size.views;
    if (i == 2) size.arena_bytes += kArenaUnit;
    EXPECT_TRUE(too_small(state_, size)) << i;
  }
}

}  // namespace
}  // namespace sluice::keeper
