// Clients of a process that is gone: each gets what it lacks, and nothing twice.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "gateway/hub.h"
#include "proto/encoder.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

using Lines = std::vector<std::string>;

/// Says of a gap what a client would be told.
class Protocol final : public ClientProtocol {
 public:
  [[nodiscard]] std::string_view name() const override { return "test"; }
  [[nodiscard]] EncodedMessage encode(const ChannelMessage& message,
                                      std::string& /*scratch*/) const override {
    return {Opcode::kText, {}, message.payload};
  }
  void opened(ClientSession& session, const UpgradeRequest& request,
              ProtocolActions& actions) const override {
    EXPECT_TRUE(actions.subscribe(session, request.channel));
  }
  void received(ClientSession&, proto::Bytes, bool, ProtocolActions&) const override {}
  void due(ClientSession&, ProtocolActions&) const override {}
  void publish_failed(ClientSession&, const PublishFailure&, ProtocolActions&) const override {}
  void gap(ClientSession& session, const ChannelGap& gap, ProtocolActions& actions) const override {
    const bool unknown = gap.count == proto::kCountUnknown;
    const std::string text = "gap " + (unknown ? "?" : std::to_string(gap.count));
    actions.deliver(session, FrameRun::make(Opcode::kText, text, {}));
  }
};

/// Writes down what a session's record would say at each delivery.
class Records final : public Delivery, public HubObserver {
 public:
  explicit Records(const Hub& of) : hub(of) {}
  const Hub& hub;
  std::map<std::uint32_t, Lines> got;
  std::vector<std::uint64_t> last_sequences;  ///< of the session, at each delivery
  std::vector<std::uint64_t> settled;         ///< at each delivery
  Lines begun;
  int gaps = 0;
  int queued = 0;

  void deliver(ClientSession& session, FrameRef frame) override {
    take(session, test::payloads(frame->bytes()));
  }
  void deliver_due(ClientSession& session, std::span<const RunView> due) override {
    take(session, test::payloads(due));
  }
  void queue_due(ClientSession& session, std::span<const RunView> due) override {
    ++queued;
    take(session, test::payloads(due));
  }
  void end_slice() override {}
  void close(ClientSession&, CloseCode, const char*) override {}
  void link_began(std::uint64_t instance, std::uint64_t last, bool resumed) override {
    begun.push_back(std::to_string(instance) + " " + std::to_string(last) +
                    (resumed ? " resumed" : " fresh"));
  }
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void channel_gap(const ChannelGap&) override { ++gaps; }
  void channel_subscribed(std::string_view) override {}
  void channel_refused(std::string_view, std::string_view) override {}
  void message_given(std::uint32_t) override {}

 private:
  void take(const ClientSession& session, Lines payloads) {
    for (std::string& payload : payloads) got[session.ref.index].push_back(std::move(payload));
    last_sequences.push_back(session.state.last_sequence);
    settled.push_back(hub.settled_sequence());
  }
};

class HubTakeover : public testing::Test {
 protected:
  HubTakeover() { hub.attach(link); }

  ClientSession& restored(std::uint64_t last_sequence,
                          std::initializer_list<std::pair<const char*, std::uint64_t>> channels) {
    ClientSession& session = sessions.add();
    session.protocol = &protocol;
    session.state.last_sequence = last_sequence;
    for (const auto& [channel, began] : channels)
      EXPECT_TRUE(hub.resubscribe(session, channel, began, false));
    return session;
  }
  ClientSession& client(const char* channel) {
    ClientSession& session = sessions.add();
    session.protocol = &protocol;
    hub.opened(session, channel);
    return session;
  }
  template <typename T>
  void receive(const T& frame) {
    std::string in;
    proto::encode(in, frame);
    const auto room = link.prepare();
    std::copy(in.begin(), in.end(), room.begin());
    const auto result = link.commit(in.size());
    ASSERT_TRUE(result) << result.error().message;
  }
  void welcome(bool resumed, std::uint64_t last, std::uint64_t instance = 7) {
    link.disconnected();
    link.connected();
    receive(proto::Welcome{.resumed = resumed,
                           .tells_all = resumed,
                           .last_sequence = last,
                           .relay_instance = instance,
                           .software = "r"});
    std::uint32_t id = 0;
    for (const char* channel : {"a", "b"})
      receive(proto::Subscribed{
          .channel_id = ++id, .continuous = true, .start = {5, 1}, .channel = channel});
    receive(proto::BrokerState{.state = proto::BrokerLink::kConnected, .reason = ""});
  }
  void message(std::uint32_t id, std::uint64_t sequence) {
    const std::string text = std::to_string(sequence);
    receive(proto::Message{
        .channel_id = id, .sequence = sequence, .offset = 2, .payload = proto::as_bytes(text)});
  }
  void gap(std::uint32_t id, std::uint64_t sequence, std::uint64_t count) {
    receive(proto::Gap{.channel_id = id,
                       .sequence = sequence,
                       .cause = proto::GapCause::kOverrun,
                       .position = {5, 9},
                       .first_missing = 1,
                       .count = count});
  }
  Lines got(const ClientSession& session) {
    return std::exchange(records.got[session.ref.index], {});
  }

