// A link that goes on for a process that is gone.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "gateway/relay_link.h"
#include "proto/encoder.h"

namespace sluice::gateway {
namespace {

using Lines = std::vector<std::string>;

constexpr std::uint64_t kRelay = 7;

struct Events final : RelayLinkEvents {
  explicit Events(const RelayLink& of) : link(of) {}
  const RelayLink& link;
  Lines lines;
  void link_begins(std::uint64_t instance, std::uint64_t last, bool resumed) override {
    lines.push_back("begins " + std::to_string(instance) + " " + std::to_string(last) +
                    (resumed ? " resumed" : " fresh") + " at " + std::to_string(link.sequence()));
  }
  void link_state(bool) override {}
  void broker_state(bool, std::string_view) override {}
  void channel_message(std::uint32_t channel, const proto::Message& message) override {
    lines.push_back(std::to_string(channel) + " message " + std::to_string(message.sequence));
  }
  void channel_gap(std::uint32_t channel, const ChannelGap& gap) override {
    const bool unknown = gap.count == proto::kCountUnknown;
    lines.push_back(std::to_string(channel) + " gap " + gap.cause + " " +
                    (unknown ? "?" : std::to_string(gap.count)) + " (" + std::to_string(gap.after) +
                    ", " + std::to_string(gap.through) + "]");
  }
  void channel_subscribed(std::uint32_t channel, proto::Position start, bool) override {
    lines.push_back(std::to_string(channel) + " subscribed " + std::to_string(start.epoch) + ":" +
                    std::to_string(start.offset));
  }
  void channel_refused(std::uint32_t, std::string_view) override {}
  void published(const PublishOrigin&) override {}
  void publish_failed(const PublishOrigin&, proto::ErrorReason) override {}
};

class Takeover : public testing::Test {
 protected:
  /// HELLO as it left.
  proto::Hello dial() {
    link.disconnected();
    link.connected();
    proto::Hello hello;
    read([&hello](const proto::FrameView& frame) {
      hello = proto::decode_hello(frame).value();
      hello.gateway_id = hello.software = {};
    });
    return hello;
  }
  template <typename Look>
  void read(Look look) {
    proto::Decoder decoder;
    decoder.feed(proto::as_bytes(link.output()));
    link.sent(link.output().size());
    while (const auto frame = decoder.next().value()) look(*frame);
  }
  /// Names asked for; with "@EPOCH" where from a position.
  Lines asked() {
    Lines out;
    read([&out](const proto::FrameView& frame) {
      if (frame.header.type != proto::FrameType::kSubscribe) return;
      const auto s = proto::decode_subscribe(frame).value();
      out.push_back(std::string(s.channel) +
                    (s.from_position ? "@" + std::to_string(s.position.epoch) : ""));
    });
    std::sort(out.begin(), out.end());
    return out;
  }
  template <typename T>
  Result<void> receive(const T& frame) {
    std::string in;
    proto::encode(in, frame);
    const auto room = link.prepare();
    std::copy(in.begin(), in.end(), room.begin());
    return link.commit(in.size());
  }
  Result<void> welcome(bool resumed, std::uint64_t last, bool tells_all = true,
                       std::uint64_t instance = kRelay) {
    return receive(proto::Welcome{.resumed = resumed,
                                  .tells_all = resumed && tells_all,
                                  .last_sequence = last,
                                  .relay_instance = instance,
                                  .software = "r"});
  }
  Result<void> told(std::string_view name, std::uint32_t id, proto::Position start,
                    bool continuous = true, std::uint64_t request = 0) {
    return receive(proto::Subscribed{.request = request,
                                     .channel_id = id,
                                     .continuous = continuous,
                                     .start = start,
                                     .channel = name});
  }
  Result<void> all_told() {
    return receive(proto::BrokerState{.state = proto::BrokerLink::kConnected, .reason = ""});
  }
  Result<void> message(std::uint32_t id, std::uint64_t sequence) {
    return receive(proto::Message{.channel_id = id, .sequence = sequence, .offset = 1});
  }
  Result<void> gap(std::uint32_t id, std::uint64_t sequence, std::uint64_t count = 1) {
    return receive(proto::Gap{.channel_id = id,
                              .sequence = sequence,
                              .cause = proto::GapCause::kOverrun,
                              .position = {5, 9},
                              .first_missing = 1,
                              .count = count});
  }
  Lines events() { return std::exchange(hub.lines, {}); }

