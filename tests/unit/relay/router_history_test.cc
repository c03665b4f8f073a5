// Channels with history: positions, gaps, and HISTORY from ring and broker.
#include <gtest/gtest.h>

#include "relay/limits.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::ErrorReason;
using proto::Position;
using Lines = std::vector<std::string>;

constexpr std::uint64_t kEpoch = 5;

/// A gateway on a channel with history, which stands at offset 6 when it comes.
struct HistoryWorld : RouterWorld {
  explicit HistoryWorld(RouterOptions given = {}) : RouterWorld(given) {
    router.broker_connected();
    subscribe(*a, "h:c");
    router.subscribed("h:c", std::nullopt, Position{kEpoch, 6});
  }
  void deliver_up_to(std::uint64_t last) {
    for (; delivered < last; ++delivered)
      deliver_at("h:c", kEpoch, delivered + 1, "m" + std::to_string(delivered + 1));
  }
  /// What the broker has, (behind, top].
  static HistoryAnswer found(std::uint64_t behind, std::uint64_t top,
                             std::uint64_t epoch = kEpoch) {
    HistoryAnswer answer;
    answer.top = {epoch, top};
    for (std::uint64_t offset = behind + 1; offset <= top; ++offset)
      answer.publications.push_back({offset, "h" + std::to_string(offset), ""});
    return answer;
  }
  /// The question that came last is answered.
  void answer(HistoryAnswer given) {
    ASSERT_FALSE(broker.histories.empty());
    router.history(broker.histories.back().id, std::move(given));
  }
  RecordingLink link;
  GatewayState* a = &connect(link, "1111");
  std::uint64_t delivered = 6;
};

/// Of a ring that holds two messages only.
RouterOptions small_ring() {
  RouterOptions options;
  options.ring.messages_max = 2;
  return options;
}

// ---- positions

TEST(RouterPositions, AreTheHistorysAndAreSaidToBe) {
  HistoryWorld w;
  ASSERT_EQ(w.link.answers.size(), 1U);
  EXPECT_TRUE(w.link.answers[0].history);
  EXPECT_EQ(w.link.answers[0].start, (Position{kEpoch, 6}));
  EXPECT_TRUE(w.broker.options["h:c"].history());
  w.deliver_up_to(8);
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:7:m7", "2:8:m8"}));
  w.subscribe(*w.a, "c", 2);
  w.router.subscribed("c", std::nullopt);
  EXPECT_FALSE(w.link.answers.back().history);
  EXPECT_FALSE(w.broker.options["c"].history());
}

TEST(RouterPositions, WhatComesBesideTheHistoryIsHeardAndMovesNoPosition) {
  HistoryWorld w;
  w.deliver_up_to(7);
  w.deliver("h:c", "raw");
  EntryDraft draft(9);
  draft.append(proto::as_bytes("assembled"));
  w.router.message("h:c", std::move(draft));
  w.deliver_up_to(8);
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:7:m7", "2:7 beside:raw", "3:7 beside:assembled", "4:8:m8"}));
  // Who recovers does not get it, and misses nothing by that.
  RecordingLink late;
  GatewayState& b = w.connect(late, "2222");
  w.subscribe(b, "h:c", 1, Position{kEpoch, 6});
  EXPECT_TRUE(late.answers.back().continuous);
  EXPECT_EQ(w.drain(b), (Lines{"1:7:m7", "2:8:m8"}));
  w.recover(*w.a, "h:c", {kEpoch, 6});
  EXPECT_TRUE(w.broker.histories.empty());
  EXPECT_EQ(w.answers(*w.a), (Lines{"1:7:m7", "1:8:m8", "1:whole 5/8"}));
  // Who comes back to its link does.
  EXPECT_TRUE(b.index.can_resume(0));
  w.deliver("h:c", "again");
  EXPECT_EQ(w.drain(b), (Lines{"3:8 beside:again"}));
}

