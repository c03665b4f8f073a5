// The subscriber's state from program to program: bytes of a push that has come in part, channels
// that are asked for.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "relay/handover/redis_channels_codec.h"
#include "relay/handover/redis_connection_state.h"
#include "relay/handover/redis_push_codec.h"
#include "relay/handover/redis_subscriptions_codec.h"
#include "tests/unit/relay/handover_samples.h"

namespace sluice::relay::test {
namespace {

constexpr std::size_t kPayloadMax = 8;
const std::string kStream =
    "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n"
    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n"
    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$13\r\nmuch, too big\r\n"
    "+PONG\r\n-ERR no\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    "*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n";

std::string state_of(const RedisPushReader& reader) {
  return written([&reader](StateWriter& out) { RedisPushCodec::write(out, reader); });
}

void read_into(RedisPushReader& reader, std::string_view bytes, std::vector<std::string>& events) {
  for (;;) {
    const RedisPush push = reader.next(bytes);
    if (push.kind == RedisPush::Kind::kMore) return;
    std::string payload(proto::as_text(push.message ? push.message->payload() : push.payload));
    const bool message =
        push.kind == RedisPush::Kind::kAssembled || push.kind == RedisPush::Kind::kMessage;
    events.push_back((message ? "m" : std::to_string(static_cast<int>(push.kind))) + " " +
                     std::string(push.channel) + std::string(push.text) + payload +
                     std::to_string(push.bytes));
    if (push.kind == RedisPush::Kind::kMalformed) return;
  }
}

TEST(HandoverRedis, APushGoesOnAtAnyByte) {
  std::vector<std::string> whole;
  RedisPushReader at_once(kPayloadMax);
  read_into(at_once, kStream, whole);
  ASSERT_EQ(whole.size(), 8U);
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    std::vector<std::string> events;
    RedisPushReader before(kPayloadMax);
    read_into(before, std::string_view(kStream).substr(0, cut), events);
    const std::string state = state_of(before);
    StateReader reader(proto::as_bytes(state));
    RedisPushReader after(kPayloadMax);
    RedisPushCodec::read(reader, after);
    reader.must_end();
    ASSERT_TRUE(reader.good()) << cut << ": " << reader.error();
    read_into(after, std::string_view(kStream).substr(cut), events);
    EXPECT_EQ(events, whole) << cut;
  }
}

TEST(HandoverRedis, NoChangedByteOfAPushDoesHarm) {
  for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
    std::vector<std::string> events;
    RedisPushReader before(kPayloadMax);
    read_into(before, std::string_view(kStream).substr(0, cut), events);
    const std::string state = state_of(before);
    for (std::size_t place = 0; place < state.size(); ++place) {
      for (const char change : {'\x01', '\x02', '\x04', '\xff'}) {
        std::string changed = state;
        changed[place] = static_cast<char>(changed[place] ^ change);
        StateReader reader(proto::as_bytes(changed));
        RedisPushReader after(kPayloadMax);
        RedisPushCodec::read(reader, after);
        if (reader.good()) read_into(after, std::string_view(kStream).substr(cut), events);
      }
    }
  }
}

struct Told final : SubscriptionEvents {
  std::vector<std::string> lines;
  void confirmed(std::string_view channel, std::optional<Duration> uncovered) override {
    lines.push_back("+" + std::string(channel) + (uncovered ? " gap" : ""));
  }
  void refused(std::string_view channel, std::string_view, bool) override {
    lines.push_back("-" + std::string(channel));
  }
};

struct Next {
  explicit Next(const RedisSubscriptions& before)
      : state(written([&](StateWriter& out) { RedisSubscriptionsCodec::write(out, before); })),
        reader(proto::as_bytes(state)) {
    RedisSubscriptionsCodec::read(reader, subs);
    reader.must_end();
  }
  std::string state;
  StateReader reader;
  Told told;
  RedisSubscriptions subs{told};
};

