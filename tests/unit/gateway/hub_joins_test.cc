// From the wish to have a channel to being its subscriber: whatever the link does meanwhile, the
// client is told where the channel stands for it, and gets all that comes behind that, once.
#include "gateway/limits.h"
#include "tests/unit/gateway/joining.h"

namespace sluice::gateway {
namespace {

using proto::Position;
using test_joining::HubJoining;
using test_joining::Lines;

class HubJoins : public HubJoining {};

TEST_F(HubJoins, ManyWaitForOneConfirmation) {
  connect();
  ClientSession& a = client();
  ClientSession& b = client();
  EXPECT_TRUE(join(a, "x", 1));
  EXPECT_TRUE(join(b, "x", 2));
  EXPECT_EQ(heard(), Lines{"subscribe x"});
  turn();
  EXPECT_EQ(told(a), Lines{});
  EXPECT_EQ(hub.unanswered(), 2U);
  confirm("x", 5, {9, 3}, true);
  EXPECT_EQ(told(a), Lines{});  // never from inside
  turn();
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/3 history"});
  EXPECT_EQ(told(b), Lines{"joined 2 x 9/3 history"});
  EXPECT_EQ(hub.unanswered(), 0U);
  EXPECT_EQ(hub.subscriptions(), 2U);
  message(5, 4, "m");
  turn();
  EXPECT_EQ(told(a), Lines{"> m"});
  EXPECT_EQ(told(b), Lines{"> m"});
}

TEST_F(HubJoins, BeginsAtTheMomentsPosition) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  confirm("x", 5, {9, 3});
  message(5, 4, "before");
  turn();
  message(5, 5, "behind");
  turn();
  EXPECT_EQ(told(a), (Lines{"joined 1 x 9/4", "> behind"}));
}

TEST_F(HubJoins, WhatOthersAreStillToGetIsNotItsOwn) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  confirm("x", 5, {9, 0});
  turn();
  message(5, 1, "1");
  ClientSession& b = client();
  join(b, "x");
  turn();
  EXPECT_EQ(told(a), (Lines{"joined 1 x 9/0", "> 1"}));
  EXPECT_EQ(told(b), (Lines{"joined 1 x 9/1"}));
}

TEST_F(HubJoins, OfAChannelThatIsThereNeverFromInside) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  confirm("x", 5, {9, 0});
  turn();
  ClientSession& b = client();
  join(b, "x");
  EXPECT_EQ(told(b), Lines{});
  turn();
  EXPECT_EQ(told(b), Lines{"joined 1 x 9/0"});
  EXPECT_EQ(heard(), Lines{"subscribe x"});
}

TEST_F(HubJoins, ASliceATurn) {
  connect();
  std::vector<ClientSession*> all;
  for (std::size_t i = 0; i < kJoinsPerTurn + 1; ++i) {
    all.push_back(&client());
    ASSERT_TRUE(join(*all.back(), "x"));
  }
  confirm("x", 5, {9, 0});
  EXPECT_TRUE(hub.work());
  EXPECT_EQ(hub.joins_waiting(), 1U);
  message(5, 1, "1");
  EXPECT_FALSE(hub.work());
  turn();
  EXPECT_EQ(told(*all.front()), (Lines{"joined 1 x 9/0", "> 1"}));
  EXPECT_EQ(told(*all.back()), (Lines{"joined 1 x 9/1"}));
}

// ---- recovery

class HubRecovery : public HubJoins {
 protected:
  HubRecovery() {
    connect();
    ClientSession& other = client();
    join(other, "x");
    confirm("x", 5, {9, 10}, true);
    turn();
    heard();
  }
  ClientSession& back(std::optional<Position> since) {
    ClientSession& session = client();
    EXPECT_TRUE(join(session, "x", 1, since));
    turn();
    return session;
  }
};

