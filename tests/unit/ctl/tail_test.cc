// A channel as `sluice tail` follows it, and the lines it writes.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "ctl/tail_channel.h"
#include "ctl/tail_event.h"
#include "proto/decoder.h"
#include "proto/encoder.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::json;
using Kind = TailEvent::Kind;
using Lines = std::vector<std::string>;

constexpr std::uint64_t kEpoch = 0x5b1c9f20d3a1b2c3;

struct TailTest : ::testing::Test {
  TailTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
  [[nodiscard]] Clocks now() const { return {time.now(), wall}; }
  void pass(std::chrono::milliseconds by) {
    time.advance(by);
    wall += by;
  }
  proto::Subscribe connect() {
    std::string out;
    channel.connected(out, now(), events);
    decoder.feed(proto::as_bytes(out));
    return proto::decode_subscribe(*decoder.next().value()).value();
  }
  template <typename T>
  Outcome<void> give(const T& frame) {
    std::string bytes;
    proto::encode(bytes, frame);
    proto::Decoder d;
    d.feed(proto::as_bytes(bytes));
    return channel.take(*d.next().value(), now(), events);
  }
  void confirm(std::uint64_t epoch, std::uint64_t offset, bool continuous = false) {
    ASSERT_TRUE(give(proto::Subscribed{.channel_id = ++id,
                                       .continuous = continuous,
                                       .start = {epoch, offset},
                                       .channel = "livechat"}));
  }
  void message(std::string_view text, std::uint64_t offset) {
    ASSERT_TRUE(give(proto::Message{.channel_id = id,
                                    .sequence = 1,
                                    .offset = offset,
                                    .received_micros = wire_micros(time.now()),
                                    .payload = proto::as_bytes(text)}));
  }
  Lines told(const TailStyle& style = {}) {
    Lines out;
    for (const TailEvent& event : std::exchange(events, {})) out.push_back(tail_line(event, style));
    return out;
  }

  ManualTime time;
  WallTime wall{std::chrono::milliseconds(1'700'000'000'123)};  // 22:13:20.123 UTC
  TailChannel channel{"livechat"};
  proto::Decoder decoder;
  std::uint32_t id = 0;
  std::vector<TailEvent> events;
};

TEST_F(TailTest, ShowsMessagesWithTimePositionAndSize) {
  EXPECT_FALSE(connect().from_position);
  ASSERT_TRUE(give(proto::BrokerState{proto::BrokerLink::kConnected, ""}));
  confirm(kEpoch, 41);
  message("hello", 42);
  message("", 43);
  EXPECT_EQ(told(), (Lines{
                        "22:13:20.123  -- subscribed to livechat behind 5b1c9f20d3a1b2c3:41",
                        "22:13:20.123     5b1c9f20:42       5 B  hello",
                        "22:13:20.123     5b1c9f20:43       0 B  ",
                    }));
}

TEST_F(TailTest, TheTimeIsThatOfTheBrokersDelivery) {
  connect();
  confirm(kEpoch, 0);
  (void)told();
  const std::uint32_t delivered = wire_micros(time.now());
  pass(std::chrono::milliseconds(1500));
  ASSERT_TRUE(give(
      proto::Message{.channel_id = id, .sequence = 1, .offset = 1, .received_micros = delivered}));
  EXPECT_EQ(told().at(0).substr(0, 12), "22:13:20.123");
}

TEST_F(TailTest, NothingOfAMessageReachesATerminalRaw) {
  connect();
  confirm(kEpoch, 0);
  (void)told();
  message("\x1b[2J\xff\n", 1);
  EXPECT_EQ(told().at(0).substr(14), "    5b1c9f20:1       6 B  \\x1b[2J\\xff\\n");
}

TEST_F(TailTest, ALongTextIsCutForTheEyeAlone) {
  connect();
  confirm(kEpoch, 0);
  (void)told();
  message("12345€€", 1);
  const TailEvent event = events.at(0);
  EXPECT_NE(tail_line(event, {.text_bytes_max = 7}).find("  12345… 6 B more"), std::string::npos)
      << "not inside a character";
  EXPECT_NE(tail_line(event, {.text_bytes_max = 11}).find("  12345€€"), std::string::npos);
  EXPECT_EQ(Json::parse(tail_json(event))["text"], "12345€€");
}

TEST_F(TailTest, TellsGapsAndTheBroker) {
  connect();
  confirm(kEpoch, 0);
  (void)told();
  ASSERT_TRUE(give(proto::Gap{.channel_id = id,
                              .sequence = 9,
                              .cause = proto::GapCause::kOverrun,
                              .position = {kEpoch, 8},
                              .first_missing = 6,
                              .count = 3,
                              .duration_ms = 0}));
  ASSERT_TRUE(give(proto::BrokerState{proto::BrokerLink::kAway, "connection refused\n"}));
  ASSERT_TRUE(give(proto::BrokerState{proto::BrokerLink::kConnected, ""}));
  ASSERT_TRUE(give(proto::Gap{.channel_id = id,
                              .sequence = 10,
                              .cause = proto::GapCause::kBroker,
                              .position = {7, 0},
                              .duration_ms = 2500}));
  EXPECT_EQ(told(),
            (Lines{
                "22:13:20.123  -- gap: 3 messages missing (overrun), goes on behind 5b1c9f20:8",
                "22:13:20.123  -- broker away: connection refused\\n",
                "22:13:20.123  -- broker connected",
                "22:13:20.123  -- gap: an unknown number of messages missing (broker, 2s), goes on "
                "behind 00000000:0",
            }));
}

