#include "keeper/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "common/random.h"

namespace sluice::keeper {
namespace {

class ArenaTest : public testing::Test {
 protected:
  explicit ArenaTest(std::size_t bytes = 64 * kArenaUnit) : memory(bytes), arena(memory) {}

  std::vector<std::byte> memory;
  Arena arena;
};

TEST_F(ArenaTest, ABlockHasTheRoomThatWasAskedFor) {
  for (const std::size_t bytes : {0, 1, 56, 57, 120, 121, 500}) {
    const ArenaUnit block = arena.allocate(bytes);
    ASSERT_NE(block, 0U);
    EXPECT_GE(arena.header(block).bytes, bytes);
    EXPECT_EQ(arena.header(block).used, 0U);
    EXPECT_TRUE(Arena::valid(memory, block));
    EXPECT_EQ(Arena::data_of(memory, block).data(), arena.data(block));
    arena.free(block);
  }
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST_F(ArenaTest, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(arena.allocate(64 * kArenaUnit), 0U);
  EXPECT_EQ(arena.allocate(std::size_t{1} << 40U), 0U);
  std::size_t blocks = 0;
  while (arena.allocate(1) != 0) ++blocks;
  EXPECT_EQ(blocks, 63U) << "unit 0 is no block";
  EXPECT_EQ(arena.used_bytes(), 63 * kArenaUnit);
}

TEST_F(ArenaTest, AShrunkBlockStaysAndItsRestIsFree) {
  const ArenaUnit block = arena.allocate(31 * kArenaUnit);
  std::memset(arena.data(block), 'x', 100);
  arena.shrink(block, 100);
  EXPECT_TRUE(Arena::valid(memory, block));
  EXPECT_EQ(arena.header(block).bytes, 2 * kArenaUnit - sizeof(BlockHeader));
  EXPECT_EQ(arena.used_bytes(), 2 * kArenaUnit);
  std::vector<ArenaUnit> others;
  for (ArenaUnit other = 0; (other = arena.allocate(1)) != 0;) {
    std::memset(arena.data(other), 'y', arena.header(other).bytes);
    others.push_back(other);
  }
  EXPECT_EQ(others.size(), 61U);
  EXPECT_EQ(std::count(arena.data(block), arena.data(block) + 100, std::byte{'x'}), 100);
  arena.shrink(block, 100);  // as small as it gets
  EXPECT_EQ(arena.used_bytes(), 63 * kArenaUnit);
}

TEST_F(ArenaTest, SmallBlocksBecomeLargeOnesAgain) {
  std::vector<ArenaUnit> blocks;
  for (ArenaUnit block = 0; (block = arena.allocate(1)) != 0;) blocks.push_back(block);
  EXPECT_EQ(arena.allocate(30 * kArenaUnit), 0U);
  for (const ArenaUnit block : blocks) arena.free(block);
  EXPECT_NE(arena.allocate(31 * kArenaUnit), 0U);
  EXPECT_NE(arena.allocate(15 * kArenaUnit), 0U);
}

TEST_F(ArenaTest, WhatASuccessorFindsInUseStays) {
  std::vector<ArenaUnit> kept;
  for (int i = 0; i < 6; ++i) {
    const ArenaUnit block = arena.allocate(100);
    std::memset(arena.data(block), 'a' + i, 100);
    if (i % 2 == 1) kept.push_back(block);
  }
  std::reverse(kept.begin(), kept.end());
  Arena next(memory, kept);
  EXPECT_EQ(next.used_bytes(), 3 * 2 * kArenaUnit);
  std::size_t free = 0;
  for (ArenaUnit block = 0; (block = next.allocate(1)) != 0; ++free)
    std::memset(next.data(block), '-', next.header(block).bytes);
  EXPECT_EQ(free, 63U - 6U);
  for (std::size_t i = 0; i < kept.size(); ++i)
    EXPECT_EQ(next.data(kept[i])[99], static_cast<std::byte>('a' + 5 - 2 * i));
}

TEST_F(ArenaTest, NoBlockIsWhatCanNotBeOne) {
  EXPECT_FALSE(Arena::valid(memory, 0));
  EXPECT_FALSE(Arena::valid(memory, 64));
  EXPECT_FALSE(Arena::valid(memory, ~ArenaUnit{0}));
  EXPECT_FALSE(Arena::valid({}, 1));
  const ArenaUnit block = arena.allocate(100);
  for (const std::uint32_t bytes : {0U, 100U, 121U, 64 * 64 - 8U, ~0U, ~7U}) {
    arena.header(block) = {.bytes = bytes, .used = 0};
    EXPECT_FALSE(Arena::valid(memory, block)) << bytes;
  }
  arena.header(block) = {.bytes = 120, .used = 121};
  EXPECT_FALSE(Arena::valid(memory, block));
  arena.header(block).used = 120;
  EXPECT_TRUE(Arena::valid(memory, block));
}

/// Blocks never overlap and keep what is in them, whatever is allocated, shrunk, freed and taken
/// over in between.
TEST(ArenaScripts, BlocksAreApart) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SeededRandom random(seed);
    std::vector<std::byte> memory(1024 * kArenaUnit);
    auto arena = std::make_unique<Arena>(memory);
    std::map<ArenaUnit, std::pair<std::size_t, std::byte>> blocks;
    for (int step = 0; step < 20000; ++step) {
      const auto fill = static_cast<std::byte>(random.next());
      const std::uint64_t what = random.below(10);
      if (what < 5) {
        const std::size_t bytes = random.below(random.below(20) == 0 ? 20000 : 600);
        const ArenaUnit block = arena->allocate(bytes);
        if (block == 0) continue;
        ASSERT_FALSE(blocks.contains(block));
        std::memset(arena->data(block), static_cast<int>(fill), bytes);
        blocks[block] = {bytes, fill};
      } else if (!blocks.empty()) {
        const auto block =
            std::next(blocks.begin(), static_cast<long>(random.below(blocks.size())));
        for (std::size_t i = 0; i < block->second.first; ++i)
          ASSERT_EQ(arena->data(block->first)[i], block->second.second) << step;
        if (what == 5) {
          block->second.first /= 2;
          arena->shrink(block->first, block->second.first);
        } else {
          arena->free(block->first);
          blocks.erase(block);
        }
      }
      if (random.below(2000) != 0) continue;
      std::vector<ArenaUnit> in_use;
      for (const auto& block : blocks) in_use.push_back(block.first);
      const std::size_t used = arena->used_bytes();
      arena = std::make_unique<Arena>(memory, in_use);
      ASSERT_EQ(arena->used_bytes(), used);
    }
    for (const auto& block : blocks) arena->free(block.first);
    EXPECT_EQ(arena->used_bytes(), 0U);
    EXPECT_NE(arena->allocate(500 * kArenaUnit), 0U) << "what is free is in pieces";
  }
}

}  // namespace
}  // namespace sluice::keeper