TEST(RouterPositions, OneThatIsTooLargeBesideTheHistoryIsAGapThatMovesNoPosition) {
  HistoryWorld w;
  w.deliver_up_to(7);
  w.drain(*w.a);
  w.router.message_oversized("h:c", proto::kPayloadBytesMax + 1);
  w.deliver_up_to(8);
  EXPECT_EQ(w.drain(*w.a), (Lines{"2:gap oversized 1", "3:8:m8"}));
  w.recover(*w.a, "h:c", {kEpoch, 6});
  EXPECT_EQ(w.answers(*w.a), (Lines{"1:7:m7", "1:8:m8", "1:whole 5/8"}));
}

TEST(RouterPositions, GoOnOverALossThatTheHistoryHasFilled) {
  HistoryWorld w;
  w.deliver_up_to(7);
  w.router.broker_away("gone");
  w.router.broker_connected();
  w.deliver_up_to(9);
  w.router.subscribed("h:c", std::nullopt, Position{kEpoch, 9});
  w.deliver_up_to(10);
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:7:m7", "2:8:m8", "3:9:m9", "4:10:m10"}));
  EXPECT_EQ(w.router.stats().gaps_broker, 0U);
}

TEST(RouterPositions, WhatTheHistoryHasNoLongerIsAGapOfKnownSize) {
  HistoryWorld w;
  w.deliver_up_to(7);
  w.router.position_lost("h:c", {kEpoch, 10});
  w.deliver_at("h:c", kEpoch, 11, "m11");
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:7:m7", "2:gap broker 3", "3:11:m11"}));
  EXPECT_EQ(w.router.stats().messages_lost, 3U);
  EXPECT_EQ(w.watcher.lines.back(), "lost h:c 3");
  // Told again it is none.
  w.router.position_lost("h:c", {kEpoch, 11});
  w.router.subscribed("h:c", std::chrono::seconds(1), Position{kEpoch, 11});
  EXPECT_TRUE(w.drain(*w.a).empty());
}

TEST(RouterPositions, AnotherEpochIsOneGapOfUnknownSize) {
  HistoryWorld w;
  w.deliver_up_to(7);
  w.router.position_lost("h:c", {9, 0});
  w.deliver_at("h:c", 9, 1, "n1");
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:7:m7", "2:gap broker ?", "3:1:n1"}));
  // Nobody knows of a time without listening.
  w.router.subscribed("h:c", std::nullopt, Position{10, 4});
  Outgoing next;
  w.router.take(*w.a, next);
  ASSERT_EQ(next.gaps.size(), 1U);
  EXPECT_EQ(next.gaps[0].duration_ms, 0U);
  EXPECT_EQ(next.gaps[0].position, (Position{10, 4}));
}

TEST(RouterPositions, AHistoryThatRunsBackwardsIsAGapOfUnknownSize) {
  HistoryWorld w;
  w.deliver_up_to(9);
  w.drain(*w.a);
  w.router.subscribed("h:c", std::chrono::seconds(2), Position{kEpoch, 3});
  w.deliver_at("h:c", kEpoch, 4, "again 4");
  EXPECT_EQ(w.drain(*w.a), (Lines{"4:gap broker ?", "5:4:again 4"}));
}

TEST(RouterPositions, AJumpIsALossAndWhatComesTwiceIsDropped) {
  HistoryWorld w;
  w.deliver_at("h:c", kEpoch, 7);
  w.deliver_at("h:c", kEpoch, 10);
  w.deliver_at("h:c", kEpoch, 10);
  w.deliver_at("h:c", kEpoch, 8);
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:7:m", "2:gap broker 2", "3:10:m"}));
  EXPECT_EQ(w.router.stats().messages_unwanted, 2U);
}

TEST(RouterPositions, OneTooLargeForTheLinkIsAGapOfOne) {
  HistoryWorld w;
  const std::string huge(proto::kPayloadBytesMax + 1, 'x');
  w.deliver_at("h:c", kEpoch, 7, huge);
  w.delivered = 7;
  w.deliver_up_to(8);
  EXPECT_EQ(w.drain(*w.a), (Lines{"1:gap oversized 1", "2:8:m8"}));
}

