// Envelopes: golden bytes, there and back, and what is refused.
#include "relay/brokers/redis_envelope.h"

#include <gtest/gtest.h>

namespace sluice::relay::test {
namespace {

constexpr proto::Position kPosition{0x0123456789abcdef, 0x2a};

std::string made(std::optional<proto::Position> position, std::string_view meta,
                 std::string_view payload) {
  return make_envelope(position, proto::as_bytes(meta), proto::as_bytes(payload));
}

std::optional<RedisEnvelope> read(std::string_view bytes) {
  return read_envelope(proto::as_bytes(bytes));
}

TEST(RedisEnvelope, GoldenBytes) {
  EXPECT_EQ(made(kPosition, "who", "hello"), "S10123456789abcdef000000000000002a0003whohello");
  EXPECT_EQ(made(std::nullopt, "", ""), "S1" + std::string(36, '0'));
}

TEST(RedisEnvelope, ThereAndBack) {
  const std::string largest_meta(proto::kMetaBytesMax, 'm');
  const std::string binary("\0\r\n\xff", 4);
  for (const std::string& meta : {std::string(), std::string("x"), largest_meta, binary}) {
    for (const std::string& payload : {std::string(), binary, std::string("S1")}) {
      for (const auto position : {std::optional(kPosition), std::optional<proto::Position>()}) {
        const std::string bytes = made(position, meta, payload);
        const auto envelope = read(bytes);
        ASSERT_TRUE(envelope);
        EXPECT_EQ(envelope->position, position);
        EXPECT_EQ(proto::as_text(envelope->meta), meta);
        EXPECT_EQ(proto::as_text(envelope->payload), payload);
      }
    }
  }
}

TEST(RedisEnvelope, CutShortInFrontIsNone) {
  const std::string bytes = made(kPosition, "who", "");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read(std::string_view(bytes).substr(0, size))) << size;
  }
}

TEST(RedisEnvelope, WhatIsNotOurs) {
  const std::string good = made(kPosition, "who", "hello");
  const auto with = [&good](std::size_t place, std::string_view text) {
    return std::string(good).replace(place, text.size(), text);
  };
  EXPECT_TRUE(read(good));
  EXPECT_FALSE(read(with(0, "S2")));
  EXPECT_FALSE(read(with(2, "A")));  // upper case
  EXPECT_FALSE(read(with(2, "g")));
  EXPECT_FALSE(read(with(2, "-")));
  EXPECT_FALSE(read(with(2, std::string(16, '0'))));   // an offset without an epoch
  EXPECT_FALSE(read(with(18, std::string(16, '0'))));  // an epoch without an offset
  EXPECT_FALSE(read(with(34, "1001")));                // more meta than there may be
  EXPECT_FALSE(read(with(34, "0009")));                // or is
  EXPECT_TRUE(read(with(34, "0008")));
}

TEST(RedisEnvelope, Epochs) {
  EXPECT_EQ(epoch_text(1), "0000000000000001");
  EXPECT_EQ(read_epoch("ffffffffffffffff"), ~0ULL);
  for (const char* text : {"", "0000000000000000", "1", "00000000000000001", "000000000000000G"}) {
    EXPECT_FALSE(read_epoch(text)) << text;
  }
}

}  // namespace
}  // namespace sluice::relay::test
