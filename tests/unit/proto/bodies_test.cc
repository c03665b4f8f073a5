// Bodies: each way in which one can be wrong is refused by name.
#include <gtest/gtest.h>

#include "tests/unit/proto/samples.h"

namespace sluice::proto {
namespace {

/// The frame of `bytes` with its length set right, decoded and encoded again.
Result<std::string> reread(std::string bytes) {
  const auto length = static_cast<std::uint32_t>(bytes.size() - kHeaderBytes);
  bytes.replace(0, sizeof length, reinterpret_cast<const char*>(&length), sizeof length);
  Decoder decoder;
  decoder.feed(as_bytes(bytes));
  const auto frame = decoder.next();
  if (!frame) return tl::make_unexpected(frame.error());
  if (!*frame) return fail(ErrorCode::kUnavailable, "not a whole frame");
  return again(**frame);
}

std::string sample(FrameType type) {
  for (const Sample& s : one_of_each()) {
    if (s.type == type) return s.bytes;
  }
  return {};
}

template <typename T>
std::string with(std::string bytes, std::size_t at, T value) {
  return bytes.replace(at, sizeof value, reinterpret_cast<const char*>(&value), sizeof value);
}

// Where fields of the header stand.
constexpr std::size_t kFlagsAt = 5;
constexpr std::size_t kMetaLengthAt = 6;
constexpr std::size_t kChannelAt = 8;
constexpr std::size_t kAuxAt = 12;

bool has_free_tail(FrameType type) {
  return type == FrameType::kPublish || type == FrameType::kMessage ||
         type == FrameType::kStatusReply || type == FrameType::kHistoryItem ||
         type == FrameType::kPresenceSet || type == FrameType::kPresenceItem;
}

bool more_may_follow(FrameType type) {
  return type == FrameType::kHello || type == FrameType::kWelcome || type == FrameType::kStatus ||
         type == FrameType::kGatewayInfo || type == FrameType::kDrainMark ||
         type == FrameType::kControl || type == FrameType::kHistory ||
         type == FrameType::kHistoryEnd || type == FrameType::kPresenceClear ||
         type == FrameType::kPresenceSynced || type == FrameType::kPresence ||
         type == FrameType::kPresenceEnd;
}

/// What an older relay would have said ends here.
bool older_form(const Sample& sample, std::size_t bytes) {
  if (sample.type == FrameType::kGatewayInfo)
    return bytes == kHeaderBytes + 8 || bytes == kHeaderBytes + 12 || bytes == kHeaderBytes + 38;
  const std::size_t welcome = kHeaderBytes + 8 + 4 + 2 + 6;
  const std::size_t marks = 2 + 2 + 9 + 2 + 11;
  return sample.type == FrameType::kWelcome &&
         (bytes == welcome || bytes == welcome + marks || bytes == welcome + marks + 8);
}

TEST(Bodies, CutShortAtAnyByteAreRefused) {
  for (const Sample& s : one_of_each()) {
    if (has_free_tail(s.type)) continue;  // what is left is a shorter payload
    for (std::size_t n = kHeaderBytes; n < s.bytes.size(); ++n) {
      if (older_form(s, n)) continue;
      EXPECT_FALSE(reread(s.bytes.substr(0, n)))
          << "type " << static_cast<int>(s.type) << " at " << n;
    }
  }
}

TEST(Bodies, BytesBehindTheLastFieldAreRefusedWhereNoMoreMayFollow) {
  for (const Sample& s : one_of_each()) {
    if (has_free_tail(s.type)) continue;
    const auto read = reread(s.bytes + "x");
    if (more_may_follow(s.type)) {
      ASSERT_TRUE(read) << "more may follow";
      EXPECT_EQ(*read, s.bytes);
    } else {
      ASSERT_FALSE(read) << "type " << static_cast<int>(s.type);
      EXPECT_NE(read.error().message.find("body has bytes behind its last field"),
                std::string::npos)
          << read.error().message;
    }
  }
}

TEST(Bodies, APositionThatIsNotKnownStandsOnlyInWhatIsToldAgain) {
  const Subscribed told{.request = 0, .channel_id = 3, .start = {0, 0}, .channel = "c"};
  EXPECT_TRUE(reread(encoded(told)));
  Subscribed answer = told;
  answer.request = 1;
  EXPECT_FALSE(reread(encoded(answer)));
}

struct Wrong {
  const char* says;
  std::string bytes;
};

TEST(Bodies, WrongFieldsAreNamed) {
  const std::string hello = sample(FrameType::kHello);
  const std::string welcome = sample(FrameType::kWelcome);
  const std::string subscribe = sample(FrameType::kSubscribe);
  const std::string subscribed = sample(FrameType::kSubscribed);
  const std::string publish = sample(FrameType::kPublish);
  const std::string named = encoded(Publish{.channel = "ab", .payload = as_bytes("x")});
  const std::string gap = sample(FrameType::kGap);
  const std::string history = sample(FrameType::kHistory);
  const std::string set = sample(FrameType::kPresenceSet);
  const std::string clear = sample(FrameType::kPresenceClear);
  const std::string item = sample(FrameType::kPresenceItem);
  const std::string info(kPresenceInfoBytesMax + 1, 'x');
  const std::uint8_t recover_alone = kFlagSkippable | kFlagRecover;
  const std::uint8_t recover_back = recover_alone | kFlagSince | kFlagReverse;
  const std::uint16_t long_client = kClientIdBytesMax + 1;
  const std::uint16_t long_user = kUserBytesMax + 1;
  const std::uint16_t long_name = kChannelNameBytesMax + 1;
  const std::uint16_t long_id = kGatewayIdBytesMax + 1;
  const std::uint16_t long_reason = kReasonBytesMax + 1;
  const std::string tail(1000, 'x');
  const Wrong cases[] = {
      {"HELLO: magic", with(hello, kHeaderBytes, std::uint32_t{0x43554C54})},
      {"HELLO: versions are the wrong way round", with(hello, kHeaderBytes + 4, std::uint16_t{2})},
      {"HELLO: gateway id is longer", with(hello + tail, kHeaderBytes + 16, long_id)},
      {"HELLO: software is longer", with(hello + tail, kHeaderBytes + 22, long_id)},
      {"WELCOME: relay instance is 0", with(welcome, kHeaderBytes, std::uint64_t{0})},
      {"WELCOME: version was not offered", with(welcome, kAuxAt, std::uint32_t{0})},
      {"WELCOME: version was not offered", with(welcome, kAuxAt, std::uint32_t{kVersionMax + 1})},
      {"WELCOME: version was not offered", with(welcome, kAuxAt, std::uint32_t{0x10001})},
      {"SUBSCRIBE: channel name is longer", with(subscribe + tail, kHeaderBytes + 8, long_name)},
      {"SUBSCRIBE: channel name is empty",
       with(subscribe.substr(0, kHeaderBytes + 10), kHeaderBytes + 8, std::uint16_t{0})},
      {"SUBSCRIBED: channel name is longer", with(subscribed + tail, kHeaderBytes + 8, long_name)},
      {"SUBSCRIBED: channel name is empty",
       with(subscribed.substr(0, kHeaderBytes + 10), kHeaderBytes + 8, std::uint16_t{0})},
      {"SUBSCRIBED: channel id is 0", with(subscribed, kChannelAt, std::uint32_t{0})},
      {"SUBSCRIBED: epoch is 0", with(subscribed, kHeaderBytes, std::uint64_t{0})},
      {"UNSUBSCRIBE: channel id is 0",
       with(sample(FrameType::kUnsubscribe), kChannelAt, std::uint32_t{0})},
      {"channel id is 0", with(sample(FrameType::kUnsubscribed), kChannelAt, std::uint32_t{0})},
      {"PUBLISH: channel id is 0", with(publish, kChannelAt, std::uint32_t{0})},
      {"PUBLISH: channel name is empty", with(named, kHeaderBytes, std::uint16_t{0})},
      {"PUBLISH: channel name is longer", with(named + tail, kHeaderBytes, long_name)},
      {"PUBLISH: channel name is cut short", with(named, kHeaderBytes, std::uint16_t{4})},
      {"PUBLISH: channel name is cut short", with(named, kMetaLengthAt, std::uint16_t{2})},
      {"PUBLISH: channel id stands beside a name", with(named, kChannelAt, std::uint32_t{3})},
      {"PUBLISH: channel id is 0", with(named, kFlagsAt, std::uint8_t{0})},
      {"ERROR: text is longer", with(sample(FrameType::kError) + tail, kHeaderBytes, long_reason)},
      {"MESSAGE: channel id is 0", with(sample(FrameType::kMessage), kChannelAt, std::uint32_t{0})},
      {"GAP: channel id is 0", with(gap, kChannelAt, std::uint32_t{0})},
      {"GAP: cause is 0", with(gap, kAuxAt, std::uint32_t{0})},
      {"BROKER_STATE: state is unknown",
       with(sample(FrameType::kBrokerState), kAuxAt, std::uint32_t{2})},
      {"BROKER_STATE: reason is longer",
       with(sample(FrameType::kBrokerState) + tail, kHeaderBytes, long_reason)},
      {"GOODBYE: text is longer",
       with(sample(FrameType::kGoodbye) + tail, kHeaderBytes, long_reason)},
      {"HISTORY: epoch stands beside no position", with(history, kFlagsAt, kFlagSkippable)},
      {"HISTORY: position is not there",
       with(with(history, kFlagsAt, recover_alone), kHeaderBytes, std::uint64_t{0})},
      {"HISTORY: order is not", with(history, kFlagsAt, recover_back)},
      {"HISTORY: channel name is longer", with(history + tail, kHeaderBytes + 8, long_name)},
      {"HISTORY: channel name is empty", with(history, kHeaderBytes + 8, std::uint16_t{0})},
      {"PRESENCE_SET: channel name is longer", with(set + tail, kHeaderBytes, long_name)},
      {"PRESENCE_SET: channel name is empty",
       encoded(PresenceClear{.channel = "c", .client = "x"})
           .replace(4, 1, 1, static_cast<char>(FrameType::kPresenceSet))
           .replace(kHeaderBytes, 3, std::string("\0\0", 2))
           .append("\0\0", 2)},
      {"PRESENCE_SET: client id is longer", with(set + tail, kHeaderBytes + 10, long_client)},
      {"PRESENCE_SET: client id is cut short", set.substr(0, kHeaderBytes + 14)},
      {"PRESENCE_SET: user is longer", with(set + tail, kHeaderBytes + 15, long_user)},
      {"PRESENCE_SET: user is cut short", set.substr(0, kHeaderBytes + 16)},
      {"PRESENCE_SET: info is longer",
       encoded(PresenceSet{.channel = "c", .client = "x", .user = {}}) + info},
      {"PRESENCE_CLEAR: channel name is longer", with(clear + tail, kHeaderBytes, long_name)},
      {"PRESENCE_CLEAR: client id is longer", with(clear + tail, kHeaderBytes + 10, long_client)},
      {"PRESENCE_CLEAR: client id is empty", with(clear, kHeaderBytes + 10, std::uint16_t{0})},
      {"PRESENCE: channel name is empty",
       with(sample(FrameType::kPresence), kHeaderBytes, std::uint16_t{0})},
      {"PRESENCE_ITEM: client id is cut short", item.substr(0, kHeaderBytes + 4)},
      {"PRESENCE_ITEM: client id is empty", with(item, kHeaderBytes, std::uint16_t{0})},
      {"PRESENCE_ITEM: info is longer", encoded(PresenceItem{.client = "x"}) + info},
  };
  for (const Wrong& wrong : cases) {
    const auto read = reread(wrong.bytes);
    ASSERT_FALSE(read) << wrong.says;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalid) << wrong.says;
    EXPECT_NE(read.error().message.find(wrong.says), std::string::npos)
        << "wanted '" << wrong.says << "', got '" << read.error().message << "'";
  }
}

// The frame's bound leaves room for a channel name: what has none must not fill it with payload,
// else the receiver holds a payload that it can't encode again.
TEST(Bodies, APayloadMayNotUseTheRoomOfTheName) {
  const std::string payload(kPayloadBytesMax + 1, 'x');
  const auto says_too_long = [](const Result<std::string>& read) {
    return !read &&
           read.error().message.find("payload is longer than allowed") != std::string::npos;
  };
  EXPECT_TRUE(says_too_long(reread(encoded(Message{.channel_id = 1}) + payload)));
  EXPECT_TRUE(says_too_long(reread(encoded(Publish{.channel_id = 1, .channel = {}}) + payload)));
  EXPECT_TRUE(says_too_long(reread(encoded(Publish{.channel = "c"}) + payload)));
  EXPECT_TRUE(says_too_long(reread(encoded(HistoryItem{.request = 1}) + payload)));
  EXPECT_TRUE(reread(encoded(HistoryItem{.request = 1}) + payload.substr(1)));
  EXPECT_TRUE(reread(encoded(Message{.channel_id = 1}) + payload.substr(1)));
  EXPECT_TRUE(reread(encoded(Publish{.channel = "c"}) + payload.substr(1)));
}

TEST(Bodies, EmptyPayloadsAndTextsAreFine) {
  for (const std::string& bytes : {
           encoded(Message{.channel_id = 1}),
           encoded(Message{.channel_id = 1, .meta = as_bytes("m")}),
           encoded(Publish{.channel = "c"}),
           encoded(HistoryItem{.request = 1}),
           encoded(HistoryItem{.request = 1, .meta = as_bytes("m")}),
           encoded(HistoryEnd{.request = 1, .top = {}}),
           encoded(PresenceSet{.channel = "c", .client = "x", .user = {}}),
           encoded(PresenceItem{.client = "x"}),
           encoded(ErrorFrame{.reason = ErrorReason::kMalformed, .text = ""}),
           encoded(BrokerState{.state = BrokerLink::kConnected, .reason = ""}),
           encoded(Goodbye{.reason = GoodbyeReason::kShuttingDown, .text = ""}),
       }) {
    EXPECT_EQ(reread(bytes).value(), bytes);
  }
}

TEST(Bodies, CodesOfALaterReleaseAreTakenAsTheyAre) {
  const auto read = reread(with(sample(FrameType::kError), kAuxAt, std::uint32_t{9999}));
  EXPECT_TRUE(read) << "a new ERROR code does not end the link";
  EXPECT_EQ(to_string(ErrorReason{9999}), "unknown");
  EXPECT_TRUE(reread(with(sample(FrameType::kGoodbye), kAuxAt, std::uint32_t{9999})));
}

TEST(Bodies, LongTextsAreCutBetweenCharacters) {
  const auto text_of = [](const std::string& text) {
    Decoder decoder;
    const std::string bytes =
        encoded(Goodbye{.reason = GoodbyeReason::kShuttingDown, .text = text});
    decoder.feed(as_bytes(bytes));
    return std::string(decode_goodbye(*decoder.next().value())->text);
  };
  EXPECT_EQ(text_of(std::string(kReasonBytesMax, 'x')).size(), kReasonBytesMax);
  EXPECT_EQ(text_of(std::string(kReasonBytesMax + 1, 'x')).size(), kReasonBytesMax);
  const std::string euro = "\xE2\x82\xAC";
  const std::string stem(kReasonBytesMax - 2, 'x');
  EXPECT_EQ(text_of(stem + euro), stem);
  EXPECT_EQ(text_of(stem.substr(1) + euro + "x"), stem.substr(1) + euro);
  EXPECT_GE(text_of(std::string(2 * kReasonBytesMax, '\x80')).size(), kReasonBytesMax - 3)
      << "no text at all is no reason to cut more";
}

TEST(Names, OfReasonsAndCauses) {
  EXPECT_EQ(to_string(ErrorReason::kIdInUse), "in use");
  EXPECT_EQ(to_string(ErrorReason::kUnknownFate), "unknown fate");
  EXPECT_EQ(to_string(GapCause::kOverrun), "overrun");
  EXPECT_EQ(to_string(GapCause::kBroker), "broker");
  EXPECT_EQ(to_string(GapCause::kBoth), "overrun and broker");
  EXPECT_EQ(to_string(GapCause::kOversized), "oversized");
  EXPECT_EQ(to_string(GapCause{0}), "unknown");
  EXPECT_EQ(to_string(GatewayCondition::kNotReady), "not ready");
  EXPECT_EQ(to_string(GatewayCondition{77}), "unknown");
}

}  // namespace
}  // namespace sluice::proto