TEST(RouterPositions, FromAPositionOfTheHistoryTheRingFillsTheHoleOrSaysThatItCannot) {
  HistoryWorld w(small_ring());
  w.deliver_up_to(9);
  w.router.unsubscribe(*w.a, 1);
  w.drain(*w.a);
  w.subscribe(*w.a, "h:c", 2, Position{kEpoch, 8});
  EXPECT_TRUE(w.link.answers.back().continuous);
  w.drain(*w.a);
  w.router.unsubscribe(*w.a, 2);
  w.subscribe(*w.a, "h:c", 3, Position{kEpoch, 6});
  EXPECT_FALSE(w.link.answers.back().continuous);
  EXPECT_EQ(w.link.answers.back().start, (Position{kEpoch, 7}));
}

TEST(RouterPositions, PublishesHaveTheOptionsOfTheSubscription) {
  HistoryWorld w;
  w.policy.size = 7;
  w.publish(*w.a, "h:c", "one");
  EXPECT_EQ(w.broker.options["h:c"].history_size, 100U) << "as it was subscribed";
  w.publish(*w.a, "h:other", "two");
  EXPECT_EQ(w.broker.options["h:other"].history_size, 7U);
}

// ---- recovery

TEST(RouterHistory, ARecoveryThatTheRingHasAsksNobody) {
  HistoryWorld w;
  w.deliver_up_to(9);
  w.recover(*w.a, "h:c", {kEpoch, 7});
  w.recover(*w.a, "h:c", {kEpoch, 9}, 2);
  w.router.work();
  EXPECT_EQ(w.answers(*w.a), (Lines{"1:8:m8", "1:9:m9", "1:whole 5/9", "2:whole 5/9"}));
  EXPECT_TRUE(w.broker.histories.empty());
  EXPECT_EQ(w.router.stats().history_from_ring, 2U);
  EXPECT_EQ(w.router.requests(), 0U);
}

TEST(RouterHistory, ItSaysWhatIsThereWhenItIsSaid) {
  HistoryWorld w;
  w.deliver_up_to(7);
  w.recover(*w.a, "h:c", {kEpoch, 6});
  w.deliver_up_to(8);
  EXPECT_EQ(w.answers(*w.a), (Lines{"1:7:m7", "1:8:m8", "1:whole 5/8"}));
}

TEST(RouterHistory, AChannelWithoutHistoryRecoversFromTheRingAlone) {
  HistoryWorld w(small_ring());
  w.subscribe(*w.a, "c", 2);
  w.router.subscribed("c", std::nullopt);
  const std::uint64_t epoch = w.link.answers.back().start.epoch;
  const std::string at = std::to_string(epoch) + "/";
  for (const char* m : {"1", "2", "3"}) w.deliver("c", m);
  w.recover(*w.a, "c", {epoch, 1}, 1);
  w.recover(*w.a, "c", {epoch, 0}, 2);
  w.recover(*w.a, "c", {epoch + 1, 1}, 3);
  w.recover(*w.a, "c", {epoch, 4}, 4);
  w.ask_history(*w.a, "c", 5, {});
  w.recover(*w.a, "nobody's", {epoch, 1}, 6);
  w.router.work();
  EXPECT_EQ(w.answers(*w.a),
            (Lines{"1:2:2", "1:3:3", "1:whole " + at + "3", "2:end " + at + "3",
                   "3:end " + at + "3", "4:end " + at + "3", "5:end " + at + "3", "6:end 0/0"}));
  EXPECT_TRUE(w.broker.histories.empty());
  EXPECT_EQ(w.router.stats().history_incomplete, 4U);
}

TEST(RouterHistory, MoreThanWasAskedForIsNothing) {
  HistoryWorld w;
  w.deliver_up_to(9);
  w.recover(*w.a, "h:c", {kEpoch, 6}, 1, 2);
  w.recover(*w.a, "h:c", {kEpoch, 6}, 2, 3);
  w.recover(*w.a, "h:c", {kEpoch, 1}, 3, 7);
  w.router.work();
  EXPECT_TRUE(w.broker.histories.empty()) << "that it is too much is known without asking";
  EXPECT_EQ(w.answers(*w.a),
            (Lines{"1:end 5/9", "2:7:m7", "2:8:m8", "2:9:m9", "2:whole 5/9", "3:end 5/9"}));
}