TEST_F(HubRecovery, NothingMissedIsKnownWithoutAsking) {
  const ClientSession& a = back(Position{9, 10});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history recovered"});
  const ClientSession& b = back(Position{8, 10});
  EXPECT_EQ(told(b), Lines{"joined 1 x 9/10 history"});
  EXPECT_EQ(heard(), Lines{});
  EXPECT_EQ(hub.stats().recovered, 1U);
  EXPECT_EQ(hub.stats().unrecovered, 1U);
}

TEST_F(HubRecovery, WhatComesBesideTheHistoryMovesNoPosition) {
  const ClientSession& a = back(Position{9, 10});
  message(5, 10, "raw", true);
  message(5, 11, "eleven");
  turn();
  EXPECT_EQ(told(a), (Lines{"joined 1 x 9/10 history recovered", "> raw", "> eleven"}));
  EXPECT_EQ(protocol.encoded, (std::vector<Position>{{9, 0}, {9, 11}}));
  message(5, 11, "raw", true);
  const ClientSession& b = back(Position{9, 11});
  EXPECT_EQ(told(b), Lines{"joined 1 x 9/11 history recovered"});
  EXPECT_EQ(heard(), Lines{}) << "nothing was missed";
}

TEST_F(HubRecovery, GetsWhatItMissedAndThenTheRest) {
  const ClientSession& a = back(Position{9, 8});
  EXPECT_EQ(heard(), Lines{"recover x since 9/8 max 300"});
  message(5, 11, "eleven");  // carried before the answer: of the answer it is taken
  item(request, 9, "nine", "+m");
  item(request, 10, "ten");
  item(request, 11, "eleven");
  item(request, 12, "twelve");  // not carried yet: the link brings it
  end_of_history(request, {9, 12});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/11 history recovered 9:nine+m 10:ten 11:eleven"});
  message(5, 12, "twelve");
  turn();
  EXPECT_EQ(told(a), Lines{"> twelve"});
  EXPECT_EQ(hub.stats().recovered_publications, 3U);
}

TEST_F(HubRecovery, AnyEpochIsTheChannels) {
  const ClientSession& a = back(Position{0, 9});
  EXPECT_EQ(heard(), Lines{"recover x since 9/9 max 300"});
  item(request, 10, "ten");
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history recovered 10:ten"});
}

TEST_F(HubRecovery, WholeOrNotAtAll) {
  const ClientSession& a = back(Position{9, 8});
  heard();
  end_of_history(request, {9, 10}, false);
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history"});
  const ClientSession& b = back(Position{9, 7});
  heard();
  item(request, 8, "8");
  item(request, 10, "10");
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(b), Lines{"joined 1 x 9/10 history"}) << "one is missing in between";
  const ClientSession& c = back(Position{9, 7});
  heard();
  item(request, 8, "8");
  end_of_history(request, {9, 8});
  EXPECT_EQ(told(c), Lines{"joined 1 x 9/10 history"}) << "the end is missing";
  const ClientSession& d = back(Position{9, 7});
  heard();
  end_of_history(request, {4, 8});
  EXPECT_EQ(told(d), Lines{"joined 1 x 9/10 history"}) << "another epoch";
  const ClientSession& e = back(Position{9, 700});
  heard();
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(e), Lines{"joined 1 x 9/10 history"}) << "a position that nobody had";
}

TEST_F(HubRecovery, AClientThatHasMoreThanTheLinkWaitsForTheLink) {
  const ClientSession& a = back(Position{9, 12});
  EXPECT_EQ(heard(), Lines{"recover x since 9/12 max 300"});
  end_of_history(request, {9, 13});
  turn();
  message(5, 11, "eleven");
  turn();
  EXPECT_EQ(told(a), Lines{});
  message(5, 12, "twelve");
  turn();
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/12 history recovered"});
  message(5, 13, "thirteen");
  turn();
  EXPECT_EQ(told(a), Lines{"> thirteen"});
}