  ManualTime time;
  Events hub{link};
  RelayLink link{
      {.gateway_id = "1111", .publish_wait = std::chrono::seconds(5), .publish_queue_bytes = 1000},
      hub,
      time};
};

TEST_F(Takeover, GoesOnWhereTheRelaySays) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  link.restore("unconfirmed", 2, false);
  const proto::Hello hello = dial();
  EXPECT_TRUE(hello.resume);
  EXPECT_TRUE(hello.forgotten);
  EXPECT_EQ(hello.relay_instance, kRelay);
  EXPECT_EQ(hello.last_sequence, 40U);
  ASSERT_TRUE(welcome(true, 43));
  EXPECT_TRUE(asked().empty()) << "the relay is about to tell";
  ASSERT_TRUE(told("a", 3, {5, 6}));
  ASSERT_TRUE(told("nobody's", 4, {5, 6}));
  ASSERT_TRUE(all_told());
  EXPECT_EQ(asked(), Lines{"unconfirmed"});
  ASSERT_TRUE(message(3, 41));
  EXPECT_EQ(events(), (Lines{"begins 7 43 resumed at 40", "1 subscribed 5:6", "1 message 41"}));
  // Told once: another connection is an ordinary one.
  EXPECT_FALSE(dial().forgotten);
  ASSERT_TRUE(welcome(true, 43, false));
  EXPECT_EQ(asked(), Lines{"unconfirmed"});
  ASSERT_TRUE(told("unconfirmed", 5, {6, 0}, false, 99));
  EXPECT_EQ(events(), (Lines{"begins 7 43 resumed at 41", "2 subscribed 6:0"}))
      << "it was confirmed for nobody: no gap";
}

TEST_F(Takeover, ALinkThatEndsBeforeAllIsToldAsksAgain) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  link.restore("b", 2, false);
  (void)dial();
  ASSERT_TRUE(welcome(true, 40));
  ASSERT_TRUE(told("a", 3, {5, 6}));
  EXPECT_TRUE(dial().forgotten);
  ASSERT_TRUE(welcome(true, 40));
  ASSERT_TRUE(told("a", 3, {5, 6}));
  ASSERT_TRUE(told("b", 4, {5, 6}));
  ASSERT_TRUE(all_told());
  EXPECT_TRUE(asked().empty());
}

TEST_F(Takeover, WhatStillComesOfSubscriptionsGivenUpBeforeIsNobodys) {
  link.take_over(kRelay, 40);
  (void)dial();
  ASSERT_TRUE(welcome(true, 43));
  ASSERT_TRUE(all_told());
  ASSERT_TRUE(message(8, 41));
  ASSERT_TRUE(gap(9, 41));
  ASSERT_TRUE(gap(8, 42));
  ASSERT_TRUE(message(8, 43));
  EXPECT_EQ(link.sequence(), 43U);
  EXPECT_FALSE(message(8, 44)) << "routed after WELCOME: its subscription is alive";
}

TEST_F(Takeover, AnOldRelayIsLeftAtOnceAndAGapTold) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  (void)dial();
  ASSERT_FALSE(welcome(true, 43, false));
  EXPECT_TRUE(events().empty()) << "nothing has begun";
  const proto::Hello hello = dial();
  EXPECT_FALSE(hello.resume);
  EXPECT_FALSE(hello.forgotten);
  ASSERT_TRUE(welcome(false, 0));
  EXPECT_EQ(asked(), Lines{"a@0"});
  ASSERT_TRUE(told("a", 1, {5, 44}, false, 1));
  EXPECT_EQ(events(), (Lines{"begins 7 0 fresh at 40", "1 gap relay restarted ? (0, 0]",
                             "1 subscribed 5:44"}));
}

