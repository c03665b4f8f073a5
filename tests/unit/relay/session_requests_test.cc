// HISTORY and PRESENCE over a link: what leaves in which order, and a storm of recoveries.
#include <gtest/gtest.h>

#include "relay/limits.h"
#include "tests/unit/relay/session_link.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::FrameType;
using proto::Position;
using Types = std::vector<FrameType>;

constexpr std::uint64_t kSessionEpoch = 5;

struct OpenLink : RouterWorld {
  OpenLink() {
    router.broker_connected();
    link.hello("1111");
    (void)link.receive();
    link.subscribe("h:c");
    router.subscribed("h:c", std::nullopt, Position{kSessionEpoch, 0});
    (void)link.receive();
  }
  void deliver_next(std::size_t bytes = 5) {
    ++top;
    deliver_at("h:c", kSessionEpoch, top, std::string(bytes, 'm'));
  }
  void ask(std::uint64_t request, std::uint64_t since, bool recover = true) {
    std::string out;
    proto::History h;
    h.request = request;
    h.recover = recover;
    h.query.since = Position{kSessionEpoch, since};
    h.channel = "h:c";
    proto::encode(out, h);
    link.send(out);
  }
  Link link{*this};
  std::uint64_t top = 0;
};

TEST(SessionRequests, WelcomeSaysThatTheyAreKnown) {
  RouterWorld w;
  Link link(w);
  link.hello("1111");
  OutputBatch batch;
  ASSERT_TRUE(link.session.fill(batch));
  std::array<iovec, 3> pieces;
  ASSERT_EQ(batch.pieces(pieces), 1U);
  link.decoder.feed({static_cast<const std::uint8_t*>(pieces[0].iov_base), pieces[0].iov_len});
  const auto frame = link.decoder.next().value();
  EXPECT_EQ(proto::decode_welcome(*frame)->features, proto::kFeatureHistory);
}

TEST(SessionRequests, ARecoveryIsAnswered) {
  OpenLink w;
  w.deliver_next();
  w.deliver_next(kCopiedBodyBytesMax + 1);
  (void)w.link.receive();
  w.ask(9, 0);
  EXPECT_EQ(w.link.receive(),
            (Types{FrameType::kHistoryItem, FrameType::kHistoryItem, FrameType::kHistoryEnd}));
  EXPECT_EQ(w.link.last.sequence, 9U);
  EXPECT_EQ(w.link.last.offset, 2U);
  EXPECT_EQ(w.link.bodies[w.link.bodies.size() - 2].size(), kCopiedBodyBytesMax + 1);
  EXPECT_TRUE(w.link.session.idle());
}

TEST(SessionRequests, APresenceIsAnsweredOrRefused) {
  OpenLink w;
  std::string out;
  proto::encode(out, proto::Presence{.request = 3, .channel = "c"});
  proto::encode(out, proto::Presence{.request = 4, .channel = "c"});
  w.link.send(out);
  w.router.work();
  ASSERT_EQ(w.broker.presences.size(), 2U);
  w.router.presence(w.broker.presences[0].id,
                    {.error = {}, .clients = 1, .users = 1, .entries = {{"x", "ann", "info"}}});
  w.router.presence(w.broker.presences[1].id,
                    {.error = "no", .clients = 0, .users = 0, .entries = {}});
  EXPECT_EQ(w.link.receive(),
            (Types{FrameType::kPresenceItem, FrameType::kPresenceEnd, FrameType::kError}));
  EXPECT_EQ(w.link.last.sequence, 4U);
}

TEST(SessionRequests, AToolMayAskAndNotTell) {
  for (const bool set : {true, false}) {
    RouterWorld w;
    Link tool(w);
    tool.hello_tool();
    (void)tool.receive();
    std::string out;
    proto::encode(out, proto::History{.request = 1, .query = {}, .channel = "c"});
    tool.send(out);
    EXPECT_EQ(tool.receive(), Types{FrameType::kHistoryEnd});
    out.clear();
    if (set) {
      proto::encode(out, proto::PresenceSet{.channel = "c", .client = "x", .user = "u"});
    } else {
      proto::encode_presence_synced(out);
    }
    tool.send(out);
    EXPECT_EQ(tool.receive(), Types{FrameType::kError});
    EXPECT_TRUE(tool.session.ending());
  }
}

TEST(SessionRequests, WhatOnlyARelaySaysEndsTheLink) {
  OpenLink w;
  std::string out;
  proto::encode(out, proto::HistoryEnd{.request = 1, .top = {}});
  w.link.send(out);
  EXPECT_TRUE(w.link.session.ending());
}

TEST(SessionRequests, PresenceIsToldToTheBroker) {
  OpenLink w;
  std::string out;
  proto::encode(out, proto::PresenceSet{.channel = "c", .client = "x", .user = "ann"});
  proto::encode(out, proto::PresenceSet{.channel = "c", .client = "y", .user = "bob"});
  proto::encode(out, proto::PresenceClear{.channel = "c", .client = "x"});
  proto::encode_presence_synced(out);
  w.link.send(out);
  w.router.work();
  EXPECT_EQ(w.broker.presence_changes,
            (std::vector<std::string>{"+c/x/ann", "+c/y/bob", "-c/x/ann"}));
}

