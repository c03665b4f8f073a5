// What the restart bench is made of: messages that can be judged to the last byte, the check of a
// stream, and how hostile clients cut what they write.
#include <gtest/gtest.h>

#include "bench/restart/latency_log.h"
#include "bench/restart/manner.h"
#include "bench/restart/message.h"
#include "bench/restart/stream_check.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;

TEST(RestartMessage, ComesBack) {
  for (const std::size_t bytes :
       {kHeadBytes, kHeadBytes + 1, std::size_t{4000}, kMessageBytesMax}) {
    const Message message{7, 0x12345, 0xABCDEF0123};
    const std::string text = to_text(message, bytes);
    EXPECT_EQ(text.size(), bytes);
    EXPECT_EQ(parse_message(text), message);
  }
}

TEST(RestartMessage, EachChangedByteShows) {
  const Message message{3, 99, 1234567};
  const std::string text = to_text(message, 300);
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_NE(parse_message(changed), std::optional(message)) << at;
  }
}

TEST(RestartMessage, CutsAndSplicesShow) {
  const std::string one = to_text({0, 1, 55}, 400);
  const std::string other = to_text({0, 2, 56}, 400);
  for (const std::size_t at : {std::size_t{20}, kHeadBytes, std::size_t{200}, std::size_t{399}}) {
    EXPECT_FALSE(parse_message(one.substr(0, at)));
    EXPECT_FALSE(parse_message(one.substr(0, at) + other.substr(at))) << at;
    EXPECT_FALSE(parse_message(one.substr(0, at) + one.substr(at + 1))) << at;
  }
  EXPECT_FALSE(parse_message(one + "A"));
}

TEST(RestartMessage, SizesAreAllowed) {
  for (std::uint32_t serial = 1; serial < 2000; ++serial) {
    EXPECT_GE(down_bytes(serial), kHeadBytes);
    EXPECT_LE(down_bytes(serial), kMessageBytesMax);
  }
}

TEST(StreamCheck, BeginsAnywhereAndGoesOn) {
  StreamCheck check;
  EXPECT_EQ(check.arrived(5), Arrival::kNext);
  EXPECT_EQ(check.arrived(6), Arrival::kNext);
  EXPECT_EQ(check.first(), 5U);
  EXPECT_EQ(check.last(), 6U);
  EXPECT_TRUE(check.holes().empty());
}

TEST(StreamCheck, TellsLostLateAndTwiceApart) {
  StreamCheck check;
  (void)check.arrived(1);
  EXPECT_EQ(check.arrived(4), Arrival::kAfterHole);
  EXPECT_EQ(check.holes(), (std::set<std::uint32_t>{2, 3}));
  EXPECT_EQ(check.arrived(3), Arrival::kLate);
  EXPECT_EQ(check.arrived(3), Arrival::kTwice);
  EXPECT_EQ(check.arrived(4), Arrival::kTwice);
  EXPECT_EQ(check.arrived(5), Arrival::kNext);
  EXPECT_EQ(check.holes(), (std::set<std::uint32_t>{2}));
}

TEST(StreamCheck, WhatCameBeforeTheFirstIsLate) {
  StreamCheck check;
  (void)check.arrived(10);
  EXPECT_EQ(check.arrived(9), Arrival::kLate);
}

TEST(StreamCheck, HolesAreBoundedAndAllCounted) {
  StreamCheck check;
  (void)check.arrived(1);
  constexpr std::uint32_t kFar = 10'000;
  (void)check.arrived(kFar);
  EXPECT_EQ(check.holes().size(), StreamCheck::kHolesMax);
  EXPECT_EQ(check.holes().size() + check.more_holes(), kFar - 2);
}

class Manners : public testing::TestWithParam<Manner> {};

/// However it is cut up, it is the same frames: pings as they were handed out, the text in between.
TEST_P(Manners, CutButChangeNothing) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    const std::string text = to_text({1, 2, 3}, message_bytes(GetParam(), random));
    std::vector<std::string> pings;
    const NextPing next = [&] { return pings.emplace_back(std::to_string(pings.size())); };
    const auto pieces = say(GetParam(), text, 9, next, random);
    std::string bytes;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      EXPECT_FALSE(pieces[i].bytes.empty());
      EXPECT_EQ(pieces[i].serial, i + 1 == pieces.size() ? 9U : 0U);
      EXPECT_LE(pieces[i].pause, 4s);
      bytes += pieces[i].bytes;
    }
    std::string said;
    std::vector<std::string> pinged;
    bool ended = false;
    for (std::size_t at = 0; at < bytes.size();) {
      const auto first = static_cast<unsigned char>(bytes[at]);
      std::size_t size = static_cast<unsigned char>(bytes[at + 1]) & 0x7FU;
      std::size_t head = 2;
      if (size == 126) {
        size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 2])) << 8U |
               static_cast<unsigned char>(bytes[at + 3]);
        head = 4;
      }
      std::string payload = bytes.substr(at + head + 4, size);
      for (std::size_t i = 0; i < size; ++i)
        payload[i] = static_cast<char>(payload[i] ^ bytes[at + head + i % 4]);
      if ((first & 0x0FU) == 9) {
        pinged.push_back(payload);
      } else {
        EXPECT_FALSE(ended);
        ended = (first & 0x80U) != 0;
        said += payload;
      }
      at += head + 4 + size;
    }
    EXPECT_TRUE(ended);
    EXPECT_EQ(said, text);
    EXPECT_EQ(pinged, pings);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Manners,
                         testing::Values(Manner::kOrdinary, Manner::kDribble, Manner::kFragments,
                                         Manner::kHalf, Manner::kLarge, Manner::kSlow),
                         [](const auto& each) { return std::string(name_of(each.param)); });

TEST(MannerOf, HalfIsHostileAndInEachWay) {
  std::map<Manner, int> counts;
  for (std::uint32_t client = 0; client < 100; ++client) ++counts[manner_of(client, true)];
  EXPECT_EQ(counts[Manner::kOrdinary], 50);
  EXPECT_EQ(counts.size(), 6U);
  EXPECT_EQ(manner_of(1, false), Manner::kOrdinary);
}

TEST(LatencyLog, TenthsOfASecond) {
  LatencyLog log;
  log.add(0.01, 1'000'000);
  log.add(0.05, 3'000'000);
  log.add(1.23, 500'000'000);
  const auto tenths = log.take();
  ASSERT_EQ(tenths.size(), 2U);
  EXPECT_EQ(tenths[0].messages, 2U);
  EXPECT_DOUBLE_EQ(tenths[0].max_ms, 3);
  EXPECT_DOUBLE_EQ(tenths[1].at_s, 1.2);
  EXPECT_DOUBLE_EQ(tenths[1].max_ms, 500);
}

}  // namespace
}  // namespace sluice::restart