TEST_F(Takeover, AnotherRelayMeansAGapInEachChannelThatWasThere) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  link.subscribe("new", 2);
  (void)dial();
  ASSERT_TRUE(welcome(false, 0, false, 8));
  EXPECT_EQ(asked(), (Lines{"a@0", "new"}));
  // The answer dies with the link: the gap is still owed.
  EXPECT_TRUE(dial().resume);
  ASSERT_TRUE(welcome(true, 0, false, 8));
  EXPECT_EQ(asked(), (Lines{"a@0", "new"}));
  ASSERT_TRUE(told("a", 1, {5, 0}, false, 1));
  ASSERT_TRUE(told("new", 2, {5, 0}, false, 2));
  EXPECT_EQ(events(),
            (Lines{"begins 8 0 fresh at 40", "begins 8 0 resumed at 0",
                   "1 gap relay restarted ? (0, 0]", "1 subscribed 5:0", "2 subscribed 5:0"}));
  // Told once.
  (void)dial();
  ASSERT_TRUE(welcome(true, 0, false, 8));
  ASSERT_TRUE(told("a", 1, {5, 0}, false, 0));
  EXPECT_EQ(events(), Lines{"begins 8 0 resumed at 0"});
}

TEST_F(Takeover, AChannelFromBeforeTheLinkMissesSomethingUnlessTheRelayHasConfirmedIt) {
  link.take_over(kRelay, 0);
  link.restore("confirmed", 1, true);
  link.restore("lost", 2, false);
  link.restore("lost", 2, true);
  (void)dial();
  ASSERT_TRUE(welcome(true, 0));
  ASSERT_TRUE(told("confirmed", 1, {5, 0}));
  ASSERT_TRUE(all_told());
  EXPECT_EQ(asked(), Lines{"lost@0"});
  ASSERT_TRUE(told("lost", 2, {5, 0}, false, 1));
  EXPECT_EQ(events(), (Lines{"begins 7 0 resumed at 0", "1 subscribed 5:0",
                             "2 gap relay restarted ? (0, 0]", "2 subscribed 5:0"}));
}

TEST_F(Takeover, WhatTheRelayTellsToBeMissingIsAGap) {
  link.take_over(kRelay, 0);
  link.restore("a", 1, false);
  (void)dial();
  ASSERT_TRUE(welcome(true, 0));
  ASSERT_TRUE(told("a", 1, {5, 3}, false));
  EXPECT_EQ(events(), (Lines{"begins 7 0 resumed at 0", "1 gap relay restarted ? (0, 0]",
                             "1 subscribed 5:3"}));
}

TEST_F(Takeover, APositionThatTheRelayDoesNotKnowIsOwedAGapUntilTheBreakHasCome) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  (void)dial();
  ASSERT_TRUE(welcome(true, 41));
  ASSERT_TRUE(told("a", 1, {0, 0}));
  ASSERT_TRUE(all_told());
  // Another relay instead of the break.
  (void)dial();
  ASSERT_TRUE(welcome(false, 0, false, 8));
  EXPECT_EQ(asked(), Lines{"a@0"});
  ASSERT_TRUE(told("a", 1, {6, 0}, false, 1));
  EXPECT_EQ(events().back(), "1 subscribed 6:0");
  ASSERT_TRUE(gap(1, 1));
  (void)dial();
  ASSERT_TRUE(welcome(false, 0, false, 9));
  EXPECT_EQ(asked(), Lines{"a@5"}) << "known since the gap";
}

