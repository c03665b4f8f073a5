// The recorder by hand: slots, the link's record, bounds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

#include "gateway/handoff/out_recorder.h"
#include "gateway/handoff/run_arena.h"
#include "gateway/sender.h"

namespace sluice::gateway {
namespace {

/// Takes so much of each send, and lets somebody look before it does.
struct LookingTransport final : Transport {
  LookingTransport(const std::function<void()>& look, const std::int32_t& takes)
      : look(look), takes(takes) {}
  [[nodiscard]] std::string_view name() const override { return "look"; }
  void send(std::span<SendOp> batch) override {
    look();
    for (SendOp& op : batch) {
      for (std::uint32_t i = 0; i < op.vector_count; ++i)
        op.result += static_cast<std::int32_t>(op.vectors[i].iov_len);
      op.result = std::min(op.result, takes);
    }
  }
  void opened(std::uint32_t /*slot*/, int /*fd*/) override {}
  void closed(std::uint32_t /*slot*/) override {}
  const std::function<void()>& look;
  const std::int32_t& takes;
};

class OutSlotTest : public testing::Test {
 protected:
  explicit OutSlotTest(std::uint32_t views = 16)
      : state(*keeper::SharedState::create({.slots = 2, .views = views, .arena_bytes = 1U << 20U})),
        arena(state.arena()),
        runs(arena),
        recorder(state, arena, sessions),
        sender({.client_queue_bytes = 1U << 20U}, sessions, time),
        session(sessions.add()) {
    FrameRun::use(&runs);
    sender.use(std::make_unique<LookingTransport>(look, takes));
    sender.record_with(recorder);
    EXPECT_TRUE(recorder.prepare(session,
                                 {.sent_before = 11, .received_before = 12, .has_counters = true}));
    recorder.opened(session);
  }
  ~OutSlotTest() override { FrameRun::use(nullptr); }

  [[nodiscard]] const keeper::OutRecord& record(std::size_t slot = 0) const {
    const keeper::Slot& s = state.slots()[slot];
    return s.out[s.out_now];
  }
  [[nodiscard]] const keeper::LinkRecord& link() const {
    return state.header().link[state.header().link_now];
  }
  FrameRef frame(std::size_t payload_bytes = 10) {
    held.push_back(FrameRun::make(Opcode::kText, std::string(payload_bytes, 'x'), {}));
    return held.back();
  }
  void give_due(std::uint64_t sequence) {
    const FrameRef run = frame();
    const RunView view{run.get(), 0, static_cast<std::uint32_t>(run->size()), 1};
    session.state.last_sequence = sequence;
    sender.deliver_due(session, {&view, 1});
  }

