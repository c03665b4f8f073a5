#include "keeper/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>

namespace sluice::keeper {
namespace {

constexpr StateSize kSize{.slots = 3, .views = 5, .arena_bytes = 10'000};

[[nodiscard]] UniqueFd dup_of(const SharedState& state) {
  return UniqueFd(::fcntl(state.fd(), F_DUPFD_CLOEXEC, 0));
}

TEST(SharedStateTest, ANewOneIsEmptyAndASuccessorSeesTheSame) {
  auto made = SharedState::create(kSize);
  ASSERT_TRUE(made);
  ASSERT_EQ(made->slots().size(), 3U);
  EXPECT_EQ(made->views().size(), 5U);
  EXPECT_EQ(made->arena().size(), 10'000 / kArenaUnit * kArenaUnit);
  for (const Slot& slot : made->slots()) {
    EXPECT_EQ(slot.phase, static_cast<std::uint32_t>(SlotPhase::kFree));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&slot) % 64, 0U);
  }
  made->slots()[2].generation = 77;
  made->views()[4].end = 78;
  made->arena().back() = std::byte{79};
  auto opened = SharedState::open(dup_of(*made));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->slots()[2].generation, 77U);
  EXPECT_EQ(opened->views()[4].end, 78U);
  EXPECT_EQ(opened->arena().back(), std::byte{79});
}

TEST(SharedStateTest, NobodyCanMakeItSmaller) {
  auto made = SharedState::create(kSize);
  ASSERT_TRUE(made);
  EXPECT_EQ(::ftruncate(made->fd(), 4096), -1);
}

TEST(SharedStateTest, OneThatIsMovedFromHoldsNothing) {
  auto made = SharedState::create(kSize);
  ASSERT_TRUE(made);
  SharedState other = std::move(*made);
  EXPECT_EQ(made->slots().size(), 0U);
  EXPECT_EQ(other.slots().size(), 3U);
  other = *SharedState::create({.slots = 9, .views = 1, .arena_bytes = 64});
  EXPECT_EQ(other.slots().size(), 9U);
}

TEST(SharedStateTest, WhatContradictsItselfIsRefused) {
  const std::function<void(StateHeader&)> faults[] = {
      [](StateHeader& h) { h.magic = 0; },
      [](StateHeader& h) { h.version = kStateVersion + 1; },
      [](StateHeader& h) { h.slot_bytes = 128; },
      [](StateHeader& h) { h.total_bytes += 4096; },
      [](StateHeader& h) { h.slots_at = 0; },
      [](StateHeader& h) { h.slots_at += 1; },
      [](StateHeader& h) { h.slots_at = ~std::uint64_t{63}; },
      [](StateHeader& h) { h.slots = 1'000'000; },
      [](StateHeader& h) { h.slots = ~0U; },
      [](StateHeader& h) { h.views = ~0U; },
      [](StateHeader& h) { h.views_at = h.total_bytes + 64; },
      [](StateHeader& h) { h.arena_bytes = ~std::uint64_t{0}; },
      [](StateHeader& h) { h.arena_at = 8; },
      [](StateHeader& h) { h.link_now = 2; },
  };
  for (std::size_t i = 0; i < std::size(faults); ++i) {
    auto made = SharedState::create(kSize);
    ASSERT_TRUE(made);
    ASSERT_TRUE(SharedState::open(dup_of(*made)));
    faults[i](made->header());
    const auto opened = SharedState::open(dup_of(*made));
    ASSERT_FALSE(opened) << "fault " << i;
    EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
  }
}

TEST(SharedStateTest, WhatIsNoStateAtAllIsRefused) {
  EXPECT_FALSE(SharedState::open(UniqueFd(::memfd_create("empty", MFD_CLOEXEC))));
  UniqueFd unsealed(::memfd_create("unsealed", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(unsealed.get(), 1 << 20), 0);
  EXPECT_FALSE(SharedState::open(std::move(unsealed)));
  EXPECT_FALSE(SharedState::open(UniqueFd()));
}

}  // namespace
}  // namespace sluice::keeper