  ManualTime time;
  Protocol protocol;
  SessionTable sessions;
  Records records{hub};
  Hub hub{{.channels_max = 3}, sessions, records, records};
  RelayLink link{
      {.gateway_id = "1111", .publish_wait = std::chrono::seconds(5), .publish_queue_bytes = 1000},
      hub,
      time};
};

TEST_F(HubTakeover, EachGetsWhatItLacksAndThenAllGetAll) {
  link.take_over(7, 10);
  const ClientSession& behind = restored(10, {{"a", 3}});
  const ClientSession& ahead = restored(13, {{"a", 3}});
  const ClientSession& young = restored(10, {{"a", 12}});
  const ClientSession& both = restored(11, {{"b", 3}, {"a", 12}});
  hub.begin_catch_up(13);
  welcome(true, 14);
  EXPECT_EQ(records.begun, Lines{"7 14 resumed"});
  for (const std::uint64_t sequence : {11, 13}) message(1, sequence), message(2, sequence + 1);
  EXPECT_EQ(got(behind), (Lines{"11", "13"}));
  EXPECT_EQ(got(ahead), Lines{});
  EXPECT_EQ(got(young), Lines{"13"});
  EXPECT_EQ(got(both), (Lines{"12", "13"}));
  EXPECT_EQ(records.last_sequences, (std::vector<std::uint64_t>{11, 12, 13, 13, 13}));
  EXPECT_EQ(hub.settled_sequence(), 13U) << "14 is still to be given";
  hub.fan_out(100);
  EXPECT_EQ(got(both), Lines{"14"});
  EXPECT_EQ(records.last_sequences.back(), 14U);
  EXPECT_EQ(records.settled, (std::vector<std::uint64_t>{10, 11, 12, 12, 12, 13}));
  EXPECT_EQ(hub.settled_sequence(), 14U);
  message(1, 15);
  hub.fan_out(100);
  for (const ClientSession* session : {&behind, &ahead, &young, &both}) {
    EXPECT_EQ(got(*session), Lines{"15"});
    EXPECT_EQ(session->state.last_sequence, 15U);
  }
}

TEST_F(HubTakeover, WhoComesDuringTheCatchUpJoinsAtItsEnd) {
  link.take_over(7, 10);
  (void)restored(10, {{"a", 3}});
  hub.begin_catch_up(12);
  welcome(true, 12);
  message(1, 11);
  const ClientSession& fresh = client("a");
  EXPECT_EQ(fresh.state.last_sequence, 12U);
  ASSERT_EQ(hub.subscriptions_of(fresh).size(), 1U);
  EXPECT_EQ(hub.subscriptions_of(fresh)[0].began_sequence, 12U);
  message(1, 12);
  message(1, 13);
  hub.fan_out(100);
  EXPECT_EQ(got(fresh), Lines{"13"});
}

TEST_F(HubTakeover, AGapIsToldToWhoLacksIt) {
  link.take_over(7, 10);
  const ClientSession& behind = restored(10, {{"a", 3}});
  const ClientSession& within = restored(12, {{"a", 3}});
  const ClientSession& ahead = restored(14, {{"a", 3}});
  const ClientSession& young = restored(10, {{"a", 14}});
  hub.begin_catch_up(14);
  welcome(true, 15);
  gap(1, 10, 2);  // one cut
  gap(2, 14, 1);
  EXPECT_EQ(got(behind), Lines{"gap 2"});
  EXPECT_EQ(got(within), Lines{"gap ?"}) << "it has some of what is missing here";
  EXPECT_EQ(got(ahead), Lines{});
  EXPECT_EQ(got(young), Lines{});
  EXPECT_EQ(records.gaps, 1) << "nobody is on the other channel";
  EXPECT_EQ(records.last_sequences, (std::vector<std::uint64_t>{14, 14}));
  EXPECT_EQ(hub.settled_sequence(), 14U);
  gap(1, 15, 1);
  for (const ClientSession* session : {&behind, &within, &ahead, &young})
    EXPECT_EQ(got(*session), Lines{"gap 1"});
  EXPECT_EQ(records.gaps, 2);
}

