#include "gateway/hub.h"

#include <gtest/gtest.h>

#include <map>

#include "gateway/protocols/plain.h"
#include "proto/encoder.h"
#include "tests/support/frames.h"

namespace sluice::gateway {
namespace {

class RecordingDelivery final : public Delivery {
 public:
  void deliver(ClientSession& session, FrameRef frame) override {
    for (std::string& payload : test::payloads(frame->bytes()))
      got[session.ref.index].push_back(std::move(payload));
  }
  void deliver_due(ClientSession& session, std::span<const RunView> due) override {
    for (std::string& payload : test::payloads(due))
      got[session.ref.index].push_back(std::move(payload));
    for (const RunView& view : due) runs.push_back(view.run);
  }
  void queue_due(ClientSession& session, std::span<const RunView> due) override {
    deliver_due(session, due);
  }
  void end_slice() override {}
  void close(ClientSession& session, CloseCode code, const char* reason) override {
    session.phase = SessionPhase::kClosing;
    closed[session.ref.index] = {code, reason};
  }
  std::map<std::uint32_t, std::vector<std::string>> got;
  std::map<std::uint32_t, std::pair<CloseCode, std::string>> closed;
  std::vector<const FrameRun*> runs;
};

class RecordingObserver final : public HubObserver {
 public:
  void link_state(bool up) override { link_up = up; }
  void broker_state(bool connected, std::string_view) override { broker_up = connected; }
  void channel_gap(const ChannelGap& gap) override {
    gaps.push_back(std::string(gap.channel) + "/" + gap.cause);
  }
  void channel_subscribed(std::string_view channel) override { subscribed.emplace_back(channel); }
  void channel_refused(std::string_view channel, std::string_view) override {
    refused.emplace_back(channel);
  }
  void message_given(std::uint32_t) override { ++messages; }
  bool link_up = false;
  bool broker_up = false;
  int messages = 0;
  std::vector<std::string> gaps;
  std::vector<std::string> subscribed;
  std::vector<std::string> refused;
};

class HubTest : public testing::Test {
 protected:
  HubTest()
      : protocol({.tag = "1111:", .greeting = "", .greeting_delay = {}, .on_gap = OnGap::kIgnore},
                 time),
        closing({.tag = "", .greeting = "", .greeting_delay = {}, .on_gap = OnGap::kClose}, time),
        hub({.channels_max = 3}, sessions, delivery, observer),
        link({.gateway_id = "1111",
              .publish_wait = std::chrono::seconds(5),
              .publish_queue_bytes = 1000},
             hub, time) {
    hub.attach(link);
  }

