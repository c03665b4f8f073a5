// Channels with history on a real, private redis-server: positions, publications, what is read.
#include <gtest/gtest.h>

#include "proto/names.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_limits.h"
#include "tests/unit/relay/redis_broker_world.h"

namespace sluice::relay::test {
namespace {

const ChannelOptions kShortHistory{.history_size = 5, .history_ttl = 10min, .envelope = false};
const ChannelOptions kEnvelope{.history_size = 0, .history_ttl = {}, .envelope = true};

using Offsets = std::vector<std::uint64_t>;

class RedisHistory : public RedisBrokerTest {
 protected:
  void subscribe_history(const std::string& channel) {
    const std::size_t before = events_.confirmations.size();
    broker_->subscribe(channel, kShortHistory);
    ASSERT_TRUE(confirmed(before + 1));
    ASSERT_TRUE(events_.confirmations.back().position);
  }
  void publish_kept(PublishId id, std::string_view channel, std::string_view payload,
                    std::string_view meta = {}) {
    ASSERT_TRUE(broker_->can_publish(payload.size()));
    broker_->publish(id, channel, proto::as_bytes(payload), proto::as_bytes(meta), kShortHistory);
  }
  HistoryAnswer ask(const std::string& channel, proto::HistoryQuery query = {}) {
    const QueryId id = ++last_query_;
    broker_->history(id, channel, query, kShortHistory);
    EXPECT_FALSE(events_.histories.contains(id));  // from the loop
    EXPECT_TRUE(loop_.run_until(5s, [&] { return events_.histories.contains(id); }));
    return events_.histories[id];
  }
  /// What is published into the history is heard, and nothing else behind it.
  void expect_once(const std::string& channel) {
    const std::size_t before = events_.messages.size();
    publish_kept(900, channel, "once");
    ASSERT_TRUE(heard(before + 1));
    // Whatever else Redis had to tell of it stands in front of this.
    (void)server_.command({"PUBLISH", channel, "end"});
    ASSERT_TRUE(heard(before + 2));
    EXPECT_EQ(events_.messages[before].second, "once");
    EXPECT_EQ(events_.messages[before + 1].second, "end");
  }
  static Offsets offsets(const HistoryAnswer& answer) {
    Offsets out;
    for (const HistoryPublication& one : answer.publications) out.push_back(one.offset);
    return out;
  }
  void publish_many(const std::string& channel, int first, int last) {
    const std::size_t before = events_.outcomes.size();
    for (int i = first; i <= last; ++i) {
      publish_kept(static_cast<PublishId>(i), channel, "m" + std::to_string(i));
    }
    ASSERT_TRUE(answered(before + static_cast<std::size_t>(last - first + 1)));
  }