TEST(RouterHistory, BeyondTheRingTheBrokerIsAskedAndTheRingCompletes) {
  HistoryWorld w(small_ring());
  w.deliver_up_to(8);
  w.recover(*w.a, "h:c", {kEpoch, 4});
  EXPECT_TRUE(w.broker.histories.empty()) << "not from inside";
  w.router.work();
  ASSERT_EQ(w.broker.histories.size(), 1U);
  EXPECT_EQ(w.broker.histories[0].query.since, (Position{kEpoch, 4}));
  EXPECT_TRUE(w.answers(*w.a).empty());
  w.deliver_up_to(9);
  w.answer(HistoryWorld::found(4, 8));
  w.deliver_up_to(10);
  EXPECT_EQ(w.answers(*w.a),
            (Lines{"1:5:h5", "1:6:h6", "1:7:h7", "1:8:h8", "1:9:m9", "1:10:m10", "1:whole 5/10"}));
}

TEST(RouterHistory, WhatTheBrokerKnowsAndTheRelayHasNotHeardIsInIt) {
  HistoryWorld w(small_ring());
  w.deliver_up_to(8);
  w.recover(*w.a, "h:c", {kEpoch, 7 - 2});
  w.router.work();
  w.answer(HistoryWorld::found(5, 12));
  const Lines lines = w.answers(*w.a);
  EXPECT_EQ(lines.size(), 8U);
  EXPECT_EQ(lines.back(), "1:whole 5/12");
}

TEST(RouterHistory, WhatTheRingLetGoOfMeanwhileIsAskedForAgainAndAtLastRefused) {
  HistoryWorld w(small_ring());
  w.deliver_up_to(8);
  w.recover(*w.a, "h:c", {kEpoch, 4});
  std::uint64_t top = 8;
  for (int i = 1; i <= kHistoryAskedMax; ++i) {
    w.router.work();
    ASSERT_EQ(w.broker.histories.size(), static_cast<std::size_t>(i));
    w.answer(HistoryWorld::found(4, top));
    top += 3;
    w.deliver_up_to(top);
    if (i < kHistoryAskedMax) {
      EXPECT_TRUE(w.answers(*w.a).empty());
    }
  }
  EXPECT_EQ(w.answers(*w.a), Lines{"1:refused queue full"});
  EXPECT_EQ(w.router.requests(), 0U);
}

TEST(RouterHistory, AnAnswerThatIsNotWholeIsNothing) {
  const auto says = [](HistoryAnswer given) {
    HistoryWorld w(small_ring());
    w.deliver_up_to(8);
    w.recover(*w.a, "h:c", {kEpoch, 4});
    w.router.work();
    w.answer(std::move(given));
    return w.answers(*w.a);
  };
  EXPECT_EQ(says(HistoryWorld::found(5, 8)), Lines{"1:end 5/8"}) << "trimmed";
  HistoryAnswer hole = HistoryWorld::found(4, 8);
  hole.publications.erase(hole.publications.begin() + 1);
  EXPECT_EQ(says(hole), Lines{"1:end 5/8"});
  HistoryAnswer twice = HistoryWorld::found(4, 8);
  twice.publications[1].offset = 5;
  EXPECT_EQ(says(twice), Lines{"1:end 5/8"});
  EXPECT_EQ(says(HistoryWorld::found(4, 8, 77)), Lines{"1:end 5/8"}) << "another epoch";
  EXPECT_EQ(says(HistoryWorld::found(0, 2)), Lines{"1:end 5/8"}) << "it runs backwards";
  HistoryAnswer fat = HistoryWorld::found(4, 8);
  fat.publications[2].meta.assign(proto::kMetaBytesMax + 1, 'x');
  EXPECT_EQ(says(fat), Lines{"1:end 5/8"});
}