TEST_F(HubRecovery, TheLinkMayPassItMeanwhile) {
  const ClientSession& a = back(Position{9, 11});
  heard();
  end_of_history(request, {9, 12});
  message(5, 11, "eleven");
  message(5, 12, "twelve");
  turn();
  EXPECT_EQ(heard(), Lines{"recover x since 9/11 max 300"});
  item(request, 12, "twelve");
  end_of_history(request, {9, 12});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/12 history recovered 12:twelve"});
}

TEST_F(HubRecovery, AGapMeanwhile) {
  const ClientSession& a = back(Position{9, 8});
  heard();
  tell(proto::Gap{.channel_id = 5,
                  .sequence = sequence += 3,
                  .cause = proto::GapCause::kBroker,
                  .position = {77, 2}});
  item(request, 9, "nine");
  item(request, 10, "ten");
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(a), Lines{"joined 1 x 77/2 history"});
  const ClientSession& b = back(Position{77, 5});
  heard();
  end_of_history(request, {77, 9});  // waits for 5
  tell(proto::Gap{.channel_id = 5,
                  .sequence = sequence += 1,
                  .cause = proto::GapCause::kBroker,
                  .position = {78, 0}});
  turn();
  EXPECT_EQ(told(b), Lines{"joined 1 x 78/0 history"});
}

TEST_F(HubRecovery, AnErrorAndSilenceFailIt) {
  const ClientSession& a = back(Position{9, 8});
  heard();
  tell(proto::ErrorFrame{
      .request = request, .reason = proto::ErrorReason::kQueueFull, .text = "full"});
  EXPECT_EQ(told(a), Lines{"failed 1 queue full"});
  ClientSession& b = back(Position{9, 8});
  heard();
  time.advance(kLinkRequestWait);
  ASSERT_TRUE(link.tick());
  EXPECT_EQ(told(b), Lines{"failed 1 timed out"});
  // The answer comes all the same, and is nobody's.
  item(request, 9, "nine");
  end_of_history(request, {9, 9});
  EXPECT_EQ(told(b), Lines{});
  EXPECT_EQ(hub.stats().join_failures, 2U);
  EXPECT_TRUE(join(b, "x", 2));
  turn();
  EXPECT_EQ(told(b), Lines{"joined 2 x 9/10 history"});
}

TEST_F(HubRecovery, ARelayThatIsUpgradedAmidTheAnswerIsAskedAgain) {
  const ClientSession& a = back(Position{9, 8});
  heard();
  item(request, 9, "half of the answer");
  tell(proto::ErrorFrame{
      .request = request, .reason = proto::ErrorReason::kUnknownFate, .text = "upgraded"});
  turn();
  EXPECT_EQ(told(a), Lines{});
  EXPECT_EQ(heard(), Lines{"recover x since 9/8 max 300"});
  item(request, 9, "nine");
  item(request, 10, "ten");
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history recovered 9:nine 10:ten"});
  EXPECT_EQ(hub.stats().join_failures, 0U);
}

TEST_F(HubRecovery, ALostLinkIsAskedAgain) {
  const ClientSession& a = back(Position{9, 8});
  heard();
  item(request, 9, "half of the answer");
  link.disconnected();
  time.advance(std::chrono::seconds(4));
  connect(true);
  EXPECT_EQ(heard(), Lines{"recover x since 9/8 max 300"});
  time.advance(std::chrono::seconds(4));
  ASSERT_TRUE(link.tick());
  EXPECT_EQ(told(a), Lines{});
  item(request, 9, "nine");
  item(request, 10, "ten");
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history recovered 9:nine 10:ten"});
}

