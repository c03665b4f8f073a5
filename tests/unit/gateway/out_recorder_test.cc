// Whatever instruction a gateway ends at, the records in the state memory let the next one send
// each client what it lacks, to the byte: random scripts, judged at every step.
#include "gateway/handoff/out_recorder.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/out_world.h"

namespace sluice::gateway {
namespace {

class OutRecorderTest : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, OutRecorderTest, testing::Range<std::uint64_t>(1, 9));

TEST_P(OutRecorderTest, EveryStepLeavesRecordsThatAreRight) {
  test::OutWorld world(GetParam(), {});
  for (int i = 0; i < 4000; ++i) {
    world.random_step();
    ASSERT_EQ(world.fault(), nullptr) << world.fault() << " after step " << i;
  }
  world.drain();
  ASSERT_EQ(world.fault(), nullptr) << world.fault();
  EXPECT_GT(world.partial_sends(), 100U);
  EXPECT_EQ(world.unrecoverable(), 0U);
}

TEST_P(OutRecorderTest, ProcessesThatEndAnywhereLoseNothing) {
  test::OutWorld world(GetParam(), {});
  for (int i = 0; i < 4000; ++i) {
    if (i % 37 == 36) {
      world.take_over();
    } else {
      world.random_step();
    }
    ASSERT_EQ(world.fault(), nullptr) << world.fault() << " after step " << i;
  }
  world.drain();
  ASSERT_EQ(world.fault(), nullptr) << world.fault();
  EXPECT_EQ(world.unrecoverable(), 0U);
  // And nothing stays behind.
  world.take_over();
  EXPECT_EQ(world.arena_used(), 0U);
}

TEST_P(OutRecorderTest, AnArenaThatIsFullIsSaidAndPasses) {
  test::OutWorld world(GetParam(), {.arena_bytes = 24U << 10U, .arena_suffices = false});
  for (int i = 0; i < 3000; ++i) {
    if (i % 101 == 100) {
      world.take_over();
    } else {
      world.random_step();
    }
    ASSERT_EQ(world.fault(), nullptr) << world.fault() << " after step " << i;
  }
  EXPECT_GT(world.unrecoverable(), 0U);
  world.drain();
  ASSERT_EQ(world.fault(), nullptr) << world.fault();
  for (const keeper::Slot& slot : world.state().slots())
    EXPECT_EQ(slot.out[slot.out_now].flags & keeper::kUnrecoverable, 0U);
}

/// Between any two instructions of the fan-out, the sender and the recorder.
TEST_P(OutRecorderTest, EveryInstructionLeavesRecordsThatAreRight) {
  if (!test::SingleStep::kAvailable) GTEST_SKIP() << "no single stepping on this machine";
  test::OutWorld world(GetParam(), {.clients = 3, .arena_bytes = 1U << 20U, .frame_bytes_max = 60});
  for (int i = 0; i < 100; ++i) world.random_step();
  world.single_step();
  for (int i = 1; world.instructions() < 60'000; ++i) {
    ASSERT_LT(i, 10'000) << "it does not step";
    if (i % 20 == 0) {
      world.take_over();
    } else {
      world.random_step();
    }
    ASSERT_EQ(world.fault(), nullptr) << world.fault() << " in step " << i;
  }
}

}  // namespace
}  // namespace sluice::gateway
