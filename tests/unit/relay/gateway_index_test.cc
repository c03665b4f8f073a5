#include "relay/gateway_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>

#include "common/random.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;

constexpr std::size_t kOne = proto::kHeaderBytes + 5;  // "hello"

/// An index over a ring, with channels whose offsets count up.
struct IndexedWorld {
  explicit IndexedWorld(GatewayIndexOptions options = {}, ReplayRingOptions ring_options = {})
      : ring(ring_options), index(options) {}

  ReplayRing ring;
  GatewayIndex index;
  std::map<std::uint32_t, proto::Position> tops;
  Outgoing next;

  bool route(std::uint32_t channel) {
    proto::Position& top = tops.try_emplace(channel, proto::Position{1, 0}).first->second;
    ++top.offset;
    const auto made = entry(channel, top.epoch, top.offset);
    return index.append_message(ring, ring.append(made), channel, *made);
  }
  bool route_beside(std::uint32_t channel) {
    const proto::Position top = tops.try_emplace(channel, proto::Position{1, 0}).first->second;
    const auto made = entry_beside(channel, top.epoch, top.offset);
    return index.append_message(ring, ring.append(made), channel, *made);
  }
  void lose_continuity(std::uint32_t channel, std::uint64_t ms) {
    proto::Position& top = tops[channel];
    top = {top.epoch + 1, 0};
    index.append_break(channel, top, ms);
  }
  Outgoing::Kind take() {
    index.take(ring, next);
    return next.kind;
  }
};

TEST(GatewayIndex, HandsOutInOrderWithSequencesFromOne) {
  IndexedWorld w;
  EXPECT_EQ(w.take(), Outgoing::Kind::kNothing);
  w.route(1);
  w.route(2);
  w.route(1);
  EXPECT_EQ(w.index.queue_bytes(), 3 * kOne);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.sequence, 1U);
  EXPECT_EQ(w.next.channel_id, 1U);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.channel_id, 2U);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.sequence, 3U);
  EXPECT_EQ(w.next.entry->position().offset, 2U);
  EXPECT_EQ(w.take(), Outgoing::Kind::kNothing);
  EXPECT_EQ(w.index.queue_bytes(), 0U);
}

TEST(GatewayIndex, WhatIsOverTheQueueBoundBecomesOneGapPerChannel) {
  IndexedWorld w({.queue_bytes_max = 8 * kOne, .entries_max = 1000});
  int overruns = 0;
  for (int i = 0; i < 20; ++i) overruns += w.route(i % 2 == 0 ? 1 : 2) ? 1 : 0;
  EXPECT_EQ(overruns, 1);
  EXPECT_LE(w.index.queue_bytes(), 8 * kOne);
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  ASSERT_EQ(w.next.gaps.size(), 2U);
  const proto::Gap& gap = w.next.gaps[0];
  EXPECT_EQ(gap.channel_id, 1U);
  EXPECT_EQ(gap.cause, proto::GapCause::kOverrun);
  EXPECT_EQ(gap.first_missing, 1U);
  EXPECT_EQ(gap.position.offset, gap.count);
  // A link that ends between the two must not resume behind both.
  EXPECT_EQ(gap.sequence, 0U);
  const std::uint64_t behind = w.next.gaps[1].sequence;
  EXPECT_EQ(gap.count + w.next.gaps[1].count, behind);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.sequence, behind + 1);
}

TEST(GatewayIndex, WhatTheRingHasLostBecomesAGap) {
  IndexedWorld w({}, {.messages_max = 4, .bytes_max = 1U << 20U, .age_max = 1h});
  for (int i = 0; i < 10; ++i) w.route(1);
  EXPECT_EQ(w.index.queue_bytes(), 4 * kOne);
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].first_missing, 1U);
  EXPECT_EQ(w.next.gaps[0].count, 6U);
  EXPECT_EQ(w.next.gaps[0].sequence, 6U);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.sequence, 7U);
}

TEST(GatewayIndex, OneMessageOverTheBoundStillGoes) {
  IndexedWorld w({.queue_bytes_max = 10, .entries_max = 1000});
  EXPECT_FALSE(w.route(1));
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
}