TEST_F(HubRecovery, OnAFreshLinkTheChannelIsConfirmedFirst) {
  const ClientSession& a = back(Position{9, 8});
  connect(false, proto::kFeatureHistory, 8);
  turn();
  const Lines out = heard();
  EXPECT_EQ(out.at(0), "subscribe x from 9/10");
  EXPECT_EQ(out.at(1), "recover x since 9/8 max 300");
  item(request, 9, "nine");
  item(request, 10, "ten");
  end_of_history(request, {9, 10});
  turn();
  EXPECT_EQ(told(a), Lines{});
  confirm("x", 1, {9, 10}, true, true);
  turn();
  EXPECT_EQ(heard(), Lines{"recover x since 9/8 max 300"});
  item(request, 9, "nine");
  item(request, 10, "ten");
  end_of_history(request, {9, 10});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history recovered 9:nine 10:ten"});
}

TEST_F(HubRecovery, TheTimeWithoutALinkIsNoFailure) {
  link.disconnected();
  const ClientSession& a = back(Position{9, 8});
  for (int i = 0; i < 30; ++i) {
    time.advance(std::chrono::seconds(1));
    ASSERT_TRUE(link.tick());
    turn();
  }
  EXPECT_EQ(told(a), Lines{});
  connect(true);
  EXPECT_EQ(heard(), Lines{"recover x since 9/8 max 300"});
}

TEST_F(HubRecovery, ARelayThatKnowsNoHistory) {
  connect(true, 0);
  const ClientSession& a = back(Position{9, 8});
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history"});
  ClientSession& b = client();
  EXPECT_FALSE(hub.ask_history(b, 3, "x", {}));
  EXPECT_FALSE(hub.ask_presence(b, 3, "x", true));
  EXPECT_EQ(heard(), Lines{});
}

TEST_F(HubRecovery, WhatWasAskedOfARelayThatIsReplacedByAnOldOne) {
  const ClientSession& a = back(Position{9, 8});
  ClientSession& b = client();
  EXPECT_TRUE(hub.ask_history(b, 3, "x", {}));
  connect(true, 0);
  turn();
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/10 history"});
  EXPECT_EQ(told(b), Lines{"failed 3 refused by the broker"});
}

// ---- leaving

TEST_F(HubJoins, LeavesBeforeTheAnswer) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  join(a, "y", 2, Position{9, 1});
  confirm("y", 6, {9, 3});
  turn();
  heard();
  hub.leave(a, "x");
  hub.leave(a, "y");
  hub.leave(a, "z");
  EXPECT_EQ(heard(), Lines{"unsubscribe 6"});
  end_of_history(request, {9, 3});
  confirm("x", 5, {9, 3});
  EXPECT_EQ(heard(), Lines{"unsubscribe 5"});
  turn();
  EXPECT_EQ(told(a), Lines{});
  EXPECT_EQ(hub.channels(), 0U);
  EXPECT_EQ(hub.unanswered(), 0U);
}

TEST_F(HubJoins, JoinsAgainWhileTheOldAnswerIsOnItsWay) {
  connect();
  ClientSession& keeps = client();
  join(keeps, "x");
  ClientSession& a = client();
  join(a, "x", 1, Position{9, 1});
  confirm("x", 5, {9, 2});
  turn();
  heard();
  const std::uint64_t first = request;
  hub.leave(a, "x");
  join(a, "x", 2, Position{9, 1});
  turn();
  heard();
  item(first, 2, "old");
  end_of_history(first, {9, 2});
  EXPECT_EQ(told(a), Lines{});
  item(request, 2, "two");
  end_of_history(request, {9, 2});
  EXPECT_EQ(told(a), Lines{"joined 2 x 9/2 recovered 2:two"});
}

