#include "relay/replay_ring.h"

#include <gtest/gtest.h>

#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;

TEST(ReplayRing, FindsBySerialAndByChannel) {
  ReplayRing ring({});
  EXPECT_EQ(ring.append(entry(1, 9, 1, "a")), 1U);
  EXPECT_EQ(ring.append(entry(2, 9, 1, "b")), 2U);
  EXPECT_EQ(ring.append(entry(1, 9, 2, "c")), 3U);
  EXPECT_EQ(proto::as_text(ring.find(2)->payload()), "b");
  ASSERT_NE(ring.serials(1), nullptr);
  EXPECT_EQ(*ring.serials(1), (std::deque<std::uint64_t>{1, 3}));
  EXPECT_EQ(ring.serials(5), nullptr);
  EXPECT_EQ(ring.bytes_of(1) + ring.bytes_of(2), ring.bytes());
  EXPECT_EQ(ring.bytes_of(2), ring.find(2)->cost());
  EXPECT_EQ(ring.bytes_of(5), 0U);
}

TEST(ReplayRing, IsBoundedByCount) {
  ReplayRing ring({.messages_max = 3, .bytes_max = 1U << 20U, .age_max = 1h});
  for (std::uint64_t i = 1; i <= 10; ++i) ring.append(entry(1, 9, i));
  EXPECT_EQ(ring.messages(), 3U);
  EXPECT_EQ(ring.evicted(), 7U);
  EXPECT_TRUE(ring.gone(7));
  EXPECT_EQ(ring.find(7), nullptr);
  EXPECT_EQ(ring.find(8)->position().offset, 8U);
  EXPECT_EQ(*ring.serials(1), (std::deque<std::uint64_t>{8, 9, 10}));
}

TEST(ReplayRing, IsBoundedByBytesButKeepsTheNewest) {
  ReplayRing ring({.messages_max = 100, .bytes_max = 1000, .age_max = 1h});
  for (std::uint64_t i = 1; i <= 50; ++i) {
    ring.append(entry(1, 9, i, std::string(100, 'x')));
    EXPECT_LE(ring.bytes(), 1000U);
    EXPECT_EQ(ring.bytes_of(1), ring.bytes());
  }
  ring.append(entry(1, 9, 51, std::string(5000, 'x')));
  EXPECT_EQ(ring.messages(), 1U);
  EXPECT_NE(ring.find(51), nullptr);
}

TEST(ReplayRing, LetsGoOfWhatIsTooOld) {
  ReplayRing ring({.messages_max = 100, .bytes_max = 1U << 20U, .age_max = 5s});
  const TimePoint start{};
  ring.append(entry(1, 9, 1, "a", start));
  ring.append(entry(1, 9, 2, "b", start + 3s));
  ring.expire(start + 5s);
  EXPECT_EQ(ring.messages(), 2U);
  ring.expire(start + 6s);
  EXPECT_EQ(ring.messages(), 1U);
  ring.expire(start + 1h);
  EXPECT_EQ(ring.messages(), 0U);
  EXPECT_EQ(ring.bytes(), 0U);
  EXPECT_EQ(ring.serials(1), nullptr);
}

TEST(ReplayRing, ForgottenChannelsStayFindableBySerial) {
  ReplayRing ring({.messages_max = 3, .bytes_max = 1U << 20U, .age_max = 1h});
  ring.append(entry(1, 9, 1));
  ring.append(entry(1, 9, 2));
  ring.forget(1);
  EXPECT_EQ(ring.serials(1), nullptr);
  EXPECT_NE(ring.find(1), nullptr);
  ring.append(entry(1, 10, 1));
  EXPECT_EQ(*ring.serials(1), (std::deque<std::uint64_t>{3}));
  ring.append(entry(2, 9, 1));
  ring.append(entry(2, 9, 2));
  EXPECT_EQ(*ring.serials(1), (std::deque<std::uint64_t>{3}));
}

TEST(ReplayRing, WhatStandsBesideAHistoryIsFoundBySerialAlone) {
  ReplayRing ring({.messages_max = 4, .bytes_max = 1U << 20U, .age_max = 1h});
  EXPECT_EQ(ring.append(entry_beside(1, 9, 0)), 1U);
  EXPECT_EQ(ring.serials(1), nullptr);
  ring.append(entry(1, 9, 1));
  ring.append(entry_beside(1, 9, 1));
  ring.append(entry(1, 9, 2));
  EXPECT_TRUE(ring.find(3)->beside());
  EXPECT_FALSE(ring.find(4)->beside());
  EXPECT_EQ(*ring.serials(1), (std::deque<std::uint64_t>{2, 4}));
  EXPECT_EQ(ring.bytes_of(1), ring.bytes() / 2);
  for (std::uint64_t offset = 2; offset < 5; ++offset) ring.append(entry_beside(2, 9, offset));
  EXPECT_EQ(*ring.serials(1), (std::deque<std::uint64_t>{4}));
  ring.append(entry_beside(2, 9, 5));
  EXPECT_EQ(ring.serials(1), nullptr);
}

TEST(ReplayRing, WhoHoldsAReferenceKeepsThePayload) {
  ReplayRing ring({.messages_max = 1, .bytes_max = 1U << 20U, .age_max = 1h});
  const std::uint64_t serial = ring.append(entry(1, 9, 1, "kept"));
  const RefPtr<const RingEntry> held(ring.find(serial));
  ring.append(entry(1, 9, 2, "new"));
  EXPECT_TRUE(ring.gone(serial));
  EXPECT_EQ(proto::as_text(held->payload()), "kept");
}

TEST(ReplayRing, MetaStandsBehindThePayload) {
  const auto one =
      RingEntry::make(1, {9, 1}, {}, proto::as_bytes("payload"), proto::as_bytes("meta"));
  EXPECT_EQ(proto::as_text(one->payload()), "payload");
  EXPECT_EQ(proto::as_text(one->meta()), "meta");
  EXPECT_EQ(proto::as_text(one->body()), "payloadmeta");
}

}  // namespace
}  // namespace sluice::relay