  QueryId last_query_ = 0;
};

TEST_F(RedisHistory, APublicationHasOnePositionEverywhere) {
  open();
  subscribe_history("news");
  const proto::Position start = *events_.confirmations[0].position;
  EXPECT_NE(start.epoch, 0U);
  EXPECT_EQ(start.offset, 0U);
  const std::string binary("\0\r\n\xff", 4);
  publish_kept(1, "news", binary, "about");
  publish_kept(2, "news", "");
  ASSERT_TRUE(answered(2));
  ASSERT_TRUE(heard(2));
  EXPECT_EQ(events_.heard[0].payload, binary);
  EXPECT_EQ(events_.heard[0].meta, "about");
  EXPECT_EQ(events_.heard[1].payload, "");
  const HistoryAnswer answer = ask("news");
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(answer.top, (proto::Position{start.epoch, 2}));
  ASSERT_EQ(offsets(answer), (Offsets{1, 2}));
  EXPECT_EQ(answer.publications[0].payload, binary);
  EXPECT_EQ(answer.publications[0].meta, "about");
  for (std::uint64_t i = 0; i < 2; ++i) {
    EXPECT_EQ(events_.heard[i].position, (proto::Position{start.epoch, i + 1}));
    EXPECT_EQ(events_.outcomes[i].position, (proto::Position{start.epoch, i + 1}));
  }
  EXPECT_TRUE(events_.losses.empty());
}

TEST_F(RedisHistory, KeysShareATagAndExpire) {
  open();
  publish_kept(1, "a", "x");
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(server_.command({"XLEN", "sluice:{a}:stream"}), "1");
  EXPECT_EQ(server_.command({"HGET", "sluice:{a}:position", "offset"}), "1");
  const int stream = std::stoi(server_.command({"TTL", "sluice:{a}:stream"}));
  EXPECT_GT(stream, 500);
  EXPECT_LE(stream, 600);
  EXPECT_GT(std::stoi(server_.command({"TTL", "sluice:{a}:position"})), 86400 * 29);
}

TEST_F(RedisHistory, WhatIsAskedForIsWhatComes) {
  open();
  publish_many("a", 1, 8);
  const std::uint64_t epoch = events_.outcomes[0].position->epoch;
  EXPECT_EQ(offsets(ask("a")), (Offsets{4, 5, 6, 7, 8}));
  EXPECT_EQ(offsets(ask("a", {.since = std::nullopt, .limit = 2})), (Offsets{4, 5}));
  EXPECT_EQ(offsets(ask("a", {.since = std::nullopt, .limit = 2, .reverse = true})),
            (Offsets{8, 7}));
  EXPECT_EQ(offsets(ask("a", {.since = std::nullopt, .limit = 0})), Offsets{});
  EXPECT_EQ(ask("a", {.since = std::nullopt, .limit = 0}).top, (proto::Position{epoch, 8}));
  EXPECT_EQ(offsets(ask("a", {.since = proto::Position{epoch, 6}})), (Offsets{7, 8}));
  EXPECT_EQ(offsets(ask("a", {.since = proto::Position{epoch, 8}})), Offsets{});
  EXPECT_EQ(offsets(ask("a", {.since = proto::Position{epoch, ~0ULL}})), Offsets{});
  EXPECT_EQ(offsets(ask("a", {.since = proto::Position{epoch, 6}, .reverse = true})),
            (Offsets{5, 4}));
  EXPECT_EQ(
      offsets(ask("a", {.since = proto::Position{epoch, ~0ULL}, .limit = 1, .reverse = true})),
      (Offsets{8}));
  EXPECT_EQ(offsets(ask("a", {.since = proto::Position{epoch, 1}, .reverse = true})), Offsets{});
  // Of another epoch nothing is told.
  EXPECT_EQ(offsets(ask("a", {.since = proto::Position{0, 7}})), Offsets{});
  const HistoryAnswer other = ask("a", {.since = proto::Position{epoch + 1, 7}});
  EXPECT_EQ(offsets(other), Offsets{});
  EXPECT_EQ(other.top, (proto::Position{epoch, 8}));
  // None.
  const HistoryAnswer none = ask("nothing");
  EXPECT_EQ(none.error, "");
  EXPECT_EQ(none.top, proto::Position{});
  EXPECT_EQ(server_.command({"EXISTS", "sluice:{nothing}:position"}), "0");
}

TEST_F(RedisHistory, AnswersAreBounded) {
  open();
  const ChannelOptions many{.history_size = 1000, .history_ttl = 10min, .envelope = false};
  const std::string big(100'000, 'x');
  constexpr PublishId kCount = 60;
  for (PublishId id = 1; id <= kCount; ++id) {
    broker_->publish(id, "a", proto::as_bytes(big), {}, many);
  }
  ASSERT_TRUE(answered(kCount));
  const HistoryAnswer all = ask("a");
  std::size_t bytes = 0;
  for (const auto& one : all.publications) bytes += one.payload.size();
  EXPECT_GT(all.publications.size(), 10U);
  EXPECT_LT(all.publications.size(), kCount);
  EXPECT_LE(bytes, kHistoryReplyBytesMax + 2 * big.size());
  for (std::size_t i = 0; i < all.publications.size(); ++i) {
    ASSERT_EQ(all.publications[i].offset, i + 1);
  }
}

TEST_F(RedisHistory, TheLargestPayloadThereAndBack) {
  open();
  subscribe_history("a");
  const std::string largest(proto::kPayloadBytesMax, 'x');
  const std::string meta(proto::kMetaBytesMax, 'm');
  publish_kept(1, "a", largest, meta);
  ASSERT_TRUE(heard(1, 20s));
  EXPECT_TRUE(events_.heard[0].payload == largest);
  EXPECT_TRUE(events_.heard[0].meta == meta);
  const HistoryAnswer answer = ask("a");
  ASSERT_EQ(answer.publications.size(), 1U) << answer.error;
  EXPECT_TRUE(answer.publications[0].payload == largest);
  EXPECT_TRUE(events_.is_connected);
}

TEST_F(RedisHistory, AnEnvelopeWithoutHistoryCarriesTheMeta) {
  open();
  broker_->subscribe("a", kEnvelope);
  ASSERT_TRUE(confirmed(1));
  EXPECT_FALSE(events_.confirmations[0].position);
  broker_->publish(1, "a", proto::as_bytes("hello"), proto::as_bytes("who"), kEnvelope);
  ASSERT_TRUE(heard(1));
  ASSERT_TRUE(answered(1));
  EXPECT_EQ(events_.heard[0].payload, "hello");
  EXPECT_EQ(events_.heard[0].meta, "who");
  EXPECT_FALSE(events_.heard[0].position);
  EXPECT_FALSE(events_.outcomes[0].position);
  EXPECT_EQ(server_.command({"EXISTS", "sluice:{a}:stream"}), "0");
}

TEST_F(RedisHistory, PublishedWithoutAPlaceInTheHistory) {
  open();
  subscribe_history("a");
  publish_kept(1, "a", "one");
  broker_->publish(2, "a", proto::as_bytes("aside"), {}, kEnvelope);
  publish_kept(3, "a", "two");
  ASSERT_TRUE(heard(3));
  EXPECT_EQ(events_.heard[0].position->offset, 1U);
  EXPECT_EQ(events_.heard[1].payload, "aside");
  EXPECT_FALSE(events_.heard[1].position);
  EXPECT_EQ(events_.heard[2].position->offset, 2U);
  EXPECT_TRUE(events_.losses.empty());
}

TEST_F(RedisHistory, WhatOthersPublishUnderThePlainNameIsHeardBesideTheHistory) {
  open();
  subscribe_history("a");
  publish_kept(1, "a", "one");
  ASSERT_TRUE(heard(1));
  EXPECT_EQ(server_.command({"PUBLISH", "a", "raw"}), "1");
  ASSERT_TRUE(heard(2));
  publish_kept(2, "a", "two");
  ASSERT_TRUE(heard(3));
  EXPECT_EQ(events_.heard[1].channel, "a");
  EXPECT_EQ(events_.heard[1].payload, "raw");
  EXPECT_FALSE(events_.heard[1].position);
  EXPECT_EQ(events_.heard[2].position->offset, 2U);
  // What the broker publishes itself comes once, and the two names are one channel.
  expect_once("a");
  EXPECT_EQ(events_.confirmations.size(), 1U);
  EXPECT_EQ(broker_->wanted(), 1U);
  EXPECT_EQ(offsets(ask("a")), (Offsets{1, 2, 3}));
  broker_->unsubscribe("a");
  EXPECT_TRUE(loop_.run_until(5s, [&] {
    return server_.command({"PUBLISH", "a", "x"}) == "0" &&
           server_.command({"PUBLISH", "sluice:{a}", "x"}) == "0";
  }));
}

TEST_F(RedisHistory, APlainNameLikeOneOfOursIsHeardUnderAnother) {
  open();
  subscribe_history("sluice:control");
  EXPECT_EQ(server_.command({"PUBLISH", "sluice:control", "x"}), "0");
  EXPECT_EQ(server_.command({"PUBLISH", "sluice:raw:sluice:control", "raw"}), "1");
  ASSERT_TRUE(heard(1));
  EXPECT_EQ(events_.heard[0].channel, "sluice:control");
}

TEST_F(RedisHistory, APlainNameThatIsNotPermittedLeavesTheHistoryWorking) {
  server_.start();
  (void)server_.command(
      {"ACL", "SETUSER", "me", "on", ">pw", "+@all", "~*", "resetchannels", "&sluice:*"});
  open("redis+unix://me@" + server_.socket_path(), server_.write_file("password", "pw\n"));
  ASSERT_TRUE(connected(5s));
  subscribe_history("a");
  publish_kept(1, "a", "one");
  ASSERT_TRUE(heard(1));
  EXPECT_EQ(events_.heard[0].position->offset, 1U);
  EXPECT_EQ(broker_->stats().subscribes_refused, 1U);
}

TEST_F(RedisHistory, TooLargeBesideTheHistoryIsToldAndAsksNothing) {
  open();
  subscribe_history("a");
  const std::uint64_t positions = broker_->stats().history_positions;
  (void)server_.command({"PUBLISH", "a", std::string(proto::kPayloadBytesMax + 1, 'x')});
  ASSERT_TRUE(loop_.run_until(5s, [&] { return !events_.oversized.empty(); }));
  EXPECT_EQ(events_.oversized[0].first, "a");
  expect_once("a");
  EXPECT_EQ(broker_->stats().history_positions, positions);
}

TEST_F(RedisHistory, InternalChannelsAreHeardByTheirNames) {
  open();
  for (const std::string& channel :
       {std::string(proto::kControlChannel), std::string(proto::kNodesChannel),
        proto::members_channel("a"), proto::reply_channel("n1")}) {
    subscribe_and_wait(channel);
    expect_traffic(channel);
  }
  EXPECT_EQ(server_.command({"PUBLISH", "sluice:control", "x"}), "1");
  EXPECT_EQ(server_.command({"PUBLISH", "sluice:{a}:members", "x"}), "1");
  EXPECT_EQ(server_.command({"PUBLISH", "sluice:reply:n1", "x"}), "1");
}

TEST_F(RedisHistory, MessagesOfStrangersOnItsNameDoNoHarm) {
  open();
  subscribe_history("a");
  publish_kept(1, "a", "one");
  ASSERT_TRUE(heard(1));
  (void)server_.command({"PUBLISH", "sluice:{a}", "not an envelope"});
  publish_kept(2, "a", "two");
  ASSERT_TRUE(heard(2));
  EXPECT_EQ(events_.heard[1].payload, "two");
  EXPECT_EQ(broker_->stats().envelopes_unreadable, 1U);
  EXPECT_TRUE(events_.losses.empty());
}

TEST_F(RedisHistory, RemovedAndBegunAnew) {
  open();
  subscribe_history("a");
  publish_many("a", 1, 3);
  const std::uint64_t epoch = events_.outcomes[0].position->epoch;
  broker_->remove_history(77, "a", kShortHistory);
  ASSERT_TRUE(loop_.run_until(5s, [&] { return events_.histories.contains(77); }));
  const HistoryAnswer removed = events_.histories[77];
  EXPECT_EQ(removed.error, "");
  EXPECT_NE(removed.top.epoch, epoch);
  EXPECT_EQ(removed.top.offset, 0U);
  EXPECT_EQ(ask("a").top, removed.top);
  // Told at once: who is to come back for it must not miss the publication that shows it.
  ASSERT_TRUE(loop_.run_until(5s, [&] { return !events_.losses.empty(); }));
  publish_many("a", 4, 5);
  ASSERT_TRUE(heard(5));
  using Loss = std::pair<std::string, proto::Position>;
  EXPECT_EQ(events_.losses, (std::vector<Loss>{{"a", {removed.top.epoch, 0}}}));
  EXPECT_EQ(events_.heard[3].position, (proto::Position{removed.top.epoch, 1}));
  EXPECT_EQ(events_.heard[4].position, (proto::Position{removed.top.epoch, 2}));
}

TEST_F(RedisHistory, HolesAreFilledFromTheStream) {
  open();
  subscribe_history("a");
  publish_many("a", 1, 1);
  // Two that are in the stream and were not heard, as if they had been lost on the way.
  const std::string epoch = epoch_text(events_.outcomes[0].position->epoch);
  for (const char* id : {"2-0", "3-0"}) {
    (void)server_.command({"XADD", "sluice:{a}:stream", id, "p", std::string("hidden ") + id});
  }
  (void)server_.command({"HSET", "sluice:{a}:position", "offset", "3"});
  publish_many("a", 4, 5);
  ASSERT_TRUE(heard(5));
  for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(events_.heard[i].position->offset, i + 1);
  EXPECT_EQ(events_.heard[1].payload, "hidden 2-0");
  EXPECT_EQ(events_.heard[4].payload, "m5");
  EXPECT_TRUE(events_.losses.empty());
  EXPECT_EQ(broker_->stats().history_fetches, 1U);
}

TEST_F(RedisHistory, AHoleThatIsGoneIsALoss) {
  open();
  subscribe_history("a");
  publish_many("a", 1, 1);
  const std::uint64_t epoch = events_.outcomes[0].position->epoch;
  (void)server_.command({"HSET", "sluice:{a}:position", "offset", "10"});
  publish_many("a", 11, 11);
  ASSERT_TRUE(heard(2));
  using Loss = std::pair<std::string, proto::Position>;
  EXPECT_EQ(events_.losses, (std::vector<Loss>{{"a", {epoch, 10}}}));
  EXPECT_EQ(events_.heard[1].position, (proto::Position{epoch, 11}));
}

TEST_F(RedisHistory, TwoBrokersHaveEqualOffsets) {
  open();
  RecordingEvents other_events;
  RedisBroker other(*parse_redis_url(server_.unix_url()), loop_.base(), random_);
  other.start(other_events);
  ASSERT_TRUE(loop_.run_until(5s, [&] { return other_events.is_connected; }));
  subscribe_history("a");
  other.subscribe("a", kShortHistory);
  ASSERT_TRUE(loop_.run_until(5s, [&] { return !other_events.confirmations.empty(); }));
  EXPECT_EQ(other_events.confirmations[0].position, events_.confirmations[0].position);
  constexpr PublishId kEach = 100;
  for (PublishId id = 1; id <= kEach; ++id) {
    publish_kept(id, "a", "here " + std::to_string(id));
    other.publish(id, "a", proto::as_bytes("there " + std::to_string(id)), {}, kShortHistory);
  }
  ASSERT_TRUE(heard(2 * kEach));
  ASSERT_TRUE(loop_.run_until(5s, [&] { return other_events.heard.size() == 2 * kEach; }));
  for (std::size_t i = 0; i < 2 * kEach; ++i) {
    ASSERT_EQ(events_.heard[i].payload, other_events.heard[i].payload);
    ASSERT_EQ(events_.heard[i].position, other_events.heard[i].position);
    ASSERT_EQ(events_.heard[i].position->offset, i + 1);
  }
}

TEST_F(RedisHistory, ForgottenScriptsAreLoadedAgain) {
  open();
  subscribe_history("a");
  publish_many("a", 1, 2);
  (void)server_.command({"SCRIPT", "FLUSH"});
  constexpr PublishId kLast = 200;
  for (PublishId id = 3; id <= kLast; ++id) {
    publish_kept(id, "a", "m" + std::to_string(id));
    if (id == 100) broker_->history(5, "a", {.since = std::nullopt, .limit = 1}, kShortHistory);
  }
  ASSERT_TRUE(answered(kLast));
  ASSERT_TRUE(heard(kLast));
  for (std::size_t i = 0; i < kLast; ++i) {
    ASSERT_EQ(events_.outcomes[i].outcome, PublishOutcome::kPublished);
    ASSERT_EQ(events_.heard[i].position->offset, i + 1);
    ASSERT_EQ(events_.heard[i].payload, "m" + std::to_string(i + 1));
  }
  EXPECT_EQ(events_.histories[5].error, "");
  EXPECT_TRUE(events_.losses.empty());
  EXPECT_TRUE(events_.aways.empty());
  EXPECT_EQ(broker_->stats().publishes_in_flight, 0U);
  EXPECT_TRUE(broker_->can_publish(1));
}

TEST_F(RedisHistory, OrderIsKeptWhenSomebodyElseLoadsAForgottenScript) {
  open();
  subscribe_history("a");
  subscribe_history("b");
  (void)server_.command({"SCRIPT", "FLUSH"});
  publish_kept(1, "a", "first");
  publish_kept(2, "b", "alone");
  event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  (void)server_.command({"PING"});  // both have been refused
  (void)server_.command({"SCRIPT", "LOAD", std::string(script_text(RedisScript::kPublish).text)});
  publish_kept(3, "a", "second");
  ASSERT_TRUE(answered(3));
  std::map<PublishId, PublishOutcome> outcomes;
  for (const auto& one : events_.outcomes) outcomes[one.id] = one.outcome;
  // Told, and not turned round.
  EXPECT_EQ(outcomes[1], PublishOutcome::kRefused);
  EXPECT_EQ(outcomes[2], PublishOutcome::kPublished);
  EXPECT_EQ(outcomes[3], PublishOutcome::kPublished);
  ASSERT_TRUE(heard(2));
  EXPECT_EQ(broker_->stats().publishes_in_flight, 0U);
  EXPECT_TRUE(broker_->can_publish(1));
}

TEST_F(RedisHistory, WhileAwayQueriesAreRefused) {
  open();
  server_.kill();
  ASSERT_TRUE(away(2s));
  EXPECT_NE(ask("a").error, "");
  broker_->presence(9, "a", true);
  EXPECT_TRUE(events_.presences.empty());
  ASSERT_TRUE(loop_.run_until(5s, [&] { return events_.presences.contains(9); }));
  EXPECT_NE(events_.presences[9].error, "");
  EXPECT_FALSE(broker_->update_presence({}));
}

TEST_F(RedisHistory, TooManyQueriesAreRefused) {
  open();
  constexpr QueryId kCount = kQueriesInFlightMax + 10;
  for (QueryId id = 1; id <= kCount; ++id)
    broker_->history(id, "a", {.since = std::nullopt, .limit = 1}, kShortHistory);
  ASSERT_TRUE(loop_.run_until(20s, [&] { return events_.histories.size() == kCount; }));
  std::size_t refused = 0;
  for (const auto& [id, answer] : events_.histories) refused += answer.error.empty() ? 0 : 1;
  EXPECT_EQ(refused, 10U);
}

TEST_F(RedisHistory, ErrorsOfAChannelAreItsOwn) {
  open();
  (void)server_.command({"SET", "sluice:{bad}:stream", "a string"});
  (void)server_.command({"SET", "sluice:{worse}:position", "a string"});
  subscribe_history("good");
  broker_->subscribe("worse", kShortHistory);
  publish_kept(1, "bad", "x");
  publish_kept(2, "worse", "x");
  publish_kept(3, "good", "x");
  ASSERT_TRUE(answered(3));
  EXPECT_EQ(events_.outcomes[1].outcome, PublishOutcome::kRefused);
  EXPECT_EQ(events_.outcomes[2].outcome, PublishOutcome::kPublished);
  ASSERT_TRUE(heard(1));
  EXPECT_NE(ask("worse").error, "");
  EXPECT_EQ(events_.confirmations.size(), 1U);
  // Mended: it is found by itself.
  (void)server_.command({"DEL", "sluice:{worse}:position"});
  ASSERT_TRUE(confirmed(2, 10s));
  EXPECT_EQ(events_.confirmations[1].channel, "worse");
  EXPECT_TRUE(events_.is_connected);
}

TEST_F(RedisHistory, FirstPublishAfterTheConfirmationIsHeard) {
  open();
  for (PublishId id = 1; id <= 200; ++id) {
    const std::string channel = "c" + std::to_string(id);
    broker_->subscribe(channel, kShortHistory);
    ASSERT_TRUE(confirmed(id));
    publish_kept(id, channel, "x");
  }
  EXPECT_TRUE(heard(200));
}

}  // namespace
}  // namespace sluice::relay::test