TEST_F(HubJoins, WhatWasDueGoesOutBeforeItLeaves) {
  connect();
  ClientSession& a = client();
  ClientSession& b = client();
  for (const char* channel : {"x", "y", "z"}) join(a, channel);
  join(b, "x");
  confirm("x", 5, {9, 0});
  confirm("y", 6, {9, 0});
  confirm("z", 7, {9, 0});
  turn();
  told(a);
  told(b);
  heard();
  changed.clear();
  message(5, 1, "x1");
  message(7, 1, "z1");
  hub.leave(a, "x");
  EXPECT_EQ(told(a), (Lines{"> x1", "> z1"}));
  EXPECT_EQ(changed, std::vector<std::uint32_t>{a.ref.index});
  // Places in the lists have moved.
  message(7, 2, "z2");
  message(5, 2, "x2");
  message(6, 1, "y1");
  turn();
  EXPECT_EQ(told(a), (Lines{"> z2", "> y1"}));
  EXPECT_EQ(told(b), (Lines{"> x1", "> x2"}));
  hub.leave(a, "z");
  message(6, 2, "y2");
  turn();
  EXPECT_EQ(told(a), Lines{"> y2"});
  EXPECT_EQ(heard(), Lines{"unsubscribe 7"});
  EXPECT_EQ(hub.subscriptions(), 2U);
  join(a, "x", 4);
  turn();
  EXPECT_EQ(told(a), Lines{"joined 4 x 9/2"});
}

TEST_F(HubJoins, LeavesAtAGapAndTheChannelEndsInside) {
  connect();
  protocol.leaves_at_gap = true;
  ClientSession& a = client();
  ClientSession& b = client();
  join(a, "x");
  join(b, "x");
  confirm("x", 5, {9, 0});
  turn();
  heard();
  tell(proto::Gap{.channel_id = 5,
                  .sequence = sequence += 2,
                  .cause = proto::GapCause::kOverrun,
                  .position = {9, 2},
                  .count = 2});
  EXPECT_EQ(told(a), (Lines{"joined 1 x 9/0", "gap x"}));
  EXPECT_EQ(told(b), (Lines{"joined 1 x 9/0", "gap x"}));
  EXPECT_EQ(hub.channels(), 0U);
  EXPECT_EQ(heard(), Lines{"unsubscribe 5"});
  // The same where the link tells it that begins anew.
  join(a, "x");
  confirm("x", 6, {9, 5});
  turn();
  connect(false, proto::kFeatureHistory, 8);
  confirm("x", 1, {10, 0});
  EXPECT_EQ(told(a), (Lines{"joined 1 x 9/5", "gap x"}));
  EXPECT_EQ(hub.channels(), 0U);
}

TEST_F(HubJoins, ASessionThatEndsWaitsForNothing) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  join(a, "y", 2, Position{9, 1});
  confirm("y", 6, {9, 3});
  turn();
  heard();
  hub.closed(a);
  EXPECT_EQ(told(a), Lines{"closed with 0"});
  hub.closed(a);
  EXPECT_EQ(told(a), Lines{});
  sessions.remove(a.ref);
  EXPECT_EQ(hub.channels(), 0U);
  ClientSession& b = client();  // in its slot
  join(b, "y", 3);
  confirm("x", 5, {9, 3});
  end_of_history(request, {9, 3});
  turn();
  EXPECT_EQ(told(b), Lines{});
  EXPECT_EQ(hub.joins_waiting(), 1U);
}

TEST_F(HubJoins, LastWordsWhileItHasItsChannels) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  confirm("x", 5, {9, 0});
  turn();
  told(a);
  hub.closed(a);
  EXPECT_EQ(told(a), Lines{"closed with 1"});
  EXPECT_EQ(hub.subscriptions(), 0U);
}

TEST_F(HubJoins, OfAClientThatIsBeingClosedNothingComes) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  EXPECT_TRUE(hub.ask_history(a, 2, "x", {}));
  heard();
  a.phase = SessionPhase::kClosing;
  end_of_history(request, {9, 0});
  confirm("x", 5, {9, 0});
  turn();
  EXPECT_EQ(told(a), Lines{});
  EXPECT_EQ(hub.channels(), 0U);
  EXPECT_EQ(heard(), Lines{"unsubscribe 5"});
}

// ---- bounds, refusals, links