TEST(GatewayIndex, WhatIsLostBesideTheHistoryIsToldAndMovesNoPosition) {
  IndexedWorld w({.queue_bytes_max = 1U << 20U, .entries_max = 2});
  w.route(1);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  w.route_beside(1);
  w.route_beside(1);
  EXPECT_EQ(w.index.positions_at_cursor()[1], (proto::Position{1, 1}));
  w.route_beside(1);
  EXPECT_EQ(w.index.positions_at_cursor()[1], (proto::Position{1, 1}));
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  ASSERT_EQ(w.next.gaps.size(), 1U);
  EXPECT_EQ(w.next.gaps[0].cause, proto::GapCause::kOverrun);
  EXPECT_EQ(w.next.gaps[0].position, (proto::Position{1, 1}));
  EXPECT_EQ(w.next.gaps[0].first_missing, 2U);
  EXPECT_EQ(w.next.gaps[0].count, 1U);
  EXPECT_EQ(w.next.gaps[0].sequence, 2U);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_TRUE(w.next.entry->beside());
  EXPECT_EQ(w.next.sequence, 3U);
}

TEST(GatewayIndex, OneThatIsTooLargeBesideTheHistoryMovesNoPosition) {
  IndexedWorld w;
  w.route(1);
  w.index.append_oversized(1, w.tops[1], true);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.index.positions_at_cursor()[1], (proto::Position{1, 1}));
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].cause, proto::GapCause::kOversized);
  EXPECT_EQ(w.next.gaps[0].position, (proto::Position{1, 1}));
  EXPECT_EQ(w.next.gaps[0].count, 1U);
}

TEST(GatewayIndex, LostContinuityStandsInItsPlace) {
  IndexedWorld w;
  w.route(1);
  w.lose_continuity(1, 1500);
  w.route(1);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  const proto::Gap& gap = w.next.gaps[0];
  EXPECT_EQ(gap.cause, proto::GapCause::kBroker);
  EXPECT_EQ(gap.count, proto::kCountUnknown);
  EXPECT_EQ(gap.first_missing, 0U);
  EXPECT_EQ(gap.duration_ms, 1500U);
  EXPECT_EQ(gap.position, (proto::Position{2, 0}));
  EXPECT_EQ(gap.sequence, 2U);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.sequence, 3U);
}

TEST(GatewayIndex, OversizedAloneIsACauseOfItsOwnAndBesideAnotherThatOne) {
  IndexedWorld w({}, {.messages_max = 2, .bytes_max = 1U << 20U, .age_max = 1h});
  const auto oversized = [&] { w.index.append_oversized(1, {1, ++w.tops[1].offset}); };
  w.tops[1] = {1, 0};
  oversized();
  oversized();
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].cause, proto::GapCause::kOversized);
  EXPECT_EQ(w.next.gaps[0].first_missing, 1U);
  EXPECT_EQ(w.next.gaps[0].count, 2U);
  oversized();
  for (int i = 0; i < 3; ++i) w.route(1);  // the first of them is gone from the ring
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].cause, proto::GapCause::kOverrun);
  EXPECT_EQ(w.next.gaps[0].count, 2U);
  while (w.take() == Outgoing::Kind::kMessage) continue;
  oversized();
  w.lose_continuity(1, 5);
  oversized();
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].cause, proto::GapCause::kBoth);
  EXPECT_EQ(w.next.gaps[0].count, proto::kCountUnknown);
}

TEST(GatewayIndex, OverrunAndLostContinuityMakeOneGapOfUnknownSize) {
  IndexedWorld w({}, {.messages_max = 2, .bytes_max = 1U << 20U, .age_max = 1h});
  for (int i = 0; i < 3; ++i) w.route(1);
  w.lose_continuity(1, 700);
  for (int i = 0; i < 3; ++i) w.route(1);
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  ASSERT_EQ(w.next.gaps.size(), 1U);
  EXPECT_EQ(w.next.gaps[0].cause, proto::GapCause::kBoth);
  EXPECT_EQ(w.next.gaps[0].count, proto::kCountUnknown);
  EXPECT_EQ(w.next.gaps[0].position, (proto::Position{2, 1}));
  EXPECT_EQ(w.next.gaps[0].duration_ms, 700U);
}

