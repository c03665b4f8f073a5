// The bytes of each frame type, written down by hand from PROTOCOL.md, and the decoder at every
// split of them.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/decoder.h"
#include "proto/encoder.h"
#include "tests/unit/proto/samples.h"

namespace sluice::proto {
namespace {

std::string hex(std::string_view bytes) {
  static const char* digits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

/// length, type, flags, meta length | channel, aux | sequence | offset
TEST(Golden, Hello) {
  EXPECT_EQ(hex(encoded(Hello{.resume = true,
                              .last_sequence = 0x0102,
                              .version_min = 1,
                              .version_max = 1,
                              .relay_instance = 0x1122334455667788,
                              .gateway_id = "g1",
                              .software = "s"})),
            "17000000"
            "01010000"
            "0000000000000000"
            "0201000000000000"
            "0000000000000000"
            "534c5543"
            "01000100"
            "8877665544332211"
            "02006731"
            "010073");
}

TEST(Golden, HelloThatHasForgotten) {
  EXPECT_EQ(hex(encoded(Hello{.resume = true,
                              .forgotten = true,
                              .last_sequence = 5,
                              .relay_instance = 7,
                              .gateway_id = "g",
                              .software = ""})),
            "15000000"
            "01050000"
            "0000000000000000"
            "0500000000000000"
            "0000000000000000"
            "534c5543"
            "01000100"
            "0700000000000000"
            "010067"
            "0000");
}

TEST(Golden, WelcomeThatTellsAll) {
  EXPECT_EQ(hex(encoded(Welcome{.resumed = true,
                                .tells_all = true,
                                .last_sequence = 5,
                                .relay_instance = 7,
                                .payload_bytes_max = 65536,
                                .software = "r"}))
                .substr(0, 32),
            "0f000000"
            "02030000"
            "0000000001000000");
}

TEST(Golden, HelloOfATool) {
  EXPECT_EQ(hex(encoded(Hello{.tool = true, .gateway_id = "", .software = "s"})),
            "15000000"
            "01020000"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "534c5543"
            "01000100"
            "0000000000000000"
            "0000"
            "010073");
}

TEST(Golden, StatusAndItsReply) {
  // A relay that does not know the request skips it.
  EXPECT_EQ(hex(encoded(Status{.request = 4, .channels_max = 20})),
            "00000000"
            "10800000"
            "0000000014000000"
            "0400000000000000"
            "0000000000000000");
  EXPECT_EQ(hex(encoded(StatusReply{.request = 4, .json = "{}"})),
            "02000000"
            "11000000"
            "0000000000000000"
            "0400000000000000"
            "0000000000000000"
            "7b7d");
}

TEST(Golden, GatewayInfo) {
  EXPECT_EQ(hex(encoded(GatewayInfo{
                .condition = GatewayCondition::kDraining, .clients = 3, .clients_max = 258})),
            "08000000"
            "12800000"
            "0000000004000000"
            "0000000000000000"
            "0000000000000000"
            "03000000"
            "02010000");
}

TEST(Golden, GatewayInfoWithHandoff) {
  EXPECT_EQ(hex(encoded(GatewayInfo{.condition = GatewayCondition::kReady,
                                    .clients = 3,
                                    .clients_max = 258,
                                    .handoff = HandoffState::kOn,
                                    .held = 2,
                                    .takeover = {.kind = TakeoverKind::kPlanned,
                                                 .clients = 5,
                                                 .closed = 1,
                                                 .pause_ms = 212,
                                                 .ended_ms = 0x1122334455}})),
            "26000000"
            "12800000"
            "0000000001000000"
            "0000000000000000"
            "0000000000000000"
            "03000000"
            "02010000"
            "00000000"
            "01"
            "01"
            "02000000"
            "05000000"
            "01000000"
            "d4000000"
            "5544332211000000");
}

TEST(Golden, GatewayInfoWithTotals) {
  EXPECT_EQ(hex(encoded(GatewayInfo{.condition = GatewayCondition::kReady,
                                    .clients = 3,
                                    .clients_max = 258,
                                    .users = 2,
                                    .subscriptions = 30,
                                    .channels = 10})),
            "32000000"
            "12800000"
            "0000000001000000"
            "0000000000000000"
            "0000000000000000"
            "03000000"
            "02010000"
            "00000000" +
                std::string(52, '0') +
                "02000000"
                "1e000000"
                "0a000000");
}

TEST(Golden, HistoryAndItsAnswer) {
  EXPECT_EQ(hex(encoded(History{.request = 4,
                                .recover = true,
                                .query = {.since = Position{9, 7}, .limit = 100, .reverse = false},
                                .channel = "ab"})),
            "0c000000"
            "16830000"
            "0000000064000000"
            "0400000000000000"
            "0700000000000000"
            "0900000000000000"
            "02006162");
  EXPECT_EQ(hex(encoded(History{.request = 4,
                                .query = {.since = {}, .limit = kLimitNone, .reverse = true},
                                .channel = "ab"})),
            "0c000000"
            "16840000"
            "00000000ffffffff"
            "0400000000000000"
            "0000000000000000"
            "0000000000000000"
            "02006162");
  const HistoryItem item{
      .request = 4, .offset = 8, .payload = as_bytes("hi"), .meta = as_bytes("m")};
  const std::string golden =
      "03000000"
      "17800100"
      "0000000000000000"
      "0400000000000000"
      "0800000000000000"
      "68696d";
  EXPECT_EQ(hex(encoded(item)), golden);
  const HeaderBytes header = encode_history_item_header(item);
  EXPECT_EQ(hex({reinterpret_cast<const char*>(header.data()), header.size()}),
            golden.substr(0, 64));
  EXPECT_EQ(hex(encoded(HistoryEnd{.request = 4, .complete = true, .top = {9, 8}})),
            "08000000"
            "18810000"
            "0000000000000000"
            "0400000000000000"
            "0800000000000000"
            "0900000000000000");
}

TEST(Golden, PresenceTold) {
  EXPECT_EQ(
      hex(encoded(PresenceSet{.channel = "ab", .client = "c", .user = "u", .info = as_bytes("x")})),
      "0b000000"
      "19800000" +
          std::string(48, '0') + "02006162" + "010063" + "010075" + "78");
  EXPECT_EQ(hex(encoded(PresenceClear{.channel = "ab", .client = "c"})),
            "07000000"
            "1a800000" +
                std::string(48, '0') + "02006162" + "010063");
  std::string synced;
  encode_presence_synced(synced);
  EXPECT_EQ(hex(synced), "000000001b800000" + std::string(48, '0'));
}

TEST(Golden, PresenceAskedFor) {
  EXPECT_EQ(hex(encoded(Presence{.request = 4, .counts_only = true, .channel = "ab"})),
            "04000000"
            "1c810000"
            "0000000000000000"
            "0400000000000000"
            "0000000000000000"
            "02006162");
  EXPECT_EQ(hex(encoded(PresenceItem{.request = 4, .client = "c", .info = as_bytes("x")})),
            "04000000"
            "1d800000"
            "0000000000000000"
            "0400000000000000"
            "0000000000000000"
            "010063"
            "78");
  EXPECT_EQ(hex(encoded(PresenceEnd{.request = 4, .clients = 3, .users = 2})),
            "08000000"
            "1e800000"
            "0000000000000000"
            "0400000000000000"
            "0000000000000000"
            "03000000"
            "02000000");
}

TEST(Golden, DrainMark) {
  EXPECT_EQ(hex(encoded(DrainMark{.set = true, .balancer = "::1"})),
            "05000000"
            "13800000"
            "0000000001000000"
            "0000000000000000"
            "0000000000000000"
            "03003a3a31");
}

TEST(Golden, ControlAndItsAnswer) {
  EXPECT_EQ(hex(encoded(Control{.request = 4,
                                .action = ControlAction::kUndrain,
                                .older_than_ms = 258,
                                .gateway_id = "7"})),
            "0b000000"
            "14800000"
            "0000000002000000"
            "0400000000000000"
            "0000000000000000"
            "0201000000000000"
            "010037");
  std::string controlled;
  encode_controlled(controlled, 4);
  EXPECT_EQ(hex(controlled),
            "00000000"
            "15000000"
            "0000000000000000"
            "0400000000000000"
            "0000000000000000");
}

TEST(Golden, WelcomeWithDrainMarks) {
  EXPECT_EQ(
      hex(encoded(Welcome{.relay_instance = 7, .software = "r", .drained = {"::1"}})).substr(64),
      "0700000000000000"
      "00000001"
      "010072"
      "0100"
      "03003a3a31");
}

TEST(Golden, WelcomeThatSaysHowLongThingsAreKept) {
  EXPECT_EQ(hex(encoded(Welcome{
                .relay_instance = 7, .software = "r", .ring_age_ms = 300000, .linger_ms = 60000})),
            "19000000"
            "02000000"
            "0000000001000000"
            "0000000000000000"
            "0000000000000000"
            "0700000000000000"
            "00000001"
            "010072"
            "0000"
            "e0930400"
            "60ea0000");
}

TEST(Golden, WelcomeWithFeatures) {
  // What stands in front of them is said as well.
  EXPECT_EQ(hex(encoded(Welcome{.relay_instance = 7, .software = "r", .features = kFeatureHistory}))
                .substr(64),
            "0700000000000000"
            "00000001"
            "010072"
            "0000"
            "00000000"
            "00000000"
            "01000000");
}

TEST(Golden, Welcome) {
  EXPECT_EQ(hex(encoded(Welcome{.resumed = true,
                                .version = 1,
                                .last_sequence = 5,
                                .relay_instance = 7,
                                .payload_bytes_max = 65536,
                                .software = "r"})),
            "0f000000"
            "02010000"
            "0000000001000000"
            "0500000000000000"
            "0000000000000000"
            "0700000000000000"
            "00000100"
            "010072");
}

TEST(Golden, SubscribeAndSubscribed) {
  EXPECT_EQ(hex(encoded(Subscribe{
                .request = 3, .from_position = true, .position = {9, 4}, .channel = "ab"})),
            "0c000000030100000000000000000000030000000000000004000000000000000900000000000000"
            "02006162");
  EXPECT_EQ(
      hex(encoded(Subscribed{
          .request = 3, .channel_id = 6, .continuous = true, .start = {9, 4}, .channel = "ab"})),
      "0c000000040100000600000000000000030000000000000004000000000000000900000000000000"
      "02006162");
}

TEST(Golden, SubscribedToAChannelWithHistory) {
  EXPECT_EQ(
      hex(encoded(Subscribed{
              .request = 3, .channel_id = 6, .history = true, .start = {9, 4}, .channel = "ab"}))
          .substr(0, 16),
      "0c00000004020000");
}

TEST(Golden, PublishByIdAndByName) {
  EXPECT_EQ(hex(encoded(Publish{.request = 2,
                                .acknowledge = true,
                                .channel_id = 6,
                                .channel = {},
                                .wait_ms = 5000,
                                .payload = as_bytes("hi"),
                                .meta = as_bytes("m")})),
            "0300000007010100060000008813000002000000000000000000000000000000"
            "68696d");
  EXPECT_EQ(
      hex(encoded(Publish{.request = 2, .channel = "ab", .wait_ms = 1, .payload = as_bytes("hi")})),
      "0600000007020000000000000100000002000000000000000000000000000000"
      "020061626869");
}

TEST(Golden, MessageKeepsThePayloadBehindTheHeader) {
  const Message message{.channel_id = 6,
                        .sequence = 8,
                        .offset = 9,
                        .received_micros = 10,
                        .payload = as_bytes("hi"),
                        .meta = as_bytes("m")};
  const std::string golden =
      "030000000a000100060000000a00000008000000000000000900000000000000"
      "68696d";
  EXPECT_EQ(hex(encoded(message)), golden);
  const HeaderBytes header = encode_message_header(message);
  EXPECT_EQ(hex({reinterpret_cast<const char*>(header.data()), header.size()}),
            golden.substr(0, 64));
}

TEST(Golden, AMessageBesideTheHistoryHasAFlag) {
  const Message message{
      .channel_id = 6, .sequence = 8, .offset = 9, .payload = as_bytes("hi"), .beside = true};
  EXPECT_EQ(hex(encoded(message)),
            "020000000a010000060000000000000008000000000000000900000000000000"
            "6869");
  for (const bool beside : {true, false}) {
    Decoder decoder;
    decoder.feed(as_bytes(encoded(Message{.channel_id = 6, .beside = beside})));
    const auto frame = decoder.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ(decode_message(**frame)->beside, beside);
  }
}

TEST(Golden, TheOthers) {
  EXPECT_EQ(hex(encoded(ErrorFrame{.request = 2, .reason = ErrorReason::kTimedOut, .text = "x"})),
            "0300000009000000000000001000000002000000000000000000000000000000010078");
  EXPECT_EQ(hex(encoded(Gap{.channel_id = 6,
                            .sequence = 8,
                            .cause = GapCause::kBroker,
                            .position = {9, 4},
                            .first_missing = 0,
                            .count = kCountUnknown,
                            .duration_ms = 1000})),
            "200000000b0000000600000002000000080000000000000004000000000000000900000000000000000000"
            "0000000000"
            "ffffffffffffffffe803000000000000");
  EXPECT_EQ(hex(encoded(BrokerState{.state = BrokerLink::kAway, .reason = "x"})),
            "030000000c000000000000000100000000000000000000000000000000000000010078");
  EXPECT_EQ(hex(encoded(Goodbye{.reason = GoodbyeReason::kReplaced, .text = "x"})),
            "030000000f000000000000000100000000000000000000000000000000000000010078");
  std::string out;
  encode_unsubscribe(out, 6);
  encode_unsubscribed(out, 6);
  encode_published(out, 2);
  encode_ping(out, 2);
  encode_pong(out, 2);
  const std::string zeros(32, '0');
  EXPECT_EQ(hex(out),
            "00000000050000000600000000000000" + zeros + "00000000060000000600000000000000" +
                zeros + "00000000080000000000000000000000" + "0200000000000000" + zeros.substr(16) +
                "000000000d0000000000000000000000" + "0200000000000000" + zeros.substr(16) +
                "000000000e0000000000000000000000" + "0200000000000000" + zeros.substr(16));
}

std::string conversation() {
  std::string out = encoded(Hello{.gateway_id = "g", .software = ""});
  out += encoded(Welcome{.relay_instance = 1, .software = "r"});
  out += encoded(Subscribe{.request = 1, .position = {}, .channel = "c"});
  out += encoded(Publish{
      .request = 2, .channel = "c", .payload = as_bytes("payload"), .meta = as_bytes("me")});
  out += encoded(Message{.channel_id = 1,
                         .sequence = 1,
                         .offset = 1,
                         .payload = as_bytes("payload"),
                         .meta = as_bytes("me")});
  encode_ping(out, 3);
  return out;
}

TEST(Decoder, EverySplitGivesTheSameFrames) {
  const std::string all = conversation();
  for (std::size_t split = 0; split <= all.size(); ++split) {
    Decoder decoder;
    std::vector<FrameType> types;
    for (const std::string& part : {all.substr(0, split), all.substr(split)}) {
      decoder.feed(as_bytes(part));
      while (auto frame = decoder.next().value()) {
        types.push_back(frame->header.type);
        if (frame->header.type == FrameType::kMessage) {
          const auto message = decode_message(*frame);
          ASSERT_TRUE(message);
          EXPECT_EQ(as_text(message->payload), "payload");
          EXPECT_EQ(as_text(message->meta), "me");
        }
      }
    }
    EXPECT_EQ(types,
              (std::vector<FrameType>{FrameType::kHello, FrameType::kWelcome, FrameType::kSubscribe,
                                      FrameType::kPublish, FrameType::kMessage, FrameType::kPing}))
        << split;
  }
}

TEST(Decoder, ErrorsStick) {
  std::string bad;
  encode_ping(bad, 1);
  bad[4] = 99;  // a type that nobody knows and that may not be skipped
  Decoder decoder;
  decoder.feed(as_bytes(bad));
  EXPECT_FALSE(decoder.next());
  decoder.feed(as_bytes(conversation()));
  EXPECT_FALSE(decoder.next());
}

TEST(Decoder, SkipsWhatMayBeSkipped) {
  std::string out;
  encode_ping(out, 1);
  out[4] = 99;
  out[5] = static_cast<char>(kFlagSkippable);
  encode_pong(out, 2);
  Decoder decoder;
  decoder.feed(as_bytes(out));
  const auto frame = decoder.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->header.type, FrameType::kPong);
}

TEST(Decoder, RefusesWhatIsOverItsBounds) {
  const auto refused = [](Header header, std::size_t payload_max = 1000) {
    const HeaderBytes raw = encode_header(header);
    Decoder decoder(payload_max);
    decoder.feed({raw.data(), raw.size()});
    return !decoder.next();
  };
  EXPECT_TRUE(refused({.length = kControlBodyBytesMax + 1, .type = FrameType::kHello}));
  EXPECT_FALSE(refused({.length = kControlBodyBytesMax, .type = FrameType::kHello}));
  EXPECT_TRUE(refused({.length = 1000 + kMetaBytesMax + 2 + kChannelNameBytesMax + 1,
                       .type = FrameType::kMessage}));
  EXPECT_TRUE(refused({.length = 2, .type = FrameType::kMessage, .meta_length = 3}));
  EXPECT_TRUE(refused({.length = 2, .type = FrameType::kHello, .meta_length = 1}));
}

TEST(Decoder, RefusesBodiesThatAreCutShortOrTooLong) {
  const auto body_of = [](std::string frame, std::size_t body_bytes) {
    frame.resize(kHeaderBytes + body_bytes);
    const auto length = static_cast<std::uint32_t>(body_bytes);
    frame.replace(0, 4, reinterpret_cast<const char*>(&length), 4);
    return frame;
  };
  const auto decodes = [](const std::string& frame, auto decode_body) {
    Decoder decoder;
    decoder.feed(as_bytes(frame));
    const auto next = decoder.next();
    return next && *next && static_cast<bool>(decode_body(**next));
  };
  const std::string subscribed =
      encoded(Subscribed{.channel_id = 1, .start = {9, 0}, .channel = "ab"});
  EXPECT_TRUE(decodes(subscribed, decode_subscribed));
  for (std::size_t n = 0; n < 12; ++n)
    EXPECT_FALSE(decodes(body_of(subscribed, n), decode_subscribed)) << n;
  EXPECT_FALSE(decodes(body_of(subscribed, 13), decode_subscribed));
  const std::string gap = encoded(Gap{.channel_id = 1, .cause = GapCause::kBoth, .position = {}});
  for (std::size_t n = 0; n < 32; ++n) EXPECT_FALSE(decodes(body_of(gap, n), decode_gap)) << n;
  const std::string hello = encoded(Hello{.gateway_id = "g", .software = "s"});
  EXPECT_TRUE(decodes(body_of(hello, 30), decode_hello)) << "more may follow";
}

TEST(GatewayId, HasItsRules) {
  EXPECT_TRUE(valid_gateway_id("1111"));
  EXPECT_TRUE(valid_gateway_id("a.B_c-9"));
  EXPECT_FALSE(valid_gateway_id(""));
  EXPECT_FALSE(valid_gateway_id("a b"));
  EXPECT_FALSE(valid_gateway_id(std::string(65, 'a')));
}

}  // namespace
}  // namespace sluice::proto