TEST_F(TailTest, ABrokerThatIsAwayFromTheStartIsTold) {
  connect();
  ASSERT_TRUE(give(proto::BrokerState{proto::BrokerLink::kAway, "refused"}));
  EXPECT_EQ(told(), Lines{"22:13:20.123  -- broker away: refused"});
}

TEST_F(TailTest, GoesOnFromItsPositionAfterALostLink) {
  connect();
  confirm(kEpoch, 0);
  message("1", 1);
  (void)told();
  channel.lost("closed", now(), events);
  channel.lost("closed", now(), events);
  channel.lost("nobody listens", now(), events);
  EXPECT_EQ(told(), (Lines{
                        "22:13:20.123  -- link lost: closed; trying again",
                        "22:13:20.123  -- link lost: nobody listens; trying again",
                    }))
      << "each reason once";
  const proto::Subscribe again = connect();
  EXPECT_TRUE(again.from_position);
  EXPECT_EQ(again.position, (proto::Position{kEpoch, 1}));
  confirm(kEpoch, 1, true);
  message("2", 2);
  const Lines lines = told();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_NE(lines[0].find("link back"), std::string::npos);
  EXPECT_NE(lines[1].find("subscribed"), std::string::npos);
  EXPECT_NE(lines[2].find("5b1c9f20:2"), std::string::npos);
}

TEST_F(TailTest, ARestartedRelayIsAGapOfUnknownSize) {
  connect();
  confirm(kEpoch, 7);
  channel.lost("closed", now(), events);
  pass(std::chrono::milliseconds(3000));
  connect();
  (void)told();
  confirm(99, 0);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_FALSE(events[0].good);
  const Json gap = Json::parse(tail_json(events[1]));
  EXPECT_EQ(gap["type"], "gap");
  EXPECT_TRUE(gap["missing"].is_null());
  EXPECT_EQ(gap["duration_ms"], 3000);
  EXPECT_EQ(gap["epoch"], "0000000000000063");
}

TEST_F(TailTest, WhatTheRingHasNoLongerIsAGapOfKnownSize) {
  connect();
  confirm(kEpoch, 7);
  channel.lost("closed", now(), events);
  connect();
  (void)told();
  confirm(kEpoch, 10);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].missing, 3U);
}

TEST_F(TailTest, ARefusalEndsIt) {
  connect();
  const auto refused =
      give(proto::ErrorFrame{1, proto::ErrorReason::kQueueFull, "100 channels are subscribed"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ExitCode::kRefused);
  EXPECT_NE(refused.error().message.find("livechat: 100 channels"), std::string::npos);
}

TEST_F(TailTest, JsonIsWholeAndHarmless) {
  connect();
  confirm(kEpoch, 41);
  message("h\u00e9llo\u009b\x1b", 42);
  message("\xff", 43);
  ASSERT_EQ(events.size(), 3U);
  for (const TailEvent& event : events) {
    for (const char c : tail_json(event)) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  }
  const Json subscribed = Json::parse(tail_json(events[0]));
  EXPECT_EQ(subscribed["type"], "subscribed");
  EXPECT_EQ(subscribed["offset"], 41);
  const Json text = Json::parse(tail_json(events[1]));
  EXPECT_EQ(text["type"], "message");
  EXPECT_EQ(text["time"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(text["channel"], "livechat");
  EXPECT_EQ(text["epoch"], "5b1c9f20d3a1b2c3");
  EXPECT_EQ(text["offset"], 42);
  EXPECT_EQ(text["bytes"], 9);
  EXPECT_FALSE(text.contains("beside"));
  EXPECT_EQ(text["text"], "h\u00e9llo\u009b\x1b");
  const Json binary = Json::parse(tail_json(events[2]));
  EXPECT_EQ(binary["base64"], "/w==");
  EXPECT_FALSE(binary.contains("text"));
}

TEST_F(TailTest, OneBesideTheHistoryIsSaidToBe) {
  connect();
  confirm(kEpoch, 41);
  ASSERT_TRUE(give(proto::Message{
      .channel_id = id, .offset = 41, .payload = proto::as_bytes("raw"), .beside = true}));
  message("next", 42);
  ASSERT_EQ(events.size(), 3U);
  const Json raw = Json::parse(tail_json(events[1]));
  EXPECT_EQ(raw["text"], "raw");
  EXPECT_EQ(raw["beside"], true);
  EXPECT_EQ(raw["offset"], 41);
  EXPECT_EQ(Json::parse(tail_json(events[2]))["offset"], 42);
}

}  // namespace
}  // namespace sluice::ctl