TEST_F(HubTakeover, AGapThatEverybodyHasHeardOfIsNoEvent) {
  link.take_over(7, 10);
  const ClientSession& ahead = restored(14, {{"a", 3}});
  hub.begin_catch_up(14);
  welcome(true, 15);
  gap(1, 14, 2);
  EXPECT_EQ(got(ahead), Lines{});
  EXPECT_EQ(records.gaps, 0);
  EXPECT_EQ(hub.stats().gap_events, 0U);
}

TEST_F(HubTakeover, AClientOfTwoChannelsHearsOfBothInACut) {
  link.take_over(7, 10);
  const ClientSession& both = restored(10, {{"a", 3}, {"b", 3}});
  hub.begin_catch_up(14);
  welcome(true, 15);
  gap(1, 10, 2);
  gap(2, 14, 1);
  EXPECT_EQ(got(both), (Lines{"gap 2", "gap 1"}));
}

TEST_F(HubTakeover, SubscriptionsComeBackInTheirOrderAndWithinTheBound) {
  link.take_over(7, 10);
  ClientSession& session = restored(10, {{"b", 4}, {"c", 0}, {"a", 9}});
  const auto records_of = hub.subscriptions_of(session);
  ASSERT_EQ(records_of.size(), 3U);
  EXPECT_EQ(records_of[0].channel, "b");
  EXPECT_EQ(records_of[0].began_sequence, 4U);
  EXPECT_EQ(records_of[1].channel, "c");
  EXPECT_EQ(records_of[2].channel, "a");
  EXPECT_EQ(records_of[2].began_sequence, 9U);
  EXPECT_EQ(hub.first_channel(session), "b");
  EXPECT_FALSE(hub.resubscribe(session, "one too many", 0, false));
  EXPECT_EQ(hub.subscriptions(), 3U);
  hub.closed(session);
  EXPECT_EQ(hub.channels(), 0U);
}

TEST_F(HubTakeover, RecordsThatClaimWhatNeverWasLoseNothing) {
  link.take_over(7, 10);
  const ClientSession& liar = restored(1000, {{"a", 900}});
  hub.begin_catch_up(1000);
  welcome(true, 11);
  EXPECT_EQ(liar.state.last_sequence, 11U);
  message(1, 11);
  message(1, 12);
  hub.fan_out(100);
  EXPECT_EQ(got(liar), Lines{"12"});
}

TEST_F(HubTakeover, WhenTheLinkBeginsAnewAllThatWasDueIsQueuedFirst) {
  welcome(false, 0);
  const ClientSession& one = client("a");
  const ClientSession& two = client("a");
  receive(proto::Subscribed{.request = 1, .channel_id = 3, .start = {5, 1}, .channel = "a"});
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) message(3, sequence);
  hub.fan_out(1);
  EXPECT_EQ(hub.settled_sequence(), 0U);
  const ClientSession& third = client("a");
  EXPECT_EQ(third.state.last_sequence, 3U);
  welcome(false, 0, 8);
  EXPECT_EQ(got(one), (Lines{"1", "2", "3"}));
  EXPECT_EQ(got(two), (Lines{"1", "2", "3"}));
  EXPECT_EQ(records.queued, 1);
  EXPECT_EQ(records.begun, (Lines{"7 0 fresh", "8 0 fresh"}));
  EXPECT_EQ(hub.settled_sequence(), 0U);
  for (const ClientSession* session : {&one, &two, &third}) {
    EXPECT_EQ(session->state.last_sequence, 0U);
    EXPECT_EQ(session->state.subscriptions[0].began_sequence, 0U);
  }
  message(1, 1);
  hub.fan_out(100);
  EXPECT_EQ(got(third), Lines{"1"});
  EXPECT_EQ(third.state.last_sequence, 1U);
}

TEST_F(HubTakeover, WithoutTheLinkOfBeforeEachRestoredClientHearsOfAGap) {
  link.take_over(7, 10);
  const ClientSession& was = restored(13, {{"a", 12}});
  hub.begin_catch_up(13);
  link.connected();
  receive(proto::Welcome{.relay_instance = 8, .software = "r"});
  receive(proto::Subscribed{.request = 1, .channel_id = 1, .start = {5, 1}, .channel = "a"});
  EXPECT_EQ(got(was), Lines{"gap ?"});
  const ClientSession& fresh = client("a");
  EXPECT_EQ(hub.subscriptions_of(fresh)[0].began_sequence, 0U);
  message(1, 1);
  hub.fan_out(100);
  EXPECT_EQ(got(was), Lines{"1"});
  EXPECT_EQ(got(fresh), Lines{"1"});
}

}  // namespace
}  // namespace sluice::gateway
