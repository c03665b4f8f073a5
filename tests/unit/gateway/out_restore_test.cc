// Memory that is not what it should be: a takeover refuses and never looks beyond it.
#include "gateway/handoff/out_restore.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "common/random.h"
#include "proto/frame.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

using keeper::ArenaUnit;
using keeper::View;

class OutRestoreTest : public testing::Test {
 protected:
  OutRestoreTest()
      : state(*keeper::SharedState::create({.slots = 4, .views = 16, .arena_bytes = 64U << 10U})) {
    for (keeper::Slot& slot : state.slots()) {
      slot.phase = static_cast<std::uint32_t>(keeper::SlotPhase::kOpen);
      slot.has_counters = 1;
    }
  }
  /// A run of frames as a gateway leaves it.
  ArenaUnit run(const std::vector<std::string>& payloads) {
    std::string bytes;
    for (const std::string& payload : payloads)
      bytes += proto::as_text(FrameRun::make(Opcode::kText, payload, {})->bytes());
    return block(bytes);
  }
  ArenaUnit block(std::string_view bytes) {
    const ArenaUnit unit = before.allocate(bytes.size());
    std::memcpy(before.data(unit), bytes.data(), bytes.size());
    before.header(unit).used = static_cast<std::uint32_t>(bytes.size());
    return unit;
  }
  /// Restores one client.
  bool restore(std::vector<View> pending, OutResume at = {}) {
    blocks = collect_blocks(state, pending).value();
    next = std::make_unique<Next>(state, blocks);
    OutRestore restore(state, next->recorder, next->runs, blocks);
    session = &next->sessions.add();
    return restore.restore(*session, pending, at);
  }
  std::vector<std::string> waiting() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < session->outbox.parts(); ++i) {
      const RunView view = session->outbox.part(i);
      all.emplace_back(reinterpret_cast<const char*>(view.data()), view.size());
    }
    return all;
  }

  struct Next {
    Next(keeper::SharedState& state, const std::vector<ArenaUnit>& blocks)
        : arena(state.arena(), blocks), runs(arena), recorder(state, arena, sessions) {}
    keeper::Arena arena;
    RunArena runs;
    SessionTable sessions;
    OutRecorder recorder;
  };

  keeper::SharedState state;
  keeper::Arena before{state.arena()};
  std::vector<ArenaUnit> blocks;
  std::unique_ptr<Next> next;
  ClientSession* session = nullptr;
};

TEST_F(OutRestoreTest, PartsOfRunsAreCountedByTheirFrames) {
  const ArenaUnit one = run({"a", "bb", "ccc"});  // frames end at 3, 7, 12
  const ArenaUnit two = run({std::string(200, 'd')});
  ASSERT_TRUE(restore({{one, 1, 7}, {two, 0, 204}, {one, 7, 12}},
                      {.written = 9, .last_sequence = 5, .link_generation = 2}));
  EXPECT_EQ(session->outbox.bytes(), 6U + 204U + 5U);
  EXPECT_EQ(session->outbox.frames(), 4U);
  EXPECT_EQ(waiting()[2],
            "\x81\x03"
            "ccc");
  EXPECT_EQ(session->out.written, 9U);
  EXPECT_EQ(session->out.sequence, 5U);
  EXPECT_EQ(session->out.link_generation, 2U);
  EXPECT_TRUE(session->out.has_counters);
  EXPECT_EQ(session->phase, SessionPhase::kOpen);
}

TEST_F(OutRestoreTest, ACloseFrameThatIsQueuedCloses) {
  const ArenaUnit one = run({"bye"});
  ASSERT_TRUE(restore({{one, 0, 5}}, {.flags = keeper::kCloseQueued}));
  EXPECT_EQ(session->phase, SessionPhase::kClosing);
  EXPECT_TRUE(session->out.close_queued);
}

TEST_F(OutRestoreTest, ClientsThatShareARunShareItAgain) {
  const ArenaUnit one = run({"a", "b"});
  const std::vector<View> pending{{one, 0, 3}};
  blocks = collect_blocks(state, pending).value();
  next = std::make_unique<Next>(state, blocks);
  ClientSession& first = next->sessions.add();
  ClientSession& second = next->sessions.add();
  {
    OutRestore restore(state, next->recorder, next->runs, blocks);
    ASSERT_TRUE(restore.restore(first, pending, {}));
    ASSERT_TRUE(restore.restore(second, pending, {}));
  }
  EXPECT_EQ(first.outbox.part(0).run, second.outbox.part(0).run);
  EXPECT_TRUE(first.outbox.part(0).run->shared());
  first.outbox.clear();
  EXPECT_FALSE(second.outbox.part(0).run->shared());
  EXPECT_GT(next->arena.used_bytes(), 0U);
  second.outbox.clear();
  EXPECT_EQ(next->arena.used_bytes(), 0U);
}