TEST(RouterHistory, ARequestThatWaitedTooLongForTheRingGoesToTheBroker) {
  HistoryWorld w(small_ring());
  w.deliver_up_to(8);
  w.recover(*w.a, "h:c", {kEpoch, 6});
  w.deliver_up_to(10);
  EXPECT_TRUE(w.answers(*w.a).empty());
  w.router.work();
  ASSERT_EQ(w.broker.histories.size(), 1U);
  w.answer(HistoryWorld::found(6, 10));
  EXPECT_EQ(w.answers(*w.a).back(), "1:whole 5/10");
}

// ---- what the history holds

TEST(RouterHistory, WithoutRecoveryItIsWhatTheHistoryHolds) {
  HistoryWorld w;
  w.deliver_up_to(8);
  w.ask_history(*w.a, "h:c", 1, {.since = {}, .limit = 0, .reverse = false});
  EXPECT_EQ(w.answers(*w.a), Lines{"1:end 5/8"}) << "the position alone is known here";
  w.ask_history(*w.a, "h:c", 2, {.since = {}, .limit = 2, .reverse = true});
  w.router.work();
  ASSERT_EQ(w.broker.histories.size(), 1U);
  HistoryAnswer newest;
  newest.top = {kEpoch, 8};
  newest.publications = {{8, "h8", ""}, {7, "h7", ""}};
  w.deliver_up_to(9);
  w.answer(newest);
  EXPECT_EQ(w.answers(*w.a), (Lines{"2:9:m9", "2:8:h8", "2:end 5/9"}));
}

TEST(RouterHistory, NewerOnesFollowWhereTheyWereAskedFor) {
  HistoryWorld w;
  w.deliver_up_to(8);
  const auto ask = [&w](const proto::HistoryQuery& query, HistoryAnswer given) {
    w.ask_history(*w.a, "h:c", 1, query);
    w.router.work();
    w.deliver_up_to(w.delivered + 1);
    w.answer(std::move(given));
    return w.answers(*w.a);
  };
  EXPECT_EQ(
      ask({.since = Position{kEpoch, 7}, .limit = 10, .reverse = false}, HistoryWorld::found(7, 8)),
      (Lines{"1:8:h8", "1:9:m9", "1:end 5/9"}));
  EXPECT_EQ(
      ask({.since = Position{kEpoch, 7}, .limit = 2, .reverse = false}, HistoryWorld::found(7, 9)),
      (Lines{"1:8:h8", "1:9:h9", "1:end 5/10"}))
      << "as many as were asked for";
  HistoryAnswer first = HistoryWorld::found(7, 10);
  first.publications.resize(1);
  EXPECT_EQ(ask({.since = Position{kEpoch, 7}, .limit = 1, .reverse = false}, first),
            (Lines{"1:8:h8", "1:end 5/11"}));
  EXPECT_EQ(ask({.since = Position{99, 7}, .limit = 10, .reverse = false},
                {.error = {}, .top = {kEpoch, 11}, .publications = {}}),
            Lines{"1:end 5/12"})
      << "behind a position of another epoch nothing is known";
}

TEST(RouterHistory, OfAChannelThatNobodyHasTheBrokerKnows) {
  HistoryWorld w;
  w.ask_history(*w.a, "h:other", 1, {.since = {}, .limit = 0, .reverse = false});
  w.recover(*w.a, "h:other", {3, 1}, 2);
  w.router.work();
  ASSERT_EQ(w.broker.histories.size(), 2U);
  w.router.history(w.broker.histories[0].id, {.error = {}, .top = {3, 2}, .publications = {}});
  w.router.history(w.broker.histories[1].id, HistoryWorld::found(1, 2, 3));
  EXPECT_EQ(w.answers(*w.a), (Lines{"1:end 3/2", "2:2:h2", "2:whole 3/2"}));
}

// ---- refusals and bounds

