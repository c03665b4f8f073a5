// The decoder as a stream: any split, sticky errors, skipped types, bounded memory.
#include "proto/decoder.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/proto/samples.h"

namespace sluice::proto {
namespace {

std::string all_bytes() {
  std::string all;
  for (const Sample& sample : one_of_each()) all += sample.bytes;
  return all;
}

/// What comes out, encoded again: equal to what went in if nothing was lost or changed.
std::string drained(Decoder& decoder) {
  std::string out;
  for (;;) {
    const auto frame = decoder.next();
    if (!frame) return "error: " + frame.error().message;
    if (!*frame) return out;
    const auto bytes = again(**frame);
    if (!bytes) return "error: " + bytes.error().message;
    out += *bytes;
  }
}

/// A header alone, with a body of zeros.
std::string raw(const Header& header, std::size_t body_bytes = 0) {
  const HeaderBytes bytes = encode_header(header);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) +
         std::string(body_bytes, '\0');
}

TEST(DecoderStream, EachTypeAtEverySplit) {
  for (const Sample& sample : one_of_each()) {
    for (std::size_t split = 0; split <= sample.bytes.size(); ++split) {
      Decoder decoder;
      decoder.feed(as_bytes(sample.bytes).first(split));
      std::string out = drained(decoder);
      EXPECT_EQ(out.empty(), split < sample.bytes.size());
      decoder.feed(as_bytes(sample.bytes).subspan(split));
      out += drained(decoder);
      EXPECT_EQ(out, sample.bytes)
          << "type " << static_cast<int>(sample.type) << " split at " << split;
      EXPECT_EQ(decoder.buffered_bytes(), 0U);
    }
  }
}

TEST(DecoderStream, AllTypesInPiecesOfEverySize) {
  const std::string all = all_bytes();
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    Decoder decoder;
    std::string out;
    for (std::size_t i = 0; i < all.size(); i += piece) {
      decoder.feed(as_bytes(std::string_view(all).substr(i, piece)));
      out += drained(decoder);
    }
    ASSERT_EQ(out, all) << "pieces of " << piece;
  }
}

TEST(DecoderStream, TypesAreToldInOrder) {
  Decoder decoder;
  decoder.feed(as_bytes(all_bytes()));
  for (const Sample& sample : one_of_each()) {
    const auto frame = decoder.next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->header.type, sample.type);
    EXPECT_EQ((*frame)->body.size(), sample.bytes.size() - kHeaderBytes);
  }
  EXPECT_FALSE(decoder.next().value());
}

TEST(DecoderStream, AViewLivesUntilTheNextPrepare) {
  Decoder decoder;
  decoder.feed(as_bytes(encoded(BrokerState{.state = BrokerLink::kAway, .reason = "first"}) +
                        encoded(BrokerState{.state = BrokerLink::kAway, .reason = "second"})));
  const auto first = decoder.next().value();
  const auto second = decoder.next().value();
  EXPECT_EQ(decode_broker_state(*first)->reason, "first");
  EXPECT_EQ(decode_broker_state(*second)->reason, "second");
}

TEST(DecoderStream, UnknownTypesThatMayBeSkippedAre) {
  for (const int type : {0, 31, 99, 255}) {
    const Header header{.length = 5,
                        .type = static_cast<FrameType>(type),
                        .flags = kFlagSkippable,
                        .meta_length = 3,
                        .channel = 1,
                        .aux = 2,
                        .sequence = 3,
                        .offset = 4};
    const std::string skipped = raw(header, 5);
    std::string all = skipped;
    all.append(all_bytes()).append(skipped).append(skipped);
    for (std::size_t split = 0; split <= kHeaderBytes + 6; ++split) {
      Decoder decoder;
      decoder.feed(as_bytes(all).first(split));
      std::string out = drained(decoder);
      decoder.feed(as_bytes(all).subspan(split));
      out += drained(decoder);
      ASSERT_EQ(out, all_bytes()) << "type " << type << " split at " << split;
      EXPECT_EQ(decoder.buffered_bytes(), 0U);
    }
  }
}

TEST(DecoderStream, AKnownTypeMarkedSkippableIsNotSkipped) {
  std::string ping;
  encode_ping(ping, 5);
  ping[5] = static_cast<char>(kFlagSkippable);
  Decoder decoder;
  decoder.feed(as_bytes(ping));
  const auto frame = decoder.next().value();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->header.type, FrameType::kPing);
}

struct Malformed {
  const char* what;
  Header header;
  ErrorCode code;
  const char* says;
};

const Malformed kMalformed[] = {
    {"type 0", {.type = FrameType{0}}, ErrorCode::kInvalid, "unknown frame type 0"},
    {"type behind the last", {.type = FrameType{31}}, ErrorCode::kInvalid, "unknown frame type 31"},
    {"unknown type, other flags",
     {.type = FrameType{99}, .flags = 0x7F},
     ErrorCode::kInvalid,
     "unknown frame type 99"},
    {"control body too long",
     {.length = kControlBodyBytesMax + 1, .type = FrameType::kPing},
     ErrorCode::kTooLarge,
     "frame type 13 with a body of 2049 bytes"},
    {"skippable body too long",
     {.length = kControlBodyBytesMax + 1, .type = FrameType{99}, .flags = kFlagSkippable},
     ErrorCode::kTooLarge,
     "frame type 99"},
    {"status too long",
     {.length = kStatusBytesMax + 1, .type = FrameType::kStatusReply},
     ErrorCode::kTooLarge,
     "frame type 17"},
    {"presence too long",
     {.length = kPresenceBodyBytesMax + 1, .type = FrameType::kPresenceSet},
     ErrorCode::kTooLarge,
     "frame type 25"},
    {"publication of a history too long",
     {.length = kBodyBytesMax + 1, .type = FrameType::kHistoryItem},
     ErrorCode::kTooLarge,
     "frame type 23"},
    {"meta in a presence frame",
     {.length = 2, .type = FrameType::kPresenceItem, .meta_length = 1},
     ErrorCode::kInvalid,
     "bad meta length"},
    {"payload too long",
     {.length = kBodyBytesMax + 1, .type = FrameType::kMessage},
     ErrorCode::kTooLarge,
     "frame type 10"},
    {"length of all ones",
     {.length = 0xFFFFFFFF, .type = FrameType::kPublish},
     ErrorCode::kTooLarge,
     "4294967295"},
    {"meta longer than the body",
     {.length = 2, .type = FrameType::kMessage, .meta_length = 3},
     ErrorCode::kInvalid,
     "bad meta length"},
    {"meta over its bound",
     {.length = kMetaBytesMax + 1, .type = FrameType::kPublish, .meta_length = kMetaBytesMax + 1},
     ErrorCode::kInvalid,
     "bad meta length"},
    {"meta in a control frame",
     {.length = 2, .type = FrameType::kGoodbye, .meta_length = 1},
     ErrorCode::kInvalid,
     "bad meta length"},
};