TEST_F(OutRestoreTest, WhatIsNoWholeFramesIsRefused) {
  const ArenaUnit one = run({"a", "bb", "ccc"});
  EXPECT_FALSE(restore({{one, 0, 6}})) << "ends inside of a frame";
  EXPECT_FALSE(restore({{one, 0, 3}, {one, 4, 7}})) << "begins inside of one, and is not the first";
  EXPECT_FALSE(restore({{one, 3, 3}})) << "empty";
  EXPECT_FALSE(restore({{one, 7, 3}})) << "backwards";
  EXPECT_FALSE(restore({{one, 7, 64}})) << "beyond what is used";
  EXPECT_FALSE(restore({{one, 0, ~0U}})) << "beyond everything";
  EXPECT_FALSE(restore({{0, 0, 3}})) << "no run";
  EXPECT_FALSE(restore({{~0U, 0, 3}})) << "no block";
  EXPECT_FALSE(restore({{block(std::string_view("\x81\xFF", 2)), 0, 2}})) << "a masked frame";
  EXPECT_FALSE(
      restore({{block(std::string_view("\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 10)), 0, 10}}))
      << "a frame longer than any number";
  EXPECT_FALSE(restore({{one, 0, 3}}, {.flags = keeper::kUnrecoverable}));
  EXPECT_TRUE(session->outbox.empty());
  EXPECT_FALSE(session->out.recorded);
  EXPECT_TRUE(restore({{one, 0, 3}}));
}

TEST_F(OutRestoreTest, AllBlocksOfOpenSlotsAreCollectedOnce) {
  const ArenaUnit one = run({"a"});
  const ArenaUnit queue = block("queue");
  const ArenaUnit message = block("message");
  const ArenaUnit scanner = block("scanner");
  const ArenaUnit record = block("session");
  const ArenaUnit stale = block("stale");
  keeper::Slot& slot = state.slots()[1];
  slot.out_now = 1;
  slot.out[0].queue = stale;
  slot.out[1].queue = queue;
  slot.in[0] = {.message = message, .scanner = scanner};
  slot.in[1] = {.message = stale, .scanner = ~0U};
  slot.session = std::uint64_t{record} << 32U | 7;
  const std::vector<View> pending{{one, 0, 3}, {one, 0, 3}, {9999, 0, 3}};
  EXPECT_EQ(collect_blocks(state, pending).value(),
            (std::vector<ArenaUnit>{one, queue, message, scanner, record}));
  slot.phase = static_cast<std::uint32_t>(keeper::SlotPhase::kFree);
  EXPECT_EQ(collect_blocks(state, {}).value(), std::vector<ArenaUnit>{});
}

TEST_F(OutRestoreTest, BlocksThatOverlapAreNothingToRelyOn) {
  const ArenaUnit one = run({std::string(500, 'x')});
  before.header(one + 2) = {.bytes = 56, .used = 0};
  ASSERT_TRUE(keeper::Arena::valid(state.arena(), one + 2));
  state.slots()[0].out[0].queue = one + 2;
  const std::vector<View> pending{{one, 0, 3}};
  EXPECT_FALSE(collect_blocks(state, pending));
  state.slots()[0].out[0].queue = one;
  EXPECT_FALSE(collect_blocks(state, pending)) << "a queue that is a run too";
  state.slots()[1].out[0].queue = one;
  EXPECT_FALSE(collect_blocks(state, {})) << "a queue of two";
}

TEST_F(OutRestoreTest, NothingIsReadBeyondTheMemoryWhateverStandsInIt) {
  SeededRandom random(5);
  for (int i = 0; i < 3000; ++i) {
    for (std::byte& byte : state.arena().first(2048)) byte = static_cast<std::byte>(random.next());
    std::vector<View> pending;
    for (int n = 0; n < 3; ++n) {
      const auto unit = static_cast<ArenaUnit>(1 + random.below(31));
      auto& header = before.header(unit);
      header.bytes = (64U << random.below(11)) - 8;
      header.used = static_cast<std::uint32_t>(random.below(header.bytes + 1));
      pending.push_back({unit, static_cast<std::uint32_t>(random.below(300)),
                         static_cast<std::uint32_t>(random.below(600))});
    }
    state.slots()[0].out[0].queue = static_cast<ArenaUnit>(random.below(32));
    if (!collect_blocks(state, pending)) continue;
    (void)restore(pending);
    next->recorder.sync_all();
  }
}

}  // namespace
}  // namespace sluice::gateway
