#include "relay/publish_hold.h"

#include <gtest/gtest.h>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

using namespace std::chrono_literals;
using Verdict = PublishHold::Verdict;

HeldPublish held(std::string channel, std::string payload, TimePoint deadline = TimePoint(10s)) {
  return {{1, 1, true}, std::move(channel), std::move(payload), "", deadline};
}

struct Collect {
  std::vector<std::string> payloads;
  void operator()(const HeldPublish& p) { payloads.push_back(p.payload); }
};

TEST(PublishHold, ReleasesInOrderOfArrival) {
  PublishHold hold(1U << 20U);
  ASSERT_TRUE(hold.push(held("a", "1")));
  ASSERT_TRUE(hold.push(held("b", "2")));
  ASSERT_TRUE(hold.push(held("a", "3")));
  EXPECT_TRUE(hold.waits("a"));
  Collect out;
  hold.release([](const HeldPublish&) { return Verdict::kTake; }, std::ref(out));
  EXPECT_EQ(out.payloads, (std::vector<std::string>{"1", "2", "3"}));
  EXPECT_TRUE(hold.empty());
  EXPECT_EQ(hold.bytes(), 0U);
  EXPECT_FALSE(hold.waits("a"));
}

TEST(PublishHold, SkipsBlockedChannelsAndStops) {
  PublishHold hold(1U << 20U);
  for (const char* p : {"1", "2", "3"}) ASSERT_TRUE(hold.push(held("blocked", p)));
  for (const char* p : {"4", "5", "6"}) ASSERT_TRUE(hold.push(held("free", p)));
  Collect out;
  int room = 2;
  hold.release(
      [&](const HeldPublish& p) {
        if (p.channel == "blocked") return Verdict::kSkip;
        return room-- > 0 ? Verdict::kTake : Verdict::kStop;
      },
      std::ref(out));
  EXPECT_EQ(out.payloads, (std::vector<std::string>{"4", "5"}));
  EXPECT_EQ(hold.count(), 4U);
}

TEST(PublishHold, RefusesOverItsBytes) {
  PublishHold hold(3 * (kHeldPublishOverheadBytes + 10));
  ASSERT_TRUE(hold.push(held("a", std::string(9, 'x'))));
  ASSERT_TRUE(hold.push(held("a", std::string(9, 'x'))));
  EXPECT_FALSE(hold.push(held("a", std::string(500, 'x'))));
  ASSERT_TRUE(hold.push(held("a", std::string(9, 'x'))));
  EXPECT_FALSE(hold.push(held("a", "")));
  EXPECT_EQ(hold.count(), 3U);
}

TEST(PublishHold, ExpiresEachAtItsOwnDeadline) {
  PublishHold hold(1U << 20U);
  ASSERT_TRUE(hold.push(held("a", "late", TimePoint(9s))));
  ASSERT_TRUE(hold.push(held("a", "early", TimePoint(3s))));
  ASSERT_TRUE(hold.push(held("a", "middle", TimePoint(5s))));
  Collect out;
  hold.expire(TimePoint(2s), std::ref(out));
  EXPECT_TRUE(out.payloads.empty());
  hold.expire(TimePoint(5s), std::ref(out));
  EXPECT_EQ(out.payloads, (std::vector<std::string>{"early", "middle"}));
  EXPECT_TRUE(hold.waits("a"));
  hold.clear(std::ref(out));
  EXPECT_EQ(out.payloads.back(), "late");
  EXPECT_TRUE(hold.empty());
}

}  // namespace
}  // namespace sluice::relay