TEST(DecoderStream, MalformedHeadersAreNamedAndStick) {
  for (const Malformed& m : kMalformed) {
    Decoder decoder;
    decoder.feed(as_bytes(raw(m.header)));
    const auto first = decoder.next();
    ASSERT_FALSE(first) << m.what;
    EXPECT_EQ(first.error().code, m.code) << m.what;
    EXPECT_NE(first.error().message.find(m.says), std::string::npos)
        << m.what << ": " << first.error().message;
    decoder.feed(as_bytes(all_bytes()));
    const auto later = decoder.next();
    ASSERT_FALSE(later) << m.what;
    EXPECT_EQ(later.error().message, first.error().message) << m.what;
  }
}

TEST(DecoderStream, AHeaderIsJudgedBeforeItsBodyComes) {
  for (const Malformed& m : kMalformed) {
    Decoder decoder;
    decoder.feed(as_bytes(raw(m.header)).first(kHeaderBytes - 1));
    EXPECT_TRUE(decoder.next()) << m.what;
    decoder.feed(as_bytes(raw(m.header)).last(1));
    EXPECT_FALSE(decoder.next()) << m.what;
  }
}

TEST(DecoderStream, FramesBeforeAnErrorAreStillGiven) {
  Decoder decoder;
  decoder.feed(as_bytes(all_bytes() + raw({.type = FrameType{99}})));
  for (std::size_t i = 0; i < one_of_each().size(); ++i) ASSERT_TRUE(decoder.next().value());
  EXPECT_FALSE(decoder.next());
}

TEST(DecoderStream, NothingPilesUpBehindAnError) {
  Decoder decoder;
  decoder.feed(as_bytes(raw({.type = FrameType{99}})));
  ASSERT_FALSE(decoder.next());
  const std::string junk(1U << 20U, 'x');
  for (int i = 0; i < 32; ++i) decoder.feed(as_bytes(junk));
  EXPECT_LE(decoder.buffered_bytes(), 256U << 10U);
  EXPECT_FALSE(decoder.next());
}

TEST(DecoderStream, LargestFramesPass) {
  const std::string payload(kPayloadBytesMax, 'p');
  const std::string meta(kMetaBytesMax, 'm');
  const std::string name(kChannelNameBytesMax, 'n');
  const std::string bytes = encoded(
      Publish{.request = 1, .channel = name, .payload = as_bytes(payload), .meta = as_bytes(meta)});
  EXPECT_EQ(bytes.size(), kHeaderBytes + kBodyBytesMax) << "the bound is the sum of its parts";
  Decoder decoder;
  decoder.feed(as_bytes(bytes));
  EXPECT_TRUE(drained(decoder) == bytes);
  // The room it took is given back.
  EXPECT_LE(decoder.prepare().size(), 256U << 10U);
}

TEST(DecoderStream, ALowerBoundOnPayloadsHolds) {
  Decoder decoder(100);
  decoder.feed(as_bytes(
      raw({.length = 100 + kMetaBytesMax + kNameFieldBytesMax + 1, .type = FrameType::kMessage})));
  EXPECT_EQ(decoder.next().error().code, ErrorCode::kTooLarge);
}

TEST(DecoderStream, PrepareOffersTheRestOfALargeFrameAtOnce) {
  const std::string payload(1U << 20U, 'p');
  const std::string bytes = encoded(Message{.channel_id = 1, .payload = as_bytes(payload)});
  Decoder decoder;
  decoder.feed(as_bytes(bytes).first(kHeaderBytes + 10));
  const auto room = decoder.prepare();
  ASSERT_GE(room.size(), bytes.size() - kHeaderBytes - 10);
  std::memcpy(room.data(), bytes.data() + kHeaderBytes + 10, bytes.size() - kHeaderBytes - 10);
  decoder.commit(bytes.size() - kHeaderBytes - 10);
  EXPECT_TRUE(drained(decoder) == bytes);
}

TEST(DecoderStream, ALyingLengthTakesNoMemoryBeforeBytesCome) {
  Decoder decoder;
  decoder.feed(as_bytes(raw({.length = 0xFFFFFFFF, .type = FrameType::kMessage})));
  EXPECT_LE(decoder.prepare().size(), 256U << 10U);
}

TEST(DecoderStreamDeathTest, CommitBeyondTheRoomIsABug) {
  Decoder decoder;
  const std::size_t room = decoder.prepare().size();
  EXPECT_DEATH(decoder.commit(room + 1), "CHECK failed");
}

}  // namespace
}  // namespace sluice::proto