TEST(HandoverRedis, SubscriptionsUnderWayAreConfirmedByTheirAnswers) {
  using Verb = RedisSubscriptions::Verb;
  const TimePoint now{};
  Told told;
  RedisSubscriptions subs(told);
  for (const char* name : {"a", "b", "c"}) subs.want(name);
  subs.connected();
  const auto* command = subs.next_command(now);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < command->size(); ++i) names.emplace_back(command->name(i));
  ASSERT_TRUE(subs.answer(Verb::kSubscribe, names[0], now));
  subs.ping_written();
  subs.want("d");
  Next next(subs);
  ASSERT_TRUE(next.reader.good()) << next.reader.error();
  EXPECT_TRUE(next.subs.is_connected());
  EXPECT_EQ(next.subs.wanted(), 4U);
  EXPECT_TRUE(next.subs.is_confirmed(names[0]));
  EXPECT_FALSE(next.subs.restored());
  ASSERT_TRUE(next.subs.answer(Verb::kSubscribe, names[1], now));
  ASSERT_TRUE(next.subs.answer(Verb::kSubscribe, names[2], now));
  EXPECT_TRUE(next.subs.restored());
  EXPECT_TRUE(next.subs.pong());
  command = next.subs.next_command(now);
  ASSERT_NE(command, nullptr);
  EXPECT_EQ(command->name(0), "d");
  EXPECT_EQ(next.told.lines, (std::vector<std::string>{"+" + names[1], "+" + names[2]}));
}

TEST(HandoverRedis, TheTimeWithoutASubscriptionIsRememberedWhileRedisIsAway) {
  const TimePoint now{};
  Told told;
  RedisSubscriptions subs(told);
  subs.want("a");
  subs.connected();
  (void)subs.next_command(now);
  ASSERT_TRUE(subs.answer(RedisSubscriptions::Verb::kSubscribe, "a", now));
  subs.lost(now);
  Next next(subs);
  ASSERT_TRUE(next.reader.good()) << next.reader.error();
  next.subs.connected();
  (void)next.subs.next_command(now);
  ASSERT_TRUE(next.subs.answer(RedisSubscriptions::Verb::kSubscribe, "a", now));
  EXPECT_EQ(next.told.lines, std::vector<std::string>{"+a gap"});
}

TEST(HandoverRedis, RefusedChannelsStayRefused) {
  const TimePoint now{};
  Told told;
  RedisSubscriptions subs(told);
  subs.want("a");
  subs.connected();
  (void)subs.next_command(now);
  ASSERT_TRUE(subs.error("NOPERM"));
  Next next(subs);
  ASSERT_TRUE(next.reader.good()) << next.reader.error();
  EXPECT_TRUE(next.subs.any_refused());
  next.subs.retry_refused();
  EXPECT_NE(next.subs.next_command(now), nullptr);
}

TEST(HandoverRedis, AConnectionsState) {
  const RedisConnectionState before{.descriptor = 5,
                                    .server_id = "abc",
                                    .unsent = "PING",
                                    .expecting = true,
                                    .expecting_since = TimePoint(Duration(3)),
                                    .last_received = TimePoint(Duration(4))};
  const std::string bytes = written([&](StateWriter& out) { write(out, before); });
  StateReader reader(proto::as_bytes(bytes));
  const RedisConnectionState after = read_redis_connection(reader);
  EXPECT_TRUE(reader.good());
  EXPECT_EQ(after.descriptor, 5);
  EXPECT_EQ(after.server_id, "abc");
  EXPECT_EQ(after.unsent, "PING");
  EXPECT_TRUE(after.expecting);
  EXPECT_EQ(after.expecting_since, before.expecting_since);
  EXPECT_EQ(after.last_received, before.last_received);
}

struct NoEvents final : BrokerEvents {
  void broker_connected() override {}
  void broker_away(std::string_view) override {}
  void subscribed(std::string_view, std::optional<Duration>,
                  std::optional<proto::Position>) override {}
  void message(std::string_view, proto::Bytes, proto::Bytes,
               std::optional<proto::Position>) override {}
  void message(std::string_view, EntryDraft) override {}
  void message_oversized(std::string_view, std::uint64_t) override {}
  void position_lost(std::string_view, proto::Position) override {}
  void published(PublishId, PublishOutcome, std::string_view,
                 std::optional<proto::Position>) override {}
  void history(QueryId, HistoryAnswer) override {}
  void presence(QueryId, PresenceAnswer) override {}
};

struct NoAsker final : RedisAsker {
  std::vector<std::string> asked;
  void ask_position(RedisAsk, std::string_view channel, const ChannelOptions&,
                    std::optional<proto::Position> heard) override {
    asked.push_back(std::string(channel) + " at " + std::to_string(heard ? heard->offset : 0));
  }
  void ask_missing(RedisAsk, std::string_view, const ChannelOptions&, proto::Position) override {}
  void caught_up() override {}
};