/// What a link carries, judged as PROTOCOL.md has it.
struct Judge {
  void take(const proto::FrameView& frame) {
    switch (frame.header.type) {
      case FrameType::kMessage:
        EXPECT_FALSE(amid_answer) << "a message within an answer";
        carried = frame.header.offset;
        if (ends == 0) ++messages_before_first_end;
        ++messages;
        return;
      case FrameType::kHistoryItem:
        amid_answer = true;
        EXPECT_TRUE(last_offset == 0 || frame.header.offset == last_offset + 1);
        last_offset = frame.header.offset;
        return;
      case FrameType::kHistoryEnd:
        EXPECT_TRUE((frame.header.flags & proto::kFlagComplete) != 0);
        EXPECT_GE(frame.header.offset, carried);
        EXPECT_EQ(frame.header.offset, last_offset);
        amid_answer = false;
        last_offset = 0;
        if (messages == 0) ++ends_before_first_message;
        ++ends;
        return;
      default:
        ADD_FAILURE() << static_cast<int>(frame.header.type);
    }
  }
  bool amid_answer = false;
  std::uint64_t last_offset = 0;
  std::uint64_t carried = 0;
  std::size_t messages = 0;
  std::size_t ends = 0;
  std::size_t messages_before_first_end = 0;
  std::size_t ends_before_first_message = 0;
};

TEST(SessionRequests, AStormOfRecoveriesNeitherEndsTheLinkNorStarvesItsMessages) {
  constexpr std::size_t kRecoveries = 5000;
  constexpr std::size_t kMessages = 3000;
  OpenLink w;
  for (int i = 0; i < 20; ++i) w.deliver_next(100);
  (void)w.link.receive();
  for (std::uint64_t n = 1; n <= kRecoveries; ++n) w.ask(n, 5);
  EXPECT_TRUE(w.link.session.open());
  EXPECT_FALSE(w.link.session.ending()) << w.link.session.end_text();
  for (std::size_t i = 0; i < kMessages; ++i) w.deliver_next(100);
  Judge judge;
  judge.carried = 20;
  OutputBatch batch;
  std::size_t largest = 0;
  while (w.link.session.fill(batch)) {
    largest = std::max(largest, batch.bytes());
    while (!batch.empty()) {
      std::array<iovec, kBatchPiecesMax> pieces;
      const std::size_t count = batch.pieces(pieces);
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        w.link.decoder.feed(
            {static_cast<const std::uint8_t*>(pieces[i].iov_base), pieces[i].iov_len});
        bytes += pieces[i].iov_len;
      }
      batch.consume(bytes);
    }
    while (const auto frame = w.link.decoder.next().value()) judge.take(*frame);
    // Each is answered with thousands of publications: the rest of the test is their number.
    if (judge.ends == 20) break;
  }
  EXPECT_GT(judge.messages, 100U);
  EXPECT_LT(judge.ends_before_first_message, 5U);
  EXPECT_LT(largest, kBatchBytesTarget + 1024);
  EXPECT_TRUE(w.broker.histories.empty()) << "the ring has it all";
  EXPECT_EQ(w.router.requests(), kRecoveries - judge.ends);
}

TEST(SessionRequests, ManySmallRecoveriesAreAllAnswered) {
  constexpr std::size_t kRecoveries = 5000;
  OpenLink w;
  for (int i = 0; i < 10; ++i) w.deliver_next(100);
  (void)w.link.receive();
  for (std::uint64_t n = 1; n <= kRecoveries; ++n) w.ask(n, n % 10);
  const Types types = w.link.receive();
  EXPECT_EQ(std::count(types.begin(), types.end(), FrameType::kHistoryEnd),
            static_cast<std::ptrdiff_t>(kRecoveries));
  EXPECT_EQ(w.router.requests(), 0U);
  EXPECT_EQ(w.router.stats().history_from_ring, kRecoveries);
}

TEST(SessionRequests, AnAnswerOfTheBrokerLeavesInBatches) {
  OpenLink w;
  w.router.position_lost("h:c", {kSessionEpoch, 100});
  (void)w.link.receive();
  w.ask(1, 0);
  w.router.work();
  ASSERT_EQ(w.broker.histories.size(), 1U);
  HistoryAnswer found;
  found.top = {kSessionEpoch, 100};
  for (std::uint64_t offset = 1; offset <= 100; ++offset)
    found.publications.push_back({offset, std::string(10'000, 'x'), "meta"});
  w.router.history(w.broker.histories[0].id, std::move(found));
  OutputBatch batch;
  std::size_t batches = 0;
  while (w.link.session.fill(batch)) {
    ++batches;
    EXPECT_LT(batch.bytes(), kBatchTextBytesTarget + 11'000);
    batch.consume(batch.bytes());
  }
  EXPECT_GT(batches, 10U);
  EXPECT_EQ(w.router.requests(), 0U);
}

}  // namespace
}  // namespace sluice::relay