TEST(RouterHistory, WhatTheBrokerRefusesIsRefused) {
  HistoryWorld w;
  w.ask_history(*w.a, "h:c", 1, {});
  w.router.work();
  w.answer({.error = "no", .top = {}, .publications = {}});
  EXPECT_EQ(w.answers(*w.a), Lines{"1:refused refused by the broker"});
  w.router.broker_away("gone");
  w.ask_history(*w.a, "h:c", 2, {});
  w.router.work();
  w.answer({.error = "away", .top = {}, .publications = {}});
  EXPECT_EQ(w.answers(*w.a), Lines{"2:refused timed out"});
  EXPECT_EQ(w.router.stats().requests_refused, 2U);
}

TEST(RouterHistory, AnAnswerToALinkThatIsGoneIsForgotten) {
  HistoryWorld w;
  w.ask_history(*w.a, "h:c", 1, {});
  w.ask_history(*w.a, "h:c", 2, {});
  w.router.work();
  w.router.detach(*w.a);
  EXPECT_EQ(w.router.requests(), 0U);
  w.answer(HistoryWorld::found(0, 6));
  EXPECT_EQ(w.router.queries_in_flight(), 1U);
  w.router.history(w.broker.histories[0].id, HistoryWorld::found(0, 6));
  EXPECT_EQ(w.router.queries_in_flight(), 0U);
  w.router.history(12345, {});
}

TEST(RouterHistory, QuestionsAreBoundedAndLinksTakeTurns) {
  HistoryWorld w;
  RecordingLink other;
  GatewayState& b = w.connect(other, "2222");
  for (std::uint64_t n = 1; n <= 3 * kLinkQueriesMax; ++n) w.ask_history(*w.a, "h:c", n, {});
  w.ask_history(b, "h:b", 1, {});
  w.router.work();
  EXPECT_EQ(w.broker.histories.size(), kLinkQueriesMax + 1);
  EXPECT_EQ(w.broker.histories[1].channel, "h:b");
  // What is not read holds the next questions back.
  HistoryAnswer large;
  large.top = {kEpoch, 6};
  large.publications.push_back({6, std::string(kHeldAnswerBytesMax, 'x'), ""});
  w.router.history(w.broker.histories[0].id, large);
  w.router.work();
  EXPECT_EQ(w.broker.histories.size(), kLinkQueriesMax + 1);
  EXPECT_EQ(w.answers(*w.a).size(), 2U);
  w.router.work();
  EXPECT_EQ(w.broker.histories.size(), kLinkQueriesMax + 2);
}

TEST(RouterHistory, RequestsOfALinkAreBounded) {
  HistoryWorld w;
  RecordingLink link;
  proto::Hello hello;
  hello.tool = true;
  GatewayState& tool = *w.router.attach_tool(link, hello)->gateway;
  for (std::uint64_t n = 1; n <= kToolRequestsMax; ++n)
    w.ask_history(tool, "h:c", n, {.since = {}, .limit = 0, .reverse = false});
  EXPECT_TRUE(link.refusals.empty());
  w.ask_history(tool, "h:c", 9999, {});
  ASSERT_EQ(link.refusals.size(), 1U);
  EXPECT_EQ(link.refusals[0].reason, ErrorReason::kQueueFull);
  // Names count as well.
  const std::string name(proto::kChannelNameBytesMax, 'n');
  std::uint64_t n = 0;
  while (w.link.refusals.empty()) w.recover(*w.a, name, {1, 1}, ++n);
  EXPECT_LT(n, kRequestsPerLinkMax);
  EXPECT_GT(n, kRequestsPerLinkMax / 2);
}

TEST(RouterHistory, TheEndRefusesWhatWasNotAsked) {
  HistoryWorld w;
  for (std::uint64_t n = 1; n <= kLinkQueriesMax + 1; ++n) w.ask_history(*w.a, "h:c", n, {});
  w.router.work();
  w.router.shut_down();
  EXPECT_EQ(w.answers(*w.a), Lines{std::to_string(kLinkQueriesMax + 1) + ":refused shutting down"});
  w.recover(*w.a, "h:c", {kEpoch, 6}, 77);
  EXPECT_EQ(w.link.refusals.back().reason, ErrorReason::kShuttingDown);
}

}  // namespace
}  // namespace sluice::relay