TEST_F(HubJoins, ChannelsAreBounded) {
  connect();
  ClientSession& a = client();
  for (const char* channel : {"a", "b", "c", "d"}) EXPECT_TRUE(join(a, channel));
  EXPECT_FALSE(join(a, "e"));
  ClientSession& b = client();
  EXPECT_TRUE(join(b, "a"));
  hub.leave(a, "d");
  EXPECT_TRUE(join(a, "e"));
}

TEST_F(HubJoins, AChannelThatTheRelayRefuses) {
  connect();
  ClientSession& a = client();
  ClientSession& b = client();
  join(a, "x", 1);
  join(b, "x", 2);
  heard();
  tell(proto::ErrorFrame{
      .request = request, .reason = proto::ErrorReason::kQueueFull, .text = "full"});
  EXPECT_EQ(told(a), Lines{"failed 1 queue full"});
  EXPECT_EQ(told(b), Lines{"failed 2 queue full"});
  EXPECT_EQ(hub.channels(), 0U);
  EXPECT_EQ(a.phase, SessionPhase::kOpen);
}

TEST_F(HubJoins, JoinsARefusedChannelThatAnotherStillHolds) {
  connect();
  ClientSession& a = client();
  ASSERT_TRUE(hub.subscribe(a, "x"));
  heard();
  tell(proto::ErrorFrame{
      .request = request, .reason = proto::ErrorReason::kQueueFull, .text = "full"});
  join(client(), "x");
  EXPECT_EQ(heard(), Lines{"subscribe x"});
}

TEST_F(HubJoins, WaitsOverLinks) {
  ClientSession& a = client();
  join(a, "x");
  turn();
  connect();
  EXPECT_EQ(heard(), (Lines{"subscribe x"}));
  connect(false, proto::kFeatureHistory, 8);
  EXPECT_EQ(heard(), (Lines{"subscribe x"}));
  confirm("x", 5, {9, 0});
  turn();
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/0"});
}

TEST_F(HubJoins, APositionThatIsNotKnownIsWaitedFor) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  confirm("x", 5, {0, 0});
  turn();
  EXPECT_EQ(told(a), Lines{});
  tell(proto::Gap{.channel_id = 5,
                  .sequence = sequence += 1,
                  .cause = proto::GapCause::kBroker,
                  .position = {9, 4}});
  turn();
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/4"});
}

TEST_F(HubJoins, WaitsForTheEndOfACatchUp) {
  link.take_over(7, 10);
  ClientSession& old = sessions.add();
  old.protocol = &protocol;
  old.state.last_sequence = 10;
  ASSERT_TRUE(hub.resubscribe(old, "x", 0, false));
  hub.begin_catch_up(12);
  hub.resumed(old);
  link.connected();
  sequence = 12;
  tell(proto::Welcome{.resumed = true,
                      .tells_all = true,
                      .last_sequence = 12,
                      .relay_instance = 7,
                      .software = "r",
                      .features = proto::kFeatureHistory});
  confirm("x", 5, {9, 20}, false, true);
  tell(proto::BrokerState{});
  ClientSession& a = client();
  join(a, "x");
  sequence = 10;
  message(5, 21, "21");
  turn();
  EXPECT_EQ(told(a), Lines{});
  message(5, 22, "22");
  turn();
  EXPECT_EQ(told(a), Lines{"joined 1 x 9/22"});
  message(5, 23, "23");
  turn();
  EXPECT_EQ(told(a), Lines{"> 23"});
  EXPECT_EQ(told(old), (Lines{"resumed", "> 21", "> 22", "> 23"}));
}

TEST_F(HubJoins, WhatItsRecordSaysIsNotSoAnyMore) {
  connect();
  ClientSession& a = client();
  join(a, "x");
  confirm("x", 5, {9, 0});
  EXPECT_TRUE(changed.empty());
  turn();
  EXPECT_EQ(changed, std::vector<std::uint32_t>{a.ref.index});
}