  void welcome(bool resumed = false, std::uint64_t instance = 7) {
    link.connected();
    drain();
    std::string in;
    proto::encode(
        in, proto::Welcome{.resumed = resumed, .relay_instance = instance, .software = "test"});
    give(in);
  }
  void give(const std::string& bytes) {
    auto room = link.prepare();
    ASSERT_GE(room.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    const auto result = link.commit(bytes.size());
    ASSERT_TRUE(result) << result.error().message;
  }
  Result<void> give_bad(const std::string& bytes) {
    auto room = link.prepare();
    std::copy(bytes.begin(), bytes.end(), room.begin());
    return link.commit(bytes.size());
  }
  std::vector<proto::Header> drain() {
    proto::Decoder decoder;
    decoder.feed(proto::as_bytes(link.output()));
    link.sent(link.output().size());
    std::vector<proto::Header> headers;
    while (auto frame = decoder.next().value()) headers.push_back(frame->header);
    return headers;
  }
  ClientSession& client(const std::string& channel, const ClientProtocol* with = nullptr) {
    ClientSession& session = sessions.add();
    session.protocol = with != nullptr ? with : &protocol;
    hub.opened(session, channel);
    return session;
  }
  void leave(ClientSession& session) {
    hub.closed(session);
    sessions.remove(session.ref);
  }
  void confirm(const std::string& channel, std::uint32_t id, std::uint64_t offset = 0,
               std::uint64_t epoch = 9, bool continuous = false) {
    std::string in;
    proto::encode(in, proto::Subscribed{.channel_id = id,
                                        .continuous = continuous,
                                        .start = {epoch, offset},
                                        .channel = channel});
    give(in);
  }
  void message(std::uint32_t id, std::string_view text, std::uint64_t offset) {
    std::string in;
    proto::encode(in, proto::Message{.channel_id = id,
                                     .sequence = ++sequence,
                                     .offset = offset,
                                     .payload = proto::as_bytes(text)});
    give(in);
    hub.fan_out(1000);
  }

  ManualTime time;
  SessionTable sessions;
  RecordingDelivery delivery;
  RecordingObserver observer;
  PlainProtocol protocol;
  PlainProtocol closing;
  Hub hub;
  RelayLink link;
  std::uint64_t sequence = 0;
};

TEST_F(HubTest, OneSubscriptionAndOneFrameForAllSubscribers) {
  welcome();
  const ClientSession& a = client("x");
  const ClientSession& b = client("x");
  const auto out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].type, proto::FrameType::kSubscribe);
  confirm("x", 5);
  message(5, "hi", 1);
  EXPECT_EQ(delivery.got[a.ref.index], std::vector<std::string>{"1111:hi"});
  EXPECT_EQ(delivery.got[b.ref.index], std::vector<std::string>{"1111:hi"});
  ASSERT_EQ(delivery.runs.size(), 2U);
  EXPECT_EQ(delivery.runs[0], delivery.runs[1]);
  EXPECT_EQ(observer.messages, 1);
}

TEST_F(HubTest, TwoProtocolsGetTheirOwnBytes) {
  welcome();
  const ClientSession& a = client("x");
  const ClientSession& b = client("x", &closing);
  confirm("x", 5);
  message(5, "hi", 1);
  EXPECT_EQ(delivery.got[a.ref.index].at(0), "1111:hi");
  EXPECT_EQ(delivery.got[b.ref.index].at(0), "hi");
}

TEST_F(HubTest, TheLastSubscriberEndsTheChannelAndPlacesStayRight) {
  welcome();
  ClientSession& a = client("x");
  ClientSession& b = client("x");
  ClientSession& c = client("x");
  confirm("x", 5);
  drain();
  leave(a);
  message(5, "1", 1);
  EXPECT_EQ(delivery.got[b.ref.index].size(), 1U);
  EXPECT_EQ(delivery.got[c.ref.index].size(), 1U);
  leave(c);
  leave(b);
  const auto out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].type, proto::FrameType::kUnsubscribe);
  EXPECT_EQ(out[0].channel, 5U);
  EXPECT_EQ(hub.channels(), 0U);
  EXPECT_EQ(hub.subscriptions(), 0U);
  message(5, "late", 2);  // already on its way: nobody's, no error
}

TEST_F(HubTest, AnUnaskedAnswerIsUndone) {
  welcome();
  leave(client("x"));
  drain();
  confirm("x", 5);
  const auto out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].type, proto::FrameType::kUnsubscribe);
}

TEST_F(HubTest, PublishesByNameUntilTheIdIsKnown) {
  welcome();
  ClientSession& a = client("x");
  drain();
  hub.received(a, proto::as_bytes("1"), true);
  auto out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].channel, 0U);
  EXPECT_NE(out[0].flags & proto::kFlagNamed, 0);
  EXPECT_EQ(out[0].aux, 5000U);
  confirm("x", 5);
  hub.received(a, proto::as_bytes("2"), true);
  out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].channel, 5U);
}

TEST_F(HubTest, HeldPublishesGoInOrderWithTheTimeThatIsLeft) {
  ClientSession& a = client("x");
  hub.received(a, proto::as_bytes("1"), true);
  time.advance(std::chrono::seconds(2));
  hub.received(a, proto::as_bytes("2"), true);
  link.connected();
  drain();
  std::string in;
  proto::encode(in, proto::Welcome{.relay_instance = 7, .software = "t"});
  give(in);
  const auto out = drain();
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].type, proto::FrameType::kSubscribe);
  EXPECT_EQ(out[1].aux, 3000U);
  EXPECT_EQ(out[2].aux, 5000U);
}

TEST_F(HubTest, APlainClientIsClosedWhenItsPublishWaitsTooLongOrFindsNoRoom) {
  ClientSession& a = client("x");
  hub.received(a, proto::as_bytes("1"), true);
  time.advance(std::chrono::seconds(5));
  ASSERT_TRUE(link.tick());
  EXPECT_EQ(delivery.closed[a.ref.index].first, CloseCode::kTryAgainLater);
  EXPECT_EQ(link.stats().publish_timeouts, 1U);
  ClientSession& b = client("x");
  hub.received(b, proto::as_bytes(std::string(2000, 'x')), true);
  EXPECT_EQ(delivery.closed[b.ref.index].first, CloseCode::kTryAgainLater);
  EXPECT_EQ(link.stats().publish_queue_full, 1U);
}