TEST(GatewayIndex, ResumesBehindWhatWasReceived) {
  IndexedWorld w;
  for (int i = 0; i < 5; ++i) w.route(1);
  for (int i = 0; i < 5; ++i) w.take();
  EXPECT_FALSE(w.index.can_resume(6));
  ASSERT_TRUE(w.index.can_resume(2));
  w.index.resume(w.ring, 2);
  EXPECT_EQ(w.index.queue_bytes(), 3 * kOne);
  ASSERT_EQ(w.take(), Outgoing::Kind::kMessage);
  EXPECT_EQ(w.next.sequence, 3U);
  w.index.resume(w.ring, 5);
  EXPECT_EQ(w.take(), Outgoing::Kind::kNothing);
}

TEST(GatewayIndex, ASentMessageThatTheRingLostIsAGapAfterResume) {
  IndexedWorld w({}, {.messages_max = 2, .bytes_max = 1U << 20U, .age_max = 1h});
  for (int i = 0; i < 6; ++i) {
    w.route(1);
    w.take();
  }
  w.index.resume(w.ring, 1);
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].first_missing, 2U);
  EXPECT_EQ(w.next.gaps[0].count, 3U);
  EXPECT_EQ(w.next.gaps[0].sequence, 4U);
}

// ---- where channels go on, for a gateway that has forgotten

using Positions = std::unordered_map<std::uint32_t, proto::Position>;

TEST(GatewayIndex, TellsWhereChannelsStandAtTheCursor) {
  IndexedWorld w;
  w.route(1);  // 1
  w.route(2);
  w.route(1);  // 3
  w.lose_continuity(1, 10);
  w.lose_continuity(2, 10);  // 5
  w.route(1);
  w.index.append_oversized(3, {7, 4});  // 7
  w.index.resume(w.ring, 0);
  EXPECT_EQ(w.index.positions_at_cursor(), (Positions{{1, {1, 0}}, {2, {1, 0}}, {3, {7, 3}}}));
  w.index.resume(w.ring, 2);
  EXPECT_EQ(w.index.positions_at_cursor(), (Positions{{1, {1, 1}}, {2, {1, 1}}, {3, {7, 3}}}));
  w.index.resume(w.ring, 4);
  EXPECT_EQ(w.index.positions_at_cursor(), (Positions{{1, {2, 0}}, {2, {1, 1}}, {3, {7, 3}}}));
  w.index.resume(w.ring, 7);
  EXPECT_TRUE(w.index.positions_at_cursor().empty());
}

TEST(GatewayIndex, WhereAChannelStoodBeforeABreakIsForgottenWithItsLastMessage) {
  IndexedWorld w({.queue_bytes_max = 1U << 20U, .entries_max = 3});
  w.route(1);
  w.route(2);
  w.lose_continuity(1, 10);
  EXPECT_EQ(w.index.positions_at_cursor().at(1), (proto::Position{1, 0}));
  (void)w.take();
  (void)w.take();
  w.route(2);  // the first one is forgotten
  EXPECT_EQ(w.index.oldest(), 2U);
  EXPECT_EQ(w.index.positions_at_cursor().at(1), proto::Position{});
}

TEST(GatewayIndex, WhereAChannelStandsIsKnownOfWhatIsSummedUpToo) {
  IndexedWorld w({.queue_bytes_max = 1U << 20U, .entries_max = 2});
  w.route(1);
  w.lose_continuity(2, 10);
  w.route(1);
  w.route(1);
  EXPECT_EQ(w.index.oldest(), 3U);
  ASSERT_TRUE(w.index.can_resume(0));
  w.index.resume(w.ring, 0);
  EXPECT_EQ(w.index.positions_at_cursor(), (Positions{{1, {1, 0}}, {2, {}}}));
}