TEST_F(Takeover, ALinkThatBeginsAnewInACatchUpOwesAGap) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  link.catch_up_to(42);
  (void)dial();
  ASSERT_TRUE(welcome(true, 42));
  ASSERT_TRUE(told("a", 1, {5, 6}));
  ASSERT_TRUE(all_told());
  ASSERT_TRUE(message(1, 41));
  (void)dial();
  ASSERT_TRUE(welcome(false, 0));
  EXPECT_EQ(asked(), Lines{"a@0"}) << "a client may have had 42 already";
  ASSERT_TRUE(told("a", 1, {5, 8}, false, 1));
  EXPECT_EQ(hub.lines.at(hub.lines.size() - 2), "1 gap relay restarted ? (0, 0]");
  (void)dial();
  ASSERT_TRUE(welcome(false, 0));
  EXPECT_EQ(asked(), Lines{"a@5"}) << "all are in one place now";
}

TEST_F(Takeover, ALinkThatBeginsAnewAfterTheCatchUpGoesOn) {
  link.take_over(kRelay, 40);
  link.restore("a", 1, false);
  link.catch_up_to(41);
  (void)dial();
  ASSERT_TRUE(welcome(true, 42));
  ASSERT_TRUE(told("a", 1, {5, 6}));
  ASSERT_TRUE(all_told());
  ASSERT_TRUE(message(1, 41));
  (void)dial();
  ASSERT_TRUE(welcome(false, 0));
  EXPECT_EQ(asked(), Lines{"a@5"});
}

TEST_F(Takeover, WithoutALinkBeforeThereIsNothingToMiss) {
  link.take_over(0, 0);
  link.restore("a", 1, false);
  const proto::Hello hello = dial();
  EXPECT_FALSE(hello.resume);
  EXPECT_FALSE(hello.forgotten);
  ASSERT_TRUE(welcome(false, 0));
  EXPECT_EQ(asked(), Lines{"a"});
  ASSERT_TRUE(told("a", 1, {5, 0}, false, 1));
  EXPECT_EQ(events(), (Lines{"begins 7 0 fresh at 0", "1 subscribed 5:0"}));
}

// ---- cuts, on any link

TEST_F(Takeover, ACutIsToldWhenItsEndIsKnown) {
  link.subscribe("a", 1);
  link.subscribe("b", 2);
  (void)dial();
  ASSERT_TRUE(welcome(false, 0));
  ASSERT_TRUE(told("a", 1, {5, 0}, false, 1));
  ASSERT_TRUE(told("b", 2, {5, 0}, false, 2));
  ASSERT_TRUE(message(1, 1));
  (void)events();
  ASSERT_TRUE(gap(1, 1, 2));
  EXPECT_TRUE(events().empty());
  EXPECT_EQ(link.sequence(), 1U);
  ASSERT_TRUE(gap(2, 6, 3));
  EXPECT_EQ(events(), (Lines{"1 gap overrun 2 (1, 6]", "2 gap overrun 3 (1, 6]"}));
  EXPECT_EQ(link.sequence(), 6U);
  // The link ends inside one: the relay begins in front of it and tells all again.
  ASSERT_TRUE(gap(1, 6, 2));
  EXPECT_EQ(dial().last_sequence, 6U);
  ASSERT_TRUE(welcome(true, 9, false));
  ASSERT_TRUE(gap(1, 9, 3));
  EXPECT_EQ(events(), (Lines{"begins 7 9 resumed at 6", "1 gap overrun 3 (6, 9]"}));
  // A channel that was given up meanwhile has nobody to be told.
  ASSERT_TRUE(gap(1, 9, 1));
  link.unsubscribe("a");
  ASSERT_TRUE(gap(2, 11, 1));
  EXPECT_EQ(events(), Lines{"2 gap overrun 1 (9, 11]"});
  // One that uses up no sequence, and nothing behind it does.
  ASSERT_TRUE(gap(2, 11, 1));
  ASSERT_TRUE(message(2, 12));
  EXPECT_EQ(events(), (Lines{"2 gap overrun 1 (11, 11]", "2 message 12"}));
}

}  // namespace
}  // namespace sluice::gateway