TEST_F(HubTest, UnknownFateIsCountedAndThePlainClientStays) {
  welcome();
  ClientSession& a = client("x");
  hub.received(a, proto::as_bytes("1"), true);
  hub.received(a, proto::as_bytes("2"), true);
  link.disconnected();
  EXPECT_EQ(link.stats().publish_unknown, 2U);
  EXPECT_EQ(a.phase, SessionPhase::kOpen);
  EXPECT_FALSE(observer.link_up);
}

TEST_F(HubTest, ARestartedRelayMeansOneGapPerChannelOfUnknownSize) {
  welcome();
  client("x");
  client("y", &closing);
  confirm("x", 5);
  confirm("y", 6);
  message(5, "1", 1);
  link.disconnected();
  welcome(false, 8);
  sequence = 0;
  const auto out = drain();
  ASSERT_EQ(out.size(), 2U);
  EXPECT_NE(out[0].flags & proto::kFlagFromPosition, 0);
  confirm("x", 1, 0, 77);
  confirm("y", 2, 0, 78);
  EXPECT_EQ(observer.gaps, (std::vector<std::string>{"x/relay restarted", "y/relay restarted"}));
  EXPECT_EQ(hub.stats().gaps_unknown, 2U);
  EXPECT_EQ(delivery.closed.size(), 1U);
  EXPECT_EQ(delivery.closed.begin()->second.first, CloseCode::kServiceRestart);
  message(1, "2", 1);
}

TEST_F(HubTest, TheSameRelayFillsOrCountsTheHole) {
  welcome();
  client("x");
  confirm("x", 5);
  message(5, "1", 1);
  link.disconnected();
  welcome(false, 7);
  sequence = 0;
  confirm("x", 6, 4, 9, false);
  EXPECT_EQ(hub.stats().gap_messages, 3U);
  link.disconnected();
  welcome(false, 7);
  confirm("x", 7, 4, 9, true);
  EXPECT_EQ(hub.stats().gap_events, 1U);
}

TEST_F(HubTest, ResumesWithoutSubscribingAgain) {
  welcome();
  client("x");
  confirm("x", 5);
  message(5, "1", 1);
  drain();
  link.disconnected();
  link.connected();
  const auto hello = drain();
  EXPECT_NE(hello.at(0).flags & proto::kFlagResume, 0);
  EXPECT_EQ(hello.at(0).sequence, 1U);
  std::string in;
  proto::encode(in, proto::Welcome{
                        .resumed = true, .last_sequence = 3, .relay_instance = 7, .software = "t"});
  give(in);
  EXPECT_TRUE(drain().empty());
  message(5, "2", 2);
  in.clear();
  proto::encode(in, proto::Gap{.channel_id = 5,
                               .sequence = 4,
                               .cause = proto::GapCause::kOverrun,
                               .position = {9, 5},
                               .first_missing = 3,
                               .count = 3});
  give(in);
  sequence = 4;
  message(5, "6", 6);
  EXPECT_EQ(hub.stats().gap_messages, 3U);
}

TEST_F(HubTest, ASequenceOutOfTurnEndsTheLinkAndStartsAfresh) {
  welcome();
  client("x");
  confirm("x", 5);
  std::string in;
  proto::encode(in, proto::Message{.channel_id = 5, .sequence = 2, .offset = 2});
  EXPECT_FALSE(give_bad(in));
  link.disconnected();
  link.connected();
  EXPECT_EQ(drain().at(0).flags & proto::kFlagResume, 0);
}

TEST_F(HubTest, ChannelsAreBounded) {
  welcome();
  client("a");
  client("b");
  client("c");
  ClientSession& d = client("d");
  EXPECT_EQ(delivery.closed[d.ref.index].second, "too many channels");
  EXPECT_EQ(hub.stats().channels_refused, 1U);
}

TEST_F(HubTest, AChannelThatTheRelayRefusesClosesItsClientsAlone) {
  welcome();
  const ClientSession& a = client("x");
  const auto out = drain();
  std::string in;
  proto::encode(in, proto::ErrorFrame{.request = out.at(0).sequence,
                                      .reason = proto::ErrorReason::kQueueFull,
                                      .text = "full"});
  give(in);
  EXPECT_EQ(observer.refused, std::vector<std::string>{"x"});
  EXPECT_EQ(delivery.closed[a.ref.index].first, CloseCode::kTryAgainLater);
}

