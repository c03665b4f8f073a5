// Who is in which channel, between gateways and broker.
#include <gtest/gtest.h>

#include <algorithm>

#include "relay/limits.h"
#include "tests/unit/relay/recording.h"

namespace sluice::relay {
namespace {

using namespace test;
using Lines = std::vector<std::string>;

struct PresenceWorld : RouterWorld {
  PresenceWorld() { router.broker_connected(); }
  void clear(GatewayState& gateway, std::string_view channel, std::string_view client) {
    router.clear_presence(gateway, {channel, client});
  }
  /// What the broker was given since the last look.
  Lines changes() {
    router.work();
    return std::exchange(broker.presence_changes, {});
  }
  GatewayState& reconnect(std::string_view id, bool resume) {
    proto::Hello hello;
    hello.gateway_id = id;
    hello.resume = resume;
    hello.relay_instance = router.instance();
    a = router.attach(link, hello)->gateway;
    return *a;
  }
  RecordingLink link;
  GatewayState* a = &connect(link, "1111");
};

TEST(RouterPresence, ChangesLeaveTogether) {
  PresenceWorld w;
  int scheduled = 0;
  w.router.on_work([&scheduled] { ++scheduled; });
  w.set_presence(*w.a, "c", "x", "ann");
  w.set_presence(*w.a, "c", "y", "bob");
  w.set_presence(*w.a, "c", "x", "ann");
  w.clear(*w.a, "c", "y");
  w.clear(*w.a, "c", "nobody");
  EXPECT_EQ(scheduled, 1);
  EXPECT_TRUE(w.broker.presence_batches.empty());
  EXPECT_EQ(w.changes(), (Lines{"+c/x/ann", "+c/y/bob", "-c/y/bob"}));
  EXPECT_EQ(w.broker.presence_batches, std::vector<std::size_t>{3});
  EXPECT_EQ(w.router.presence_entries(), 1U);
  w.set_presence(*w.a, "c", "x", "ann", "new info");
  EXPECT_EQ(w.changes(), Lines{"+c/x/ann"});
  EXPECT_EQ(scheduled, 2);
}

TEST(RouterPresence, AFullBatchDoesNotWait) {
  PresenceWorld w;
  for (std::size_t i = 0; i < kPresenceBatch + 1; ++i)
    w.set_presence(*w.a, "c", "x" + std::to_string(i));
  EXPECT_EQ(w.broker.presence_batches, std::vector<std::size_t>{kPresenceBatch});
  EXPECT_EQ(w.changes().size(), kPresenceBatch + 1);
}

TEST(RouterPresence, WhoAsksKnowsWhatWasSaidBefore) {
  PresenceWorld w;
  w.set_presence(*w.a, "c", "x", "ann");
  w.router.presence(*w.a, {4, false, "c"});
  w.router.presence(*w.a, {5, true, "c"});
  w.router.work();
  ASSERT_EQ(w.broker.presences.size(), 2U);
  EXPECT_EQ(w.broker.presence_changes.size(), 1U);
  EXPECT_EQ(w.broker.presences[1].query.limit, 0U);
  PresenceAnswer found{.error = {}, .clients = 2, .users = 1, .entries = {}};
  found.entries = {{"x", "ann", "i"}, {"", "nobody", ""}, {std::string(65, 'c'), "long", ""}};
  w.router.presence(w.broker.presences[0].id, found);
  w.router.presence(w.broker.presences[1].id, found);
  EXPECT_EQ(w.answers(*w.a), (Lines{"4:x:i", "4:2/1", "5:2/1"}))
      << "what no link carries is left out";
  EXPECT_EQ(w.router.stats().presence_requests, 2U);
}

TEST(RouterPresence, AllAreSetAgainInTimeAndNotInOneGo) {
  PresenceWorld w;
  constexpr std::size_t kClients = 20000;
  for (std::size_t i = 0; i < kClients; ++i) w.set_presence(*w.a, "c", "x" + std::to_string(i));
  EXPECT_EQ(w.changes().size(), kClients);
  std::size_t again = 0;
  std::size_t most = 0;
  for (Duration passed{}; passed < kPresenceRefresh; passed += kTickInterval) {
    w.time.advance(kTickInterval);
    w.router.tick();
    const std::size_t now = w.changes().size();
    if (passed + kTickInterval < kPresenceRefreshFrom) {
      EXPECT_EQ(now, 0U);
    }
    again += now;
    most = std::max(most, now);
  }
  EXPECT_EQ(again, kClients);
  EXPECT_LT(most, kClients / 20);
}

TEST(RouterPresence, EntriesOfAChannelAreSetAgainTogether) {
  PresenceWorld w;
  constexpr std::size_t kClients = 40;
  const Lines channels = {"a", "b", "c", "d"};
  for (std::size_t i = 0; i < kClients; ++i)
    for (const auto& channel : channels) w.set_presence(*w.a, channel, "x" + std::to_string(i));
  (void)w.changes();
  w.time.advance(kPresenceRefreshFrom);
  Lines again;
  while (again.size() < kClients * channels.size()) {
    w.router.tick();
    const Lines now = w.changes();
    ASSERT_FALSE(now.empty());
    again.insert(again.end(), now.begin(), now.end());
  }
  w.router.tick();
  EXPECT_TRUE(w.changes().empty());
  // Each of them once, and one channel's behind the other's.
  std::size_t turns = 1;
  for (std::size_t i = 1; i < again.size(); ++i) turns += again[i][1] != again[i - 1][1] ? 1U : 0U;
  EXPECT_EQ(turns, channels.size());
  std::sort(again.begin(), again.end());
  EXPECT_EQ(std::unique(again.begin(), again.end()) - again.begin(),
            static_cast<std::ptrdiff_t>(kClients * channels.size()));
}

TEST(RouterPresence, AllAreSetAgainWhenTheBrokerIsBack) {
  PresenceWorld w;
  w.set_presence(*w.a, "c", "x");
  EXPECT_EQ(w.changes().size(), 1U);
  w.router.broker_away("gone");
  w.broker.takes_presence = false;
  w.set_presence(*w.a, "c", "y");
  EXPECT_TRUE(w.changes().empty());
  w.router.tick();
  w.broker.takes_presence = true;
  w.router.broker_connected();
  w.router.tick();
  Lines again = w.changes();
  std::sort(again.begin(), again.end());
  EXPECT_EQ(again, (Lines{"+c/x/u", "+c/y/u"}));
  // Room that is told again is no news.
  w.router.broker_connected();
  w.router.tick();
  EXPECT_TRUE(w.changes().empty());
  // Unless something was not taken.
  w.broker.takes_presence = false;
  w.set_presence(*w.a, "c", "z");
  w.router.work();
  w.broker.takes_presence = true;
  w.router.broker_connected();
  w.router.tick();
  EXPECT_EQ(w.changes().size(), 3U);
}

TEST(RouterPresence, WhatIsNotSaidAgainAfterAWelcomeIsGone) {
  for (const bool resume : {true, false}) {
    PresenceWorld w;
    w.set_presence(*w.a, "c", "stays");
    w.set_presence(*w.a, "c", "goes");
    (void)w.changes();
    w.router.detach(*w.a);
    GatewayState& again = w.reconnect("1111", resume);
    EXPECT_EQ(w.router.presence_entries(), 2U) << "a WELCOME changes nothing";
    w.set_presence(again, "c", "stays");
    EXPECT_TRUE(w.changes().empty());
    w.router.presence_synced(again);
    EXPECT_EQ(w.changes(), Lines{"-c/goes/u"});
    w.router.presence_synced(again);
    EXPECT_TRUE(w.changes().empty());
  }
}

TEST(RouterPresence, AGatewayThatIsForgottenTakesItsEntriesWithIt) {
  PresenceWorld w;
  w.set_presence(*w.a, "c", "x", "ann");
  (void)w.changes();
  w.router.detach(*w.a);
  w.router.tick();
  EXPECT_TRUE(w.changes().empty());
  w.time.advance(w.options.linger);
  w.router.tick();
  w.router.tick();
  EXPECT_EQ(w.changes(), Lines{"-c/x/ann"});
  EXPECT_EQ(w.router.presence_entries(), 0U);
  EXPECT_EQ(w.router.presence_leaving(), 0U);
}

TEST(RouterPresence, WhoComesBackBeforeItIsClearedStays) {
  PresenceWorld w;
  for (std::size_t i = 0; i < 2 * kPresenceClearsPerTick; ++i)
    w.set_presence(*w.a, "c", "x" + std::to_string(i));
  (void)w.changes();
  w.router.end(*w.a);
  w.router.tick();
  EXPECT_EQ(w.changes().size(), kPresenceClearsPerTick);
  GatewayState& again = w.reconnect("1111", false);
  const std::string last = "x" + std::to_string(2 * kPresenceClearsPerTick - 1);
  w.set_presence(again, "c", last);
  w.router.tick();
  EXPECT_EQ(w.router.presence_leaving(), 0U);
  const Lines rest = w.changes();
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "+c/" + last + "/u"), 1);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "-c/" + last + "/u"), 0);
}

