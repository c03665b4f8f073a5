#include "gateway/frame_run.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "gateway/frame_log.h"
#include "gateway/handoff/run_arena.h"
#include "gateway/limits.h"
#include "proto/frame.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

class FrameRunTest : public testing::Test {
 protected:
  FrameRunTest() : memory(1U << 20U), arena(memory), runs(arena) { FrameRun::use(&runs); }
  ~FrameRunTest() override { FrameRun::use(nullptr); }

  /// What a successor sees of a block.
  [[nodiscard]] std::vector<std::string> in_block(keeper::ArenaUnit unit) const {
    const auto* data = reinterpret_cast<const std::uint8_t*>(arena.data(unit));
    return test::payloads({data, arena.header(unit).used});
  }
  using Texts = std::vector<std::string>;

  std::vector<std::byte> memory;
  keeper::Arena arena;
  RunArena runs;
};

[[nodiscard]] FrameRef text(std::string_view payload) {
  return FrameRun::make(Opcode::kText, {}, proto::as_bytes(payload));
}

TEST_F(FrameRunTest, ARunLiesInItsBlock) {
  const FrameRef frame = text("hello");
  ASSERT_NE(frame->unit(), 0U);
  EXPECT_EQ(in_block(frame->unit()), Texts{"hello"});
  EXPECT_EQ(test::payloads(frame->bytes()), Texts{"hello"});
}

TEST_F(FrameRunTest, TheBlockSaysHowMuchOfItIsFrames) {
  const RefPtr<FrameRun> run = FrameRun::reserve(1000);
  const keeper::ArenaUnit unit = run->unit();
  EXPECT_EQ(arena.header(unit).used, 0U);
  run->append(Opcode::kText, "a", {});
  EXPECT_EQ(in_block(unit), Texts{"a"});
  run->append(Opcode::kText, "b", {});
  EXPECT_EQ(in_block(unit), (Texts{"a", "b"}));
  run->shrink();
  EXPECT_EQ(run->unit(), unit);
  EXPECT_EQ(run->room(), 0U);
  EXPECT_EQ(in_block(unit), (Texts{"a", "b"}));
  EXPECT_EQ(arena.used_bytes(), keeper::kArenaUnit);
  run->reset();
  EXPECT_EQ(arena.header(unit).used, 0U);
}

TEST_F(FrameRunTest, ItsBlockEndsWithIt) {
  FrameRef frame = text("x");
  EXPECT_GT(arena.used_bytes(), 0U);
  frame = FrameRef();
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST_F(FrameRunTest, RunsMadeBeforeMoveInAndStayWhereSendsLookForThem) {
  FrameRun::use(nullptr);
  const FrameRef early = text("early");
  EXPECT_EQ(early->move_in(), 0U);
  FrameRun::use(&runs);
  const std::span<const std::uint8_t> before = early->bytes();
  const keeper::ArenaUnit unit = early->move_in();
  ASSERT_NE(unit, 0U);
  EXPECT_EQ(early->unit(), unit);
  EXPECT_EQ(in_block(unit), Texts{"early"});
  EXPECT_EQ(test::payloads(before), Texts{"early"});
  EXPECT_EQ(early->move_in(), unit);
  const RefPtr<FrameRun> growing = [] {
    FrameRun::use(nullptr);
    return FrameRun::reserve(100);
  }();
  FrameRun::use(&runs);
  growing->append(Opcode::kText, "1", {});
  ASSERT_NE(growing->move_in(), 0U);
  growing->append(Opcode::kText, "2", {});
  EXPECT_EQ(in_block(growing->unit()), (Texts{"1", "2"}));
}

TEST_F(FrameRunTest, WithoutRoomTheyLieInTheHeap) {
  while (arena.allocate(1) != 0) {
  }
  const FrameRef frame = text("heap");
  EXPECT_EQ(frame->unit(), 0U);
  EXPECT_EQ(test::payloads(frame->bytes()), Texts{"heap"});
  EXPECT_EQ(frame->move_in(), 0U);
  EXPECT_EQ(runs.refused(), 2U);
}

TEST_F(FrameRunTest, OneThatIsThereIsAdoptedAsItIs) {
  const RunMemory::Block block = runs.allocate(100);
  std::memcpy(block.data, "\x81\x01z", 3);
  FrameRef frame = FrameRun::adopt(runs, block, 3);
  EXPECT_EQ(frame->unit(), block.unit);
  EXPECT_EQ(test::payloads(frame->bytes()), Texts{"z"});
  EXPECT_EQ(frame->room(), 0U);
  frame = FrameRef();
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST_F(FrameRunTest, ARunOfAChannelWastesNothing) {
  const RefPtr<FrameRun> small = FrameRun::reserve(kRunSmallBytes);
  EXPECT_EQ(arena.used_bytes(), 4U << 10U);
  const RefPtr<FrameRun> large = FrameRun::reserve(kRunLargeBytes);
  EXPECT_EQ(arena.used_bytes(), 68U << 10U);
}

}  // namespace
}  // namespace sluice::gateway