TEST_F(HubJoins, TimersHearOfWhatIsDueSooner) {
  connect();
  ClientSession& a = client();
  a.timer_at = TimePoint(std::chrono::seconds(20));
  protocol.due_when_joined = TimePoint(std::chrono::seconds(30));
  join(a, "x");
  confirm("x", 5, {9, 0});
  turn();
  EXPECT_TRUE(sooner.empty());
  protocol.due_when_joined = TimePoint(std::chrono::seconds(10));
  join(a, "y");
  confirm("y", 6, {9, 0});
  turn();
  EXPECT_EQ(sooner, std::vector<std::uint32_t>{a.ref.index});
}

// ---- questions

TEST_F(HubJoins, HistoryAndPresenceAreAnswered) {
  connect();
  ClientSession& a = client();
  EXPECT_TRUE(hub.ask_history(a, 3, "x", {.since = Position{9, 2}, .limit = 5, .reverse = true}));
  EXPECT_EQ(heard(), Lines{"history x since 9/2 max 5 reverse"});
  const std::uint64_t first = request;
  EXPECT_TRUE(hub.ask_presence(a, 4, "x", false));
  EXPECT_EQ(heard(), Lines{"presence x"});
  tell(proto::PresenceItem{.request = request, .client = "c1", .info = proto::as_bytes("i1")});
  tell(proto::PresenceItem{.request = request, .client = "c2", .info = {}});
  tell(proto::PresenceEnd{.request = request, .clients = 2, .users = 1});
  EXPECT_EQ(told(a), Lines{"presence 4 2/1 c1=i1 c2="});
  item(first, 1, "one", "+");
  end_of_history(first, {9, 7}, false);
  EXPECT_EQ(told(a), Lines{"history 3 9/7 1:one+"});
  EXPECT_TRUE(hub.ask_presence(a, 5, "x", true));
  EXPECT_EQ(heard(), Lines{"counts x"});
  tell(proto::PresenceEnd{.request = request, .clients = 20, .users = 10});
  EXPECT_EQ(told(a), Lines{"presence 5 20/10"});
  EXPECT_EQ(link.requests_pending(), 0U);
}

TEST_F(HubJoins, AskedWithoutALinkWaitsForOne) {
  ClientSession& a = client();
  EXPECT_TRUE(hub.ask_history(a, 3, "x", {}));
  connect();
  EXPECT_EQ(heard().at(0), "history x max " + std::to_string(proto::kLimitNone));
  link.disconnected();
  time.advance(kLinkRequestWait);
  ASSERT_TRUE(link.tick());
  EXPECT_EQ(told(a), Lines{"failed 3 timed out"});
  EXPECT_EQ(hub.unanswered(), 0U);
}

TEST_F(HubJoins, AnswersThatNobodyAskedForEndTheLink) {
  connect();
  ClientSession& a = client();
  EXPECT_TRUE(hub.ask_history(a, 3, "x", {}));
  EXPECT_TRUE(hub.ask_presence(a, 4, "x", false));
  heard();
  const auto says = [&](const auto& frame) {
    std::string in;
    proto::encode(in, frame);
    return give(in).has_value();
  };
  EXPECT_FALSE(says(proto::HistoryEnd{.request = request + 7, .top = {}}));
  connect();
  EXPECT_FALSE(says(proto::HistoryEnd{.request = request, .top = {}})) << "it asked for presence";
  connect();
  EXPECT_TRUE(says(proto::HistoryItem{.request = request - 1, .offset = 1}));
  EXPECT_FALSE(says(proto::PresenceItem{.request = request, .client = "c"}))
      << "in the midst of another answer";
}