TEST_F(HubTest, WhoComesToARefusedChannelAsksForItAgain) {
  welcome();
  client("x");  // is told to go, and takes its time
  std::string in;
  proto::encode(in, proto::ErrorFrame{.request = drain().at(0).sequence,
                                      .reason = proto::ErrorReason::kQueueFull,
                                      .text = "full"});
  give(in);
  client("x");
  const auto out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].type, proto::FrameType::kSubscribe);
  client("x");
  EXPECT_TRUE(drain().empty()) << "asked once";
}

TEST_F(HubTest, SilenceIsAskedAndThenGivenUp) {
  welcome();
  drain();
  for (int i = 0; i < 3; ++i) {
    time.advance(std::chrono::seconds(1));
    ASSERT_TRUE(link.tick());
  }
  const auto out = drain();
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].type, proto::FrameType::kPing);
  Result<void> result;
  for (int i = 0; i < 5 && result; ++i) {
    time.advance(std::chrono::seconds(1));
    result = link.tick();
  }
  EXPECT_FALSE(result);
}

TEST_F(HubTest, AStoppedProcessReadsBeforeItJudges) {
  welcome();
  time.advance(std::chrono::seconds(30));
  EXPECT_TRUE(link.tick());
}

TEST_F(HubTest, APublishThatTheRelayCantTakeIsRefusedHere) {
  link.connected();
  drain();
  std::string in;
  proto::encode(in, proto::Welcome{.relay_instance = 7, .payload_bytes_max = 4, .software = "t"});
  give(in);
  ClientSession& a = client("x");
  hub.received(a, proto::as_bytes("12345"), true);
  EXPECT_EQ(delivery.closed[a.ref.index].first, CloseCode::kTryAgainLater);
}

/// A hundred thousand channels, twenty thousand clients of ten each: every client gets what is its
/// own, and nothing is left when they have gone.
TEST(HubAtScale, EveryClientOfManyChannelsGetsItsOwn) {
  constexpr std::size_t kChannels = 100'000;
  constexpr std::size_t kClients = 20'000;
  constexpr std::size_t kEach = 10;
  const ManualTime time;
  SessionTable sessions;
  RecordingDelivery delivery;
  RecordingObserver observer;
  const PlainProtocol protocol({.tag = ""}, time);
  Hub hub({.channels_max = kChannels}, sessions, delivery, observer);
  RelayLink link({.gateway_id = "1111", .publish_queue_bytes = 1000, .channels_max = kChannels},
                 hub, time);
  hub.attach(link);
  const auto channel_of = [](std::size_t client, std::size_t n) {
    return (client * kEach + n * 7919) % kChannels;
  };
  std::vector<std::uint32_t> members(kChannels);
  std::vector<ClientSession*> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    ClientSession& session = sessions.add();
    session.protocol = &protocol;
    clients.push_back(&session);
    for (std::size_t n = 0; n < kEach; ++n) {
      ++members[channel_of(i, n)];
      ASSERT_TRUE(hub.subscribe(session, "c" + std::to_string(channel_of(i, n))));
    }
  }
  EXPECT_EQ(hub.subscriptions(), kClients * kEach);
  // The Hub numbers channels in the order in which they were first asked for.
  std::uint64_t expected = 0;
  for (std::uint32_t slot = 0; slot < hub.channels(); slot += 97) {
    const std::string name(hub.channel_name(slot));
    expected += members[std::stoul(name.substr(1))];
    hub.channel_message(slot,
                        proto::Message{.sequence = slot + 1, .payload = proto::as_bytes(name)});
  }
  while (hub.fan_out(kClientsPerTurn)) {
  }
  EXPECT_EQ(hub.fan_out_state().deliveries(), expected);
  for (std::size_t i = 0; i < kClients; ++i) {
    for (const std::string& name : delivery.got[clients[i]->ref.index]) {
      bool own = false;
      for (std::size_t n = 0; n < kEach; ++n)
        own = own || "c" + std::to_string(channel_of(i, n)) == name;
      ASSERT_TRUE(own) << name;
    }
  }
  for (std::size_t i = 0; i < kClients; ++i) {
    ClientSession& session = *clients[i * 7919 % kClients];
    hub.closed(session);
    sessions.remove(session.ref);
  }
  EXPECT_EQ(hub.channels(), 0U);
  EXPECT_EQ(hub.subscriptions(), 0U);
}

}  // namespace
}  // namespace sluice::gateway
