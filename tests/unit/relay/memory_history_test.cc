// The embedded broker's histories and presence.
#include "relay/brokers/memory_history.h"

#include <gtest/gtest.h>

#include "relay/handover/memory_broker_codec.h"
#include "tests/unit/relay/handover_samples.h"

namespace sluice::relay {
namespace {

using namespace test;
using proto::Position;

/// Events as text.
struct Events final : BrokerEvents {
  std::vector<std::string> lines;
  HistoryAnswer found;
  PresenceAnswer present;
  static std::string at(std::optional<Position> p) {
    return p ? std::to_string(p->offset) : std::string("-");
  }
  void broker_connected() override {}
  void broker_away(std::string_view) override {}
  void subscribed(std::string_view c, std::optional<Duration>, std::optional<Position> p) override {
    lines.push_back("+" + std::string(c) + " " + at(p));
  }
  void message(std::string_view c, proto::Bytes payload, proto::Bytes,
               std::optional<Position> p) override {
    lines.push_back(std::string(c) + " " + at(p) + " " + std::string(proto::as_text(payload)));
  }
  void message(std::string_view, EntryDraft) override {}
  void message_oversized(std::string_view, std::uint64_t) override {}
  void position_lost(std::string_view c, Position p) override {
    lines.push_back("lost " + std::string(c) + " " + at(p));
  }
  void published(PublishId, PublishOutcome, std::string_view, std::optional<Position> p) override {
    lines.push_back("published " + at(p));
  }
  void history(QueryId, HistoryAnswer answer) override { found = std::move(answer); }
  void presence(QueryId, PresenceAnswer answer) override { present = std::move(answer); }
};

struct RememberedWorld {
  explicit RememberedWorld(MemoryHistory::Bounds bounds = {})
      : broker([] {}, time, random, bounds) {
    broker.start(events);
    broker.run();
  }
  void publish(std::string_view channel, std::string_view payload, std::uint32_t size = 3,
               Duration ttl = 60s) {
    broker.publish(1, channel, proto::as_bytes(payload), proto::as_bytes("meta"),
                   {.history_size = size, .history_ttl = ttl, .envelope = true});
  }
  std::string find(std::string_view channel, const proto::HistoryQuery& query = {}) {
    broker.history(1, channel, query, {});
    std::string text;
    for (const HistoryPublication& one : events.found.publications)
      text += std::to_string(one.offset) + one.payload + " ";
    return text + "/" + std::to_string(events.found.top.offset);
  }
  void set(std::string_view channel, std::string_view client, std::string_view user,
           bool on = true) {
    PresenceChange change{std::string(channel), {std::string(client), std::string(user), "i"}, on};
    EXPECT_TRUE(broker.update_presence({&change, 1}));
  }
  std::string there(std::string_view channel) {
    broker.presence(1, channel, false);
    return std::to_string(events.present.clients) + "/" + std::to_string(events.present.users) +
           "/" + std::to_string(events.present.entries.size());
  }
  ManualTime time;
  SeededRandom random{3};
  Events events;
  MemoryBroker broker;
};

TEST(MemoryHistory, KeepsTheLastOnesAndTheirPositions) {
  RememberedWorld w;
  EXPECT_EQ(w.find("c"), "/0");
  EXPECT_EQ(w.events.found.top.epoch, 0U) << "nobody was there yet";
  for (const char* p : {"a", "b", "c", "d"}) w.publish("c", p);
  EXPECT_EQ(w.find("c"), "2b 3c 4d /4");
  const std::uint64_t epoch = w.events.found.top.epoch;
  EXPECT_NE(epoch, 0U);
  EXPECT_EQ(w.events.found.publications[0].meta, "meta");
  EXPECT_EQ(w.find("c", {.since = {}, .limit = 0, .reverse = false}), "/4");
  EXPECT_EQ(w.find("c", {.since = {}, .limit = 2, .reverse = false}), "2b 3c /4");
  EXPECT_EQ(w.find("c", {.since = {}, .limit = 2, .reverse = true}), "4d 3c /4");
  const auto since = [&](std::uint64_t offset, bool reverse) {
    return w.find("c", {.since = Position{epoch, offset}, .limit = 9, .reverse = reverse});
  };
  EXPECT_EQ(since(0, false), "2b 3c 4d /4");
  EXPECT_EQ(since(3, false), "4d /4");
  EXPECT_EQ(since(4, false), "/4");
  EXPECT_EQ(since(99, false), "/4");
  EXPECT_EQ(since(UINT64_MAX, false), "/4");
  EXPECT_EQ(since(3, true), "2b /4");
  EXPECT_EQ(since(1, true), "/4");
  EXPECT_EQ(since(99, true), "4d 3c 2b /4");
  EXPECT_EQ(w.find("c", {.since = Position{epoch + 1, 1}, .limit = 9, .reverse = false}), "/4");
}

TEST(MemoryHistory, SubscribersAreToldItsPositions) {
  RememberedWorld w;
  w.publish("c", "a");
  w.broker.subscribe("c", {.history_size = 3, .history_ttl = 60s, .envelope = true});
  w.broker.subscribe("plain", {});
  w.broker.run();
  w.publish("c", "b");
  w.broker.publish(2, "plain", proto::as_bytes("x"), {}, {});
  EXPECT_EQ(w.events.lines, (std::vector<std::string>{"published 1", "+c 1", "+plain -", "c 2 b",
                                                      "published 2", "plain - x", "published -"}));
}

TEST(MemoryHistory, WhatIsPublishedBesideItHasNoPosition) {
  RememberedWorld w;
  w.broker.subscribe("c", {.history_size = 3, .history_ttl = 60s});
  w.broker.run();
  w.events.lines.clear();
  w.publish("c", "one");
  w.publish("c", "aside", 0);
  w.publish("c", "two");
  EXPECT_EQ(w.events.lines, (std::vector<std::string>{"c 1 one", "published 1", "c - aside",
                                                      "published -", "c 2 two", "published 2"}));
  EXPECT_EQ(w.find("c"), "1one 2two /2");
}

TEST(MemoryHistory, AgeTakesThePublicationsAndLaterThePosition) {
  RememberedWorld w;
  w.publish("c", "a");
  w.time.advance(59s);
  w.publish("c", "b");
  w.time.advance(59s);
  EXPECT_EQ(w.find("c"), "1a 2b /2") << "so long behind the last one";
  w.time.advance(1s);
  EXPECT_EQ(w.find("c"), "/2");
  EXPECT_EQ(w.broker.histories().bytes(), 0U);
  w.publish("c", "c");
  EXPECT_EQ(w.find("c"), "3c /3");
  w.time.advance(60s);
  w.broker.tick();
  w.time.advance(kMemoryPositionTtl);
  w.broker.tick();
  EXPECT_EQ(w.broker.histories().channels(), 0U);
}

TEST(MemoryHistory, ThePositionOfAChannelWithListenersStays) {
  RememberedWorld w;
  w.broker.subscribe("c", {.history_size = 3, .history_ttl = 60s, .envelope = true});
  w.broker.run();
  w.publish("c", "a");
  w.time.advance(60s);
  w.broker.tick();
  w.time.advance(3 * kMemoryPositionTtl);
  w.broker.tick();
  EXPECT_EQ(w.find("c"), "/1");
  w.broker.unsubscribe("c");
  w.time.advance(kMemoryPositionTtl);
  w.broker.tick();
  EXPECT_EQ(w.broker.histories().channels(), 0U);
}

TEST(MemoryHistory, RemovedItBeginsAnEpoch) {
  RememberedWorld w;
  w.broker.subscribe("c", {.history_size = 3, .history_ttl = 60s, .envelope = true});
  w.broker.run();
  w.publish("c", "a");
  EXPECT_EQ(w.find("c"), "1a /1");
  const std::uint64_t epoch = w.events.found.top.epoch;
  w.broker.remove_history(1, "c", {});
  EXPECT_EQ(w.events.lines.back(), "lost c 0");
  EXPECT_NE(w.events.found.top.epoch, epoch);
  w.publish("c", "b");
  EXPECT_EQ(w.find("c"), "1b /1");
}

TEST(MemoryHistory, MemoryIsBoundedAndWhoWasIdleLongestPays) {
  RememberedWorld w({.bytes_max = 2000, .positions_max = 1000});
  w.publish("idle", std::string(500, 'i'), 100);
  w.publish("idle", std::string(500, 'j'), 100);
  w.time.advance(1s);
  for (int i = 0; i < 5; ++i) w.publish("busy", std::string(200, 'b'), 100);
  EXPECT_LE(w.broker.histories().bytes(), 2000U);
  EXPECT_EQ(w.broker.histories().evicted(), 1U);
  EXPECT_EQ(w.find("idle", {.since = {}, .limit = 0, .reverse = false}), "/2");
  w.publish("busy", std::string(1900, 'b'), 100);
  EXPECT_LE(w.broker.histories().bytes(), 2000U);
  EXPECT_EQ(w.find("idle"), "/2") << "its position stays";
  EXPECT_EQ(w.events.found.publications.size(), 0U);
}

TEST(MemoryHistory, PositionsAreBounded) {
  RememberedWorld w({.bytes_max = 1U << 20U, .positions_max = 3});
  w.broker.subscribe("listened", {.history_size = 1, .history_ttl = 60s, .envelope = true});
  w.broker.run();
  for (int i = 0; i < 5; ++i) {
    w.time.advance(1s);
    w.publish("c" + std::to_string(i), "x");
  }
  EXPECT_EQ(w.broker.histories().channels(), 3U);
  EXPECT_EQ(w.find("c4"), "1x /1");
  EXPECT_EQ(w.find("c0"), "/0");
  EXPECT_EQ(w.events.found.top.epoch, 0U);
  (void)w.find("listened");
  EXPECT_NE(w.events.found.top.epoch, 0U);
}

TEST(MemoryHistory, PositionsAreBoundedBehindManyQuietListeners) {
  RememberedWorld w({.bytes_max = 1U << 20U, .positions_max = 40});
  for (int i = 0; i < 20; ++i)
    w.broker.subscribe("quiet" + std::to_string(i),
                       {.history_size = 1, .history_ttl = 60s, .envelope = true});
  w.broker.run();
  for (int i = 0; i < 200; ++i) {
    w.time.advance(1ms);
    w.publish("c" + std::to_string(i), "x");
  }
  EXPECT_LE(w.broker.histories().channels(), 42U);
}

TEST(MemoryPresence, ExpiresUnlessItIsSetAgain) {
  RememberedWorld w;
  w.set("c", "1", "ann");
  w.set("c", "2", "ann");
  w.set("d", "1", "ann");
  EXPECT_EQ(w.there("c"), "2/1/2");
  w.time.advance(kMemoryPresenceTtl - 1s);
  w.set("c", "2", "ann");
  w.time.advance(1s);
  EXPECT_EQ(w.there("c"), "1/1/1");
  EXPECT_EQ(w.broker.presence_entries(), 1U);
  w.set("c", "2", "ann", false);
  EXPECT_EQ(w.there("c"), "0/0/0");
}

std::string state_of(const MemoryBroker& broker) {
  return written([&broker](StateWriter& out) { MemoryBrokerCodec::write(out, broker); });
}

TEST(MemoryBrokerState, GoesFromProgramToProgram) {
  RememberedWorld before;
  for (const char* p : {"a", "b", "c", "d"}) before.publish("c", p);
  before.publish("gone", "x", 3, 1s);
  before.time.advance(2s);
  before.broker.tick();
  before.set("c", "1", "ann");
  RememberedWorld after;
  after.time.advance(2s);
  const std::string state = state_of(before.broker);
  StateReader in(proto::as_bytes(state));
  MemoryBrokerCodec::read(in, after.broker);
  in.must_end();
  ASSERT_TRUE(in.good()) << in.error();
  EXPECT_EQ(after.find("c"), "2b 3c 4d /4");
  EXPECT_EQ(after.events.found.top, (before.find("c"), before.events.found.top));
  EXPECT_EQ(after.find("gone"), "/1");
  EXPECT_EQ(after.broker.histories().bytes(), before.broker.histories().bytes());
  EXPECT_EQ(after.there("c"), "1/1/1");
  after.time.advance(60s);
  after.broker.tick();
  EXPECT_EQ(after.find("c"), "/4");
  EXPECT_EQ(after.there("c"), "0/0/0");
}

TEST(MemoryBrokerState, BytesThatNobodyWroteDoNoHarm) {
  RememberedWorld before;
  for (const char* p : {"a", "b"}) before.publish("c", p);
  before.set("c", "1", "ann");
  const std::string state = state_of(before.broker);
  for (std::size_t n = 0; n < state.size(); ++n) {
    RememberedWorld after;
    StateReader in(proto::as_bytes(state).first(n));
    MemoryBrokerCodec::read(in, after.broker);
    EXPECT_FALSE(in.good()) << n;
  }
  SeededRandom random(9);
  for (int round = 0; round < 2000; ++round) {
    std::string bad = state;
    char& flipped = bad[random.below(bad.size())];
    flipped = static_cast<char>(flipped ^ static_cast<char>(1U << random.below(8)));
    RememberedWorld after;
    StateReader in(proto::as_bytes(bad));
    MemoryBrokerCodec::read(in, after.broker);
    if (!in.good()) continue;
    after.publish("c", "more");
    (void)after.find("c");
    after.time.advance(24h * 365);
    after.broker.tick();
  }
}

}  // namespace
}  // namespace sluice::relay