TEST_F(HubJoins, AnAnswerIsBounded) {
  connect();
  ClientSession& a = client();
  EXPECT_TRUE(hub.ask_history(a, 3, "x", {}));
  heard();
  const std::string large(proto::kPayloadBytesMax, 'p');
  for (int i = 1; i < 6; ++i) item(request, i, large);
  end_of_history(request, {9, 5});
  EXPECT_EQ(told(a), Lines{"failed 3 too large"});
}

TEST_F(HubJoins, QuestionsAreBoundedAndLeaveRoomForPublishes) {
  connect();
  heard();
  ClientSession& a = client();
  for (std::size_t i = 0; i < kLinkRequestsMax; ++i)
    ASSERT_TRUE(hub.ask_history(a, 3, "x", {})) << i;
  EXPECT_FALSE(hub.ask_history(a, 3, "x", {}));
  EXPECT_LT(link.output().size(), kLinkOutputLowBytes + 1000);
  hub.received(a, proto::as_bytes("p"), true);
  EXPECT_EQ(link.hold_bytes(), 0U);
  std::size_t asked = 0;
  while (!link.output().empty()) asked += heard().size();
  EXPECT_EQ(asked, kLinkRequestsMax + 1);
}

// ---- publishes, listeners

TEST_F(HubJoins, APublishHasAnOutcomeWhereThereIsATicket) {
  connect();
  ClientSession& a = client();
  hub.received(a, proto::as_bytes("1"), true);
  heard();
  std::string in;
  proto::encode_published(in, request);
  ASSERT_TRUE(give(in));
  EXPECT_EQ(told(a), Lines{"published 9"});
  hub.received(a, proto::as_bytes("2"), true);
  link.disconnected();
  EXPECT_EQ(told(a), Lines{"publish failed 9"});
  protocol.ticket = 0;
  hub.received(a, proto::as_bytes("3"), true);
  time.advance(std::chrono::seconds(5));
  ASSERT_TRUE(link.tick());
  EXPECT_EQ(told(a), Lines{});
  EXPECT_EQ(a.publishes_pending, 0U);
  hub.publish("members", proto::as_bytes("4"));
  connect();
  EXPECT_EQ(heard(), Lines{"publish 4"});
}

TEST_F(HubJoins, TheGatewayItselfHearsAChannel) {
  Lines heard_commands;
  hub.listen("control", [&](proto::Bytes payload, proto::Bytes) {
    heard_commands.emplace_back(proto::as_text(payload));
  });
  connect();
  EXPECT_EQ(heard(), (Lines{"subscribe control"}));
  confirm("control", 1, {9, 0});
  message(1, 1, "one");
  connect(false, proto::kFeatureHistory, 8);
  EXPECT_EQ(heard(), (Lines{"subscribe control from 9/1"}));
  confirm("control", 2, {10, 0});
  EXPECT_EQ(gaps, Lines{"control"});
  message(2, 1, "two");
  EXPECT_EQ(heard_commands, (Lines{"one", "two"}));
  EXPECT_EQ(hub.channels(), 0U);
  ClientSession& a = client();
  for (const char* channel : {"a", "b", "c", "d"}) EXPECT_TRUE(join(a, channel));
  EXPECT_FALSE(join(a, "e"));
}

TEST_F(HubJoins, ListensOnAfterATakeover) {
  Lines commands;
  hub.listen("control", [&](proto::Bytes payload, proto::Bytes) {
    commands.emplace_back(proto::as_text(payload));
  });
  link.take_over(7, 10);
  hub.begin_catch_up(10);
  link.connected();
  tell(proto::Welcome{.resumed = true,
                      .tells_all = true,
                      .last_sequence = 11,
                      .relay_instance = 7,
                      .software = "r"});
  confirm("control", 3, {9, 5});
  tell(proto::BrokerState{});
  EXPECT_EQ(heard(), Lines{});
  sequence = 10;
  message(3, 6, "six");
  EXPECT_EQ(commands, Lines{"six"});
  EXPECT_TRUE(gaps.empty());
}

}  // namespace
}  // namespace sluice::gateway