/// Channels with history and the subscriptions under them: one lives, one has a hole, one is not
/// confirmed yet; and one whose publisher travels.
struct HistoryWorld {
  HistoryWorld() {
    const ChannelOptions history{
        .history_size = 9, .history_ttl = std::chrono::minutes(1), .envelope = false};
    for (const char* name : {"live", "hole", "young"}) want(name, history);
    want("who", {.history_size = 0, .history_ttl = {}, .envelope = true});
    channels.start(events);
    channels.continuity().set_usable(true);
    subs.connected();
    const auto* command = subs.next_command({});
    for (std::size_t i = 0; i < command->size(); ++i) names.emplace_back(command->name(i));
    for (const std::string& name : names) {
      if (name == "sluice:{young}") break;
      (void)subs.answer(RedisSubscriptions::Verb::kSubscribe, name, {});
    }
  }
  void want(std::string_view channel, const ChannelOptions& options) {
    for (const std::string& name : channels.add(channel, options)) subs.want(name);
  }
  std::string state() const {
    return written([this](StateWriter& out) {
      RedisSubscriptionsCodec::write(out, subs);
      RedisChannelsCodec::write(out, channels);
    });
  }
  NoEvents events;
  NoAsker asker;
  RedisChannels channels{asker};
  Told told;
  RedisSubscriptions subs{told};
  std::vector<std::string> names;
};

TEST(HandoverRedis, ChannelsWithHistoryGoOnWhereTheyAre) {
  HistoryWorld before;
  RedisContinuity& continuity = before.channels.continuity();
  for (const char* name : {"live", "hole"}) {
    continuity.confirmed(name);
    continuity.position(name, name == std::string_view("live") ? 1 : 2, {7, 5});
  }
  continuity.heard("hole", {7, 8}, proto::as_bytes("x"), {});
  EXPECT_FALSE(continuity.is_live("hole"));
  // As if all were confirmed: what was answered does not matter here.
  Told told;
  RedisSubscriptions subs(told);
  for (const std::string& name : before.names) subs.want(name);
  subs.connected();
  const auto* command = subs.next_command({});
  std::vector<std::string> names;
  for (std::size_t i = 0; i < command->size(); ++i) names.emplace_back(command->name(i));
  for (const std::string& name : names) {
    ASSERT_TRUE(subs.answer(RedisSubscriptions::Verb::kSubscribe, name, {}));
  }
  const std::string state =
      written([&before](StateWriter& out) { RedisChannelsCodec::write(out, before.channels); });
  StateReader in(proto::as_bytes(state));
  NoAsker asker;
  RedisChannels after(asker);
  RedisChannelsCodec::read(in, after, subs);
  in.must_end();
  ASSERT_TRUE(in.good()) << in.error();
  EXPECT_TRUE(after.continuity().is_live("live"));
  EXPECT_FALSE(after.continuity().is_live("hole"));
  EXPECT_FALSE(after.has_history("who"));
  EXPECT_EQ(after.name_of("who"), "sluice:{who}");
  after.continuity().set_usable(true);
  std::sort(asker.asked.begin(), asker.asked.end());
  EXPECT_EQ(asker.asked, (std::vector<std::string>{"hole at 5", "young at 0"}));
}

TEST(HandoverRedis, NoChangedByteOfChannelsWithHistoryDoesHarm) {
  HistoryWorld before;
  before.channels.continuity().confirmed("live");
  const std::string state = before.state();
  for (std::size_t place = 0; place < state.size(); ++place) {
    for (const char change : {'\x01', '\x02', '\x04', '\xff'}) {
      std::string changed = state;
      changed[place] = static_cast<char>(changed[place] ^ change);
      StateReader in(proto::as_bytes(changed));
      Told told;
      RedisSubscriptions subs(told);
      RedisSubscriptionsCodec::read(in, subs);
      NoAsker asker;
      NoEvents events;
      RedisChannels after(asker);
      if (in.good()) RedisChannelsCodec::read(in, after, subs);
      if (!in.good()) continue;
      after.start(events);
      after.continuity().set_usable(true);
      for (const char* name : {"live", "hole", "young", "who"}) (void)after.remove(name);
    }
  }
}

}  // namespace
}  // namespace sluice::relay::test