TEST(PresenceTable, KeepsTheOrderInWhichEntriesWereSet) {
  PresenceTable table;
  const TimePoint start{};
  EXPECT_TRUE(table.set("a", "1", "u", "i", {.now = start}));
  EXPECT_TRUE(table.set("b", "1", "u", "i", {.now = start + 1s}));
  EXPECT_FALSE(table.set("a", "1", "u", "i", {.now = start + 2s}));
  EXPECT_EQ(*table.oldest()->channel, "a");
  EXPECT_TRUE(table.set("a", "1", "other", "i", {.now = start + 3s}));
  EXPECT_EQ(*table.oldest()->channel, "b");
  EXPECT_EQ(table.touch_oldest(start + 4s, 2, 1, [](const auto&) {}), 1U);
  EXPECT_EQ(*table.oldest()->channel, "a");
  EXPECT_EQ(table.take_oldest().entry.user, "other");
  EXPECT_FALSE(table.clear("a", "1"));
  EXPECT_EQ(table.channels(), 1U);
  EXPECT_TRUE(table.clear("b", "1"));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.channels(), 0U);
}

TEST(PresenceTable, TouchesAChannelAsAWholeUpToABound) {
  PresenceTable table;
  const TimePoint start{};
  for (const char* client : {"1", "2", "3"})
    for (const char* channel : {"a", "b"})
      EXPECT_TRUE(table.set(channel, client, "u", "i", {.now = start}));
  Lines touched;
  const auto note = [&](const PresenceTable::Entry& entry) {
    touched.push_back(*entry.channel + *entry.client);
  };
  EXPECT_EQ(table.touch_oldest(start + 1s, 1, 3, note), 3U);
  std::sort(touched.begin(), touched.end());
  EXPECT_EQ(touched, (Lines{"a1", "a2", "a3"}));
  EXPECT_EQ(*table.oldest()->channel, "b");
  EXPECT_EQ(table.oldest()->set_at, start);
  // More than that at once: one after the other.
  touched.clear();
  EXPECT_EQ(table.touch_oldest(start + 2s, 1, 2, note), 1U);
  EXPECT_EQ(touched, Lines{"b1"});
  EXPECT_EQ(*table.oldest()->client, "2");
  EXPECT_EQ(table.size(), 6U);
}

}  // namespace
}  // namespace sluice::relay