TEST(GatewayIndex, ForgetsTheOldestSentAndSumsUpTheOldestUnsent) {
  IndexedWorld w({.queue_bytes_max = 1U << 20U, .entries_max = 10});
  for (int i = 0; i < 5; ++i) {
    w.route(1);
    w.take();
  }
  for (int i = 0; i < 30; ++i) w.route(2);
  EXPECT_EQ(w.index.entries(), 10U);
  EXPECT_FALSE(w.index.can_resume(3));
  EXPECT_TRUE(w.index.can_resume(5));
  EXPECT_EQ(w.index.queue_bytes(), 10 * kOne);
  w.index.resume(w.ring, 5);
  ASSERT_EQ(w.take(), Outgoing::Kind::kGaps);
  EXPECT_EQ(w.next.gaps[0].first_missing, 1U);
  EXPECT_EQ(w.next.gaps[0].count, 20U);
  EXPECT_EQ(w.next.gaps[0].sequence, 25U);
  EXPECT_EQ(w.index.queue_bytes(), 10 * kOne);
}

/// The other end: notes which offsets of a channel came or were told as missing.
class Receiver {
 public:
  struct Frame {
    std::uint64_t sequence;
    std::uint32_t channel;
    std::uint64_t first;
    std::uint64_t last;
    bool message;
    bool beside;
  };

  void receive(const Frame& frame) {
    Channel& channel = channels_[frame.channel];
    if (frame.message) {
      ASSERT_EQ(frame.sequence, sequence_ + 1);
      sequence_ = frame.sequence;
      if (frame.beside) {
        ASSERT_EQ(frame.first, channel.covered) << "not where the channel stands";
        return;
      }
      ASSERT_GT(frame.first, channel.last_message) << "twice or out of order";
      channel.last_message = frame.first;
    } else {
      ASSERT_GE(frame.sequence, sequence_);
    }
    sequence_ = frame.sequence;
    ASSERT_LE(frame.first, channel.covered + 1) << "a silent gap";
    channel.covered = std::max(channel.covered, frame.last);
  }
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  [[nodiscard]] std::uint64_t covered(std::uint32_t channel) { return channels_[channel].covered; }

 private:
  struct Channel {
    std::uint64_t last_message = 0;
    std::uint64_t covered = 0;
  };
  std::uint64_t sequence_ = 0;
  std::map<std::uint32_t, Channel> channels_;
};

void send_next(IndexedWorld& w, std::deque<Receiver::Frame>& socket) {
  if (w.take() == Outgoing::Kind::kMessage) {
    const std::uint64_t offset = w.next.entry->position().offset;
    socket.push_back(
        {w.next.sequence, w.next.channel_id, offset, offset, true, w.next.entry->beside()});
  }
  for (const proto::Gap& g : w.next.gaps) {
    // Those beside the history are counted too.
    ASSERT_LE(g.position.offset + 1 - g.first_missing, g.count);
    socket.push_back({g.sequence, g.channel_id, g.first_missing, g.position.offset, false, false});
  }
}

/// Whatever is routed, sent, lost and resumed: a receiver can account for every offset of every
/// channel.
TEST(GatewayIndex, EveryMessageIsReceivedOnceOrTold) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    IndexedWorld w(
        {.queue_bytes_max = kOne * (4 + random.below(40)), .entries_max = 20 + random.below(60)},
        {.messages_max = 4 + random.below(60), .bytes_max = 1U << 20U, .age_max = 1h});
    Receiver receiver;
    std::deque<Receiver::Frame> socket;
    const auto read_one = [&] {
      receiver.receive(socket.front());
      socket.pop_front();
    };
    for (int step = 0; step < 600; ++step) {
      const std::uint64_t what = random.below(10);
      if (what < 4) w.route(1 + static_cast<std::uint32_t>(random.below(3)));
      if (what == 4) w.route_beside(1 + static_cast<std::uint32_t>(random.below(3)));
      if (what == 5 || what == 6) send_next(w, socket);
      for (std::uint64_t n = what == 7 ? random.below(6) : 0; n > 0 && !socket.empty(); --n) {
        read_one();
      }
      if (what == 9 && random.below(5) == 0 && w.index.can_resume(receiver.sequence())) {
        socket.clear();
        w.index.resume(w.ring, receiver.sequence());
      }
      if (HasFatalFailure()) return;
    }
    while (w.index.pending()) send_next(w, socket);
    while (!socket.empty()) read_one();
    for (const auto& [channel, top] : w.tops) ASSERT_EQ(receiver.covered(channel), top.offset);
    EXPECT_EQ(w.index.queue_bytes(), 0U);
  }
}

}  // namespace
}  // namespace sluice::relay