  ManualTime time;
  keeper::SharedState state;
  keeper::Arena arena;
  RunArena runs;
  SessionTable sessions;
  std::vector<FrameRef> held;
  OutRecorder recorder;
  std::function<void()> look = [] {};
  std::int32_t takes = std::numeric_limits<std::int32_t>::max();
  Sender sender;
  ClientSession& session;
};

TEST_F(OutSlotTest, ASlotOpensLastAndEndsFirst) {
  const keeper::Slot& slot = state.slots()[0];
  EXPECT_EQ(slot.phase, static_cast<std::uint32_t>(keeper::SlotPhase::kOpen));
  EXPECT_EQ(slot.generation, session.ref.generation);
  EXPECT_EQ(slot.sent_before, 11U);
  EXPECT_EQ(slot.received_before, 12U);
  EXPECT_EQ(slot.has_counters, 1U);
  sender.deliver(session, frame());
  recorder.sync(session);
  EXPECT_NE(record().queue, 0U);
  sender.forget(session);
  EXPECT_EQ(slot.phase, static_cast<std::uint32_t>(keeper::SlotPhase::kFree));
  held.clear();
  recorder.sync_all();
  EXPECT_EQ(arena.used_bytes(), 0U);
  recorder.closed(session);
  ClientSession& next = sessions.add();
  ASSERT_EQ(next.ref.index, 1U);
  ASSERT_TRUE(recorder.prepare(next, {}));
  EXPECT_EQ(state.slots()[1].phase, static_cast<std::uint32_t>(keeper::SlotPhase::kFree));
}

/// The client was given more before the batch has left: what is recorded of the first send must not
/// speak of the second.
TEST_F(OutSlotTest, ASequenceIsRecordedWithItsFrames) {
  std::vector<std::uint64_t> recorded;
  look = [&] { recorded.push_back(record().last_sequence); };
  give_due(5);
  give_due(7);
  sender.end_slice();
  EXPECT_EQ(recorded, (std::vector<std::uint64_t>{5, 7}));
  session.state.last_sequence = 9;  // nothing was due
  sender.deliver(session, frame());
  recorder.sync(session);
  EXPECT_EQ(record().last_sequence, 7U);
}

/// Queued behind a send that is under way, and of that only a part leaves.
TEST_F(OutSlotTest, WhatIsLeftOfASendComesBeforeWhatIsQueued) {
  give_due(5);
  sender.deliver(session, frame());
  std::uint32_t queued = 0;
  look = [&] { queued = record().queue_count; };
  takes = 3;
  sender.end_slice();
  EXPECT_EQ(queued, 1U);
  EXPECT_EQ(record().written, 3U);
  EXPECT_EQ(record().intent_bytes, 0U);
  ASSERT_EQ(record().queue_count, 2U);
  EXPECT_EQ(record().queue_head_begin, 3U);
  keeper::View views[2];
  std::memcpy(&views, arena.data(record().queue) + record().queue_head * sizeof(keeper::View),
              sizeof views);
  EXPECT_EQ(views[0].run, held[0]->unit());
  EXPECT_EQ(views[1].run, held[1]->unit());
}

TEST_F(OutSlotTest, AQueueThatGrowsAndGoesLeavesNothingBehind) {
  session.blocked = true;
  for (int i = 0; i < 300; ++i) {
    sender.deliver(session, frame());
    if (i % 3 == 0) recorder.sync(session);
  }
  recorder.sync(session);
  EXPECT_EQ(record().queue_count, 300U);
  takes = 50;
  for (int i = 0; i < 20; ++i) {
    sender.writeable(session);
    sender.flush(1);
    sender.deliver(session, frame());
  }
  takes = std::numeric_limits<std::int32_t>::max();
  sender.writeable(session);
  while (sender.flush(1)) {
  }
  held.clear();
  EXPECT_EQ(record().queue, 0U);
  EXPECT_EQ(arena.used_bytes(), 0U);
}

TEST_F(OutSlotTest, ASendThatLeavesWholeCostsOneRecord) {
  for (int i = 0; i < 10; ++i) {
    give_due(static_cast<std::uint64_t>(i) + 1);
    sender.end_slice();
  }
  EXPECT_EQ(recorder.stats().records, 10U);
  EXPECT_EQ(record().written, 9 * held[0]->size());
  EXPECT_EQ(record().intent_bytes, held[0]->size());
  recorder.settle(session);
  EXPECT_EQ(record().written, 10 * held[0]->size());
  EXPECT_EQ(record().intent_bytes, 0U);
  recorder.sync(session);
  EXPECT_EQ(recorder.stats().records, 11U);
}

TEST_F(OutSlotTest, TheLinkIsRecordedAfterWhatWasGiven) {
  sender.deliver(session, frame());
  recorder.link(77, 1, 40);
  EXPECT_EQ(record().queue_count, 1U);
  EXPECT_EQ(record().link_generation, 0U);
  EXPECT_EQ(link().relay_instance, 77U);
  EXPECT_EQ(link().generation, 1U);
  EXPECT_EQ(recorder.link_generation(), 1U);
  EXPECT_EQ(link().settled_sequence, 40U);
  sender.deliver(session, frame());
  recorder.settled(41);
  EXPECT_EQ(record().queue_count, 2U);
  EXPECT_EQ(record().link_generation, 0U) << "nothing of the new link was given";
  EXPECT_EQ(link().settled_sequence, 41U);
  EXPECT_EQ(link().relay_instance, 77U);
  session.blocked = true;
  give_due(42);
  recorder.sync_all();
  EXPECT_EQ(record().link_generation, 1U);
  EXPECT_EQ(record().last_sequence, 42U);
}

TEST_F(OutSlotTest, ACloseFrameThatIsQueuedIsSaid) {
  sender.close(session, CloseCode::kGoingAway, "");
  EXPECT_EQ(record().flags, 0U);
  recorder.sync_all();
  EXPECT_EQ(record().flags, std::uint32_t{keeper::kCloseQueued});
  sender.flush(1);
  EXPECT_EQ(record().flags, std::uint32_t{keeper::kCloseQueued});
  EXPECT_EQ(record().queue_count, 0U);
}

TEST_F(OutSlotTest, WhatWasQueuedBeforeItHadASlotIsInItsFirstRecord) {
  ClientSession& early = sessions.add();
  const FrameRef pong = frame();
  sender.deliver(early, pong);
  sender.close(early, CloseCode::kTryAgainLater, "too many channels");
  ASSERT_TRUE(recorder.prepare(early, {.has_counters = true}));
  recorder.sync(early);
  recorder.opened(early);
  EXPECT_EQ(record(1).queue_count, 2U);
  EXPECT_EQ(record(1).flags, keeper::kCloseQueued);
  EXPECT_EQ(record(1).written, 0U);
  sender.forget(early);
}

TEST_F(OutSlotTest, ASessionWithoutASlotIsServedAndNotRecorded) {
  ClientSession& second = sessions.add();
  ClientSession& third = sessions.add();
  EXPECT_TRUE(recorder.prepare(second, {}));
  EXPECT_FALSE(recorder.prepare(third, {}));
  recorder.opened(third);
  EXPECT_EQ(recorder.stats().without_slot, 1U);
  sender.deliver(third, frame());
  sender.flush(10);
  recorder.sync_all();
  recorder.settle(third);
  sender.forget(third);
  EXPECT_EQ(recorder.stats().records, 0U);
  EXPECT_EQ(sender.stats().frames_out, 1U);
}

class FewViewsTest : public OutSlotTest {
 protected:
  FewViewsTest() : OutSlotTest(1) {}
};

TEST_F(FewViewsTest, AnIntentThatDoesNotFitIsSaidUntilItHasLeft) {
  std::vector<RunView> views;
  for (int i = 0; i < 2; ++i) {
    const FrameRef run = frame();
    views.push_back({run.get(), 0, static_cast<std::uint32_t>(run->size()), 1});
  }
  std::uint32_t flags = 0;
  look = [&] { flags = record().flags; };
  sender.deliver_due(session, views);
  sender.end_slice();
  EXPECT_EQ(flags, std::uint32_t{keeper::kUnrecoverable});
  EXPECT_EQ(record().flags, 0U);
  EXPECT_EQ(record().written, 2 * held[0]->size());
  EXPECT_EQ(recorder.stats().unrecoverable, 1U);
}

}  // namespace
}  // namespace sluice::gateway
