// subscribe, unsubscribe, recovery, gaps, presence and who joins and leaves.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/protocols/centrifuge_limits.h"
#include "proto/names.h"
#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

using Json = nlohmann::json;
constexpr proto::Position kTop{World::kEpoch, 41};

class CentrifugeSubscribe : public testing::Test {
 protected:
  explicit CentrifugeSubscribe(Rules rules = Rules::open_access()) : world(std::move(rules)) {
    client = &connected();
  }
  ClientSession& connected(std::string_view token = {}) {
    ClientSession& session = world.open();
    world.send(session, connect(1, token));
    CHECK(world.next(session).has_connect());
    return session;
  }
  void subscribed(std::string_view channel) {
    world.send(*client, subscribe(2, channel));
    world.answer_join(channel, kTop);
    CHECK(world.next(*client).has_subscribe());
  }
  void gap(ClientSession& session, std::string_view channel) {
    ChannelGap gap;
    gap.channel = channel;
    world.protocol.gap(session, gap, world.actions);
  }
  std::uint32_t error() { return world.next(*client).error().code(); }

  World world;
  ClientSession* client;
};

TEST_F(CentrifugeSubscribe, RepliesWhenJoined) {
  world.send(*client, subscribe(2, "news"));
  EXPECT_TRUE(world.heard(*client).replies.empty());
  world.answer_join("news", kTop);
  const Reply reply = world.next(*client);
  EXPECT_EQ(reply.id(), 2U);
  EXPECT_TRUE(reply.subscribe().recoverable());
  EXPECT_TRUE(reply.subscribe().positioned());
  EXPECT_EQ(reply.subscribe().epoch(), epoch_text(World::kEpoch));
  EXPECT_EQ(reply.subscribe().offset(), 41U);
  EXPECT_FALSE(reply.subscribe().was_recovering());
  EXPECT_FALSE(reply.subscribe().expires());
}

TEST_F(CentrifugeSubscribe, WrongOnes) {
  world.send(*client, subscribe(2, "sluice:x"));
  EXPECT_EQ(error(), 107U);
  world.send(*client, subscribe(2,
                                "\x01"
                                "control"));
  EXPECT_EQ(error(), 107U);
  world.send(*client, subscribe(2, std::string(256, 'c')));
  EXPECT_EQ(error(), 107U);
  Command filtered = subscribe(2, "a");
  filtered.mutable_subscribe()->mutable_tf()->set_key("k");
  world.send(*client, filtered);
  EXPECT_EQ(error(), 107U);
  Command map = subscribe(2, "a");
  map.mutable_subscribe()->set_type(1);
  world.send(*client, map);
  EXPECT_EQ(error(), 107U);
  EXPECT_TRUE(world.actions.joins.empty());
  subscribed("a");
  world.send(*client, subscribe(3, "a"));
  EXPECT_EQ(error(), 105U);
  world.send(*client, {subscribe(4, "b"), subscribe(5, "b")});
  EXPECT_EQ(error(), 105U) << "one that is under way counts";
  world.send(*client, subscribe(6, ""));
  EXPECT_EQ(world.heard(*client).closed, 3501);
}

TEST_F(CentrifugeSubscribe, NoDeltaAndNoCompactIds) {
  Command command = subscribe(2, "a");
  command.mutable_subscribe()->set_delta("fossil");
  command.mutable_subscribe()->set_flag(1);
  world.send(*client, command);
  world.answer_join("a", kTop);
  EXPECT_FALSE(world.next(*client).subscribe().delta());
}

TEST_F(CentrifugeSubscribe, GatewayFullOrRelayAway) {
  world.actions.room = false;
  world.send(*client, subscribe(2, "a"));
  const Reply reply = world.next(*client);
  EXPECT_EQ(reply.error().code(), 100U);
  EXPECT_TRUE(reply.error().temporary());
  world.actions.room = true;
  world.send(*client, subscribe(3, "a"));
  world.protocol.request_failed(*client, world.actions.joins[0].ticket,
                                proto::ErrorReason::kTimedOut, world.actions);
  EXPECT_EQ(error(), 100U);
  world.actions.joins.clear();
  subscribed("a");
}

TEST_F(CentrifugeSubscribe, ChannelsAreBounded) {
  for (std::uint32_t i = 0; i < 128; ++i)
    world.send(*client, subscribe(i + 2, "c" + std::to_string(i)));
  EXPECT_TRUE(world.heard(*client).replies.empty());
  world.send(*client, subscribe(900, "one more"));
  EXPECT_EQ(error(), 106U);
}

TEST_F(CentrifugeSubscribe, SubscribesDoNotWaitForEachOtherButTheirChannelsCommandsDo) {
  world.send(*client, {subscribe(2, "a"), subscribe(3, "b"), unsubscribe(4, "a"), subscribe(5, "a"),
                       publish(6, "c", "{}")});
  ASSERT_EQ(world.actions.joins.size(), 2U);
  EXPECT_TRUE(world.actions.published.empty()) << "in order";
  world.answer_join("b", kTop);
  EXPECT_EQ(world.next(*client).id(), 3U);
  EXPECT_TRUE(world.heard(*client).replies.empty());
  world.answer_join("a", kTop);
  EXPECT_EQ(world.next(*client).id(), 2U);
  EXPECT_EQ(world.next(*client).id(), 4U);
  EXPECT_EQ(world.actions.left.front(), "a");
  ASSERT_EQ(world.actions.joins.size(), 1U);
  EXPECT_EQ(world.actions.published.size(), 1U);
  world.answer_join("a", kTop);
  EXPECT_EQ(world.next(*client).id(), 5U);
}

TEST_F(CentrifugeSubscribe, UnsubscribeIsAlwaysAnswered) {
  subscribed("a");
  world.send(*client, {unsubscribe(3, "a"), unsubscribe(4, "a"), unsubscribe(5, "never")});
  for (const std::uint32_t id : {3U, 4U, 5U}) {
    const Reply reply = world.next(*client);
    EXPECT_EQ(reply.id(), id);
    EXPECT_TRUE(reply.has_unsubscribe());
  }
  EXPECT_EQ(world.state(*client).subscriptions.size(), 0U);
  world.send(*client, unsubscribe(6, ""));
  EXPECT_EQ(world.heard(*client).closed, 3501);
}

// ---- recovery

Command recovering(std::string_view channel, std::string epoch, std::uint64_t offset) {
  Command command = subscribe(2, channel);
  command.mutable_subscribe()->set_recover(true);
  command.mutable_subscribe()->set_epoch(std::move(epoch));
  command.mutable_subscribe()->set_offset(offset);
  return command;
}

TEST_F(CentrifugeSubscribe, Recovers) {
  world.send(*client, recovering("a", epoch_text(World::kEpoch), 39));
  EXPECT_EQ(world.actions.joins[0].since, (proto::Position{World::kEpoch, 39}));
  EXPECT_EQ(world.actions.joins[0].recover_max, 300U);
  world.answer_join("a", kTop, true,
                    {{40, proto::as_bytes("1"), {}}, {41, proto::as_bytes("2"), {}}});
  const Reply reply = world.next(*client);
  EXPECT_TRUE(reply.subscribe().was_recovering());
  EXPECT_TRUE(reply.subscribe().recovered());
  EXPECT_EQ(reply.subscribe().offset(), 39U) << "the position asked for";
  ASSERT_EQ(reply.subscribe().publications_size(), 2);
  EXPECT_EQ(reply.subscribe().publications(0).offset(), 40U);
  EXPECT_EQ(reply.subscribe().publications(1).data(), "2");
  EXPECT_EQ(world.service.stats().recovered_publications, 2U);
}

TEST_F(CentrifugeSubscribe, RecoversNothing) {
  world.send(*client, recovering("a", epoch_text(World::kEpoch), 41));
  world.answer_join("a", kTop, true);
  const Reply reply = world.next(*client);
  EXPECT_TRUE(reply.subscribe().recovered());
  EXPECT_EQ(reply.subscribe().offset(), 41U);
}

TEST_F(CentrifugeSubscribe, CannotRecover) {
  world.send(*client, recovering("a", "another's", 39));
  EXPECT_EQ(world.actions.joins[0].since, (proto::Position{~0ULL, 39})) << "no epoch of ours";
  world.answer_join("a", kTop, false);
  const Reply reply = world.next(*client);
  EXPECT_TRUE(reply.subscribe().was_recovering());
  EXPECT_FALSE(reply.subscribe().recovered());
  EXPECT_EQ(reply.subscribe().offset(), 41U) << "the top";
  EXPECT_EQ(reply.subscribe().publications_size(), 0);
  EXPECT_EQ(world.service.stats().recoveries_failed, 1U);
}

TEST_F(CentrifugeSubscribe, WithoutAnEpochAnyIsMeant) {
  world.send(*client, recovering("a", "", 39));
  EXPECT_EQ(world.actions.joins[0].since, (proto::Position{0, 39}));
}

TEST_F(CentrifugeSubscribe, OnlyRecoveredIfTheClientSaysSo) {
  Command command = recovering("a", epoch_text(World::kEpoch), 1);
  command.mutable_subscribe()->set_flag(3);
  world.send(*client, command);
  world.answer_join("a", kTop, false);
  EXPECT_EQ(error(), 112U);
  EXPECT_TRUE(world.state(*client).subscriptions.empty());
  EXPECT_EQ(world.actions.left, std::vector<std::string>{"a"});
  EXPECT_TRUE(world.actions.present.empty());
  EXPECT_TRUE(world.actions.told.empty());
}

TEST_F(CentrifugeSubscribe, MoreThanOneReplyMayHaveIsNotRecovered) {
  const std::string big(400U << 10U, 'x');
  world.send(*client, recovering("a", epoch_text(World::kEpoch), 39));
  world.answer_join("a", kTop, true,
                    {{40, proto::as_bytes(big), {}}, {41, proto::as_bytes(big), {}}});
  const Reply reply = world.next(*client);
  EXPECT_FALSE(reply.subscribe().recovered());
  EXPECT_EQ(reply.subscribe().offset(), 41U);
}

// ---- gaps

TEST_F(CentrifugeSubscribe, GapEndsAPositionedSubscription) {
  subscribed("a");
  gap(*client, "other");
  EXPECT_TRUE(world.heard(*client).replies.empty());
  gap(*client, "a");
  const Reply reply = world.next(*client);
  EXPECT_EQ(reply.push().channel(), "a");
  EXPECT_EQ(reply.push().unsubscribe().code(), 2500U);
  EXPECT_FALSE(world.heard(*client).closed);
  EXPECT_TRUE(world.state(*client).subscriptions.empty());
  subscribed("a");
}

TEST_F(CentrifugeSubscribe, GapInAServerSideOneClosesAndInOneUnderWayDoesNothing) {
  world.tokens.connections["t"].subscriptions = {{"a", {}}};
  ClientSession& other = world.open();
  world.send(other, connect(1, "t"));
  gap(other, "a");
  EXPECT_FALSE(world.heard(other).closed);
  world.answer_join("a", kTop);
  gap(other, "a");
  EXPECT_EQ(world.heard(other).closed, 3010);
}

class WithoutPositions : public CentrifugeSubscribe {
 protected:
  static Rules rules() {
    ChannelRules plain;
    plain.subscribe = Who::kEveryone;
    ConnectionRules connection;
    connection.anonymous = true;
    return Rules::of(connection, {{"", plain}});
  }
  WithoutPositions() : CentrifugeSubscribe(rules()) {}
};

TEST_F(WithoutPositions, NothingIsSaidOfThem) {
  Command command = recovering("a", epoch_text(World::kEpoch), 1);
  command.mutable_subscribe()->set_positioned(true);
  world.send(*client, command);
  EXPECT_FALSE(world.actions.joins[0].since);
  world.answer_join("a", kTop);
  const Reply reply = world.next(*client);
  EXPECT_FALSE(reply.subscribe().positioned());
  EXPECT_FALSE(reply.subscribe().recoverable());
  EXPECT_FALSE(reply.subscribe().was_recovering());
  EXPECT_EQ(reply.subscribe().epoch(), "");
  gap(*client, "a");
  EXPECT_TRUE(world.heard(*client).replies.empty());
  EXPECT_TRUE(world.actions.present.empty());
  EXPECT_TRUE(world.actions.told.empty());
}

// ---- who is there

TEST_F(CentrifugeSubscribe, PresenceFromJoinedToTheEnd) {
  const std::string id = uuid_of(client->state.id);
  world.send(*client, subscribe(2, "a"));
  EXPECT_TRUE(world.actions.present.empty());
  world.answer_join("a", kTop);
  const std::pair<std::string, std::string> key("a", id);
  ASSERT_TRUE(world.actions.present.contains(key));
  envelope::Client who;
  ASSERT_TRUE(who.ParseFromString(world.actions.present[key]));
  EXPECT_EQ(who.client(), id);
  world.send(*client, unsubscribe(3, "a"));
  EXPECT_TRUE(world.actions.present.empty());
  subscribed("b");
  world.end(*client);
  EXPECT_TRUE(world.actions.present.empty());
}

TEST_F(CentrifugeSubscribe, JoinsAndLeavesAreToldOnce) {
  const std::string members = proto::members_channel("a");
  Command command = subscribe(2, "a");
  command.mutable_subscribe()->set_join_leave(true);
  world.send(*client, command);
  EXPECT_TRUE(world.actions.told.empty());
  world.answer_join("a", kTop);
  ASSERT_EQ(world.actions.told.size(), 1U);
  EXPECT_EQ(world.actions.told[0].first, members);
  envelope::Membership membership;
  ASSERT_TRUE(membership.ParseFromString(world.actions.told[0].second));
  EXPECT_TRUE(membership.joined());
  EXPECT_EQ(membership.who().client(), uuid_of(client->state.id));
  EXPECT_EQ(world.actions.subscribed[client->ref.index], (std::vector<std::string>{"a", members}));
  world.end(*client);
  ASSERT_EQ(world.actions.told.size(), 2U);
  ASSERT_TRUE(membership.ParseFromString(world.actions.told[1].second));
  EXPECT_FALSE(membership.joined());
}

TEST_F(CentrifugeSubscribe, MembersChannelThatCantBeHadFailsTheSubscribe) {
  Command command = subscribe(2, "a");
  command.mutable_subscribe()->set_join_leave(true);
  world.send(*client, command);
  world.actions.room = false;
  world.answer_join("a", kTop);
  EXPECT_EQ(error(), 100U);
  EXPECT_TRUE(world.actions.told.empty());
  EXPECT_TRUE(world.actions.present.empty());
}

TEST_F(CentrifugeSubscribe, WhatComesForAClosingClientIsForNobody) {
  world.send(*client, subscribe(2, "a"));
  client->phase = SessionPhase::kClosing;
  world.answer_join("a", kTop);
  EXPECT_TRUE(world.actions.told.empty());
  EXPECT_TRUE(world.heard(*client).replies.empty());
  world.send(*client, publish(3, "a", "{}"));
  EXPECT_TRUE(world.actions.published.empty());
  world.end(*client);
  EXPECT_TRUE(world.actions.told.empty());
}

// ---- hooks

class AskingRules : public CentrifugeSubscribe {
 protected:
  static Rules rules() {
    ChannelRules asking;
    asking.subscribe = asking.publish = Who::kEveryone;
    asking.subscribe_hook = asking.publish_hook = true;
    ConnectionRules connection;
    connection.anonymous = connection.rpc_hook = true;
    return Rules::of(connection, {{"", asking}});
  }
  AskingRules() : CentrifugeSubscribe(rules()) {}
};

TEST_F(AskingRules, ApplicationSaysWhoSubscribes) {
  world.send(*client, {subscribe(2, "a"), subscribe(3, "b")});
  ASSERT_EQ(world.hooks.calls.size(), 1U) << "one after the other";
  EXPECT_EQ(Json::parse(world.hooks.calls[0].body)["channel"], "a");
  EXPECT_TRUE(world.actions.joins.empty());
  world.answer_hook(
      R"({"result":{"info":{"x":1},"data":[1],"override":{"presence":{"value":true}}}})");
  world.answer_join("a", kTop);
  EXPECT_EQ(world.next(*client).subscribe().data(), "[1]");
  EXPECT_EQ(*world.state(*client).subscriptions[0].info, R"({"x":1})");
  EXPECT_EQ(world.actions.present.size(), 1U);
  world.answer_hook(R"({"error":{"code":103,"message":"permission denied"}})");
  EXPECT_EQ(error(), 103U);
  EXPECT_TRUE(world.actions.joins.empty());
  world.send(*client, subscribe(4, "c"));
  world.answer_hook("", HookFault::kUnreachable);
  const Reply reply = world.next(*client);
  EXPECT_EQ(reply.error().code(), 100U);
  EXPECT_TRUE(reply.error().temporary());
  world.hooks.missing[HookKind::kSubscribe] = true;
  world.send(*client, subscribe(5, "c"));
  EXPECT_EQ(error(), 100U) << "never let in because nobody can be asked";
}

TEST_F(AskingRules, ApplicationSaysWhatIsPublished) {
  world.send(*client, {publish(2, "a", R"("x")"), publish(3, "a", "\xff\xfe")});
  EXPECT_EQ(Json::parse(world.hooks.calls[0].body)["data"], "x");
  EXPECT_TRUE(world.actions.published.empty());
  world.answer_hook(R"({"result":{"data":{"y":2}}})");
  ASSERT_EQ(world.actions.published.size(), 1U);
  EXPECT_EQ(world.actions.published[0].payload, R"({"y":2})");
  EXPECT_EQ(Json::parse(world.hooks.calls[0].body)["b64data"], "//4=");
  EXPECT_EQ(Json::parse(world.hooks.calls[0].body)["encoding"], "binary");
  world.answer_hook(R"({"result":{}})");
  EXPECT_EQ(world.actions.published[1].payload, "\xff\xfe");
  world.send(*client, publish(4, "a", "1"));
  world.answer_hook(R"({"disconnect":{"code":2,"reason":"off"}})");
  EXPECT_EQ(world.heard(*client).closed, 3503);
}

TEST_F(AskingRules, Rpc) {
  world.send(*client, rpc(2, "m", "1"));
  EXPECT_EQ(Json::parse(world.hooks.calls[0].body)["method"], "m");
  world.answer_hook(R"({"result":{"data":{"z":3}}})");
  EXPECT_EQ(world.next(*client).rpc().data(), R"({"z":3})");
  world.send(*client, rpc(3, "m", "1"));
  world.answer_hook(R"({"result":{"b64data":"//4="}})");
  EXPECT_EQ(world.next(*client).rpc().data(), "\xff\xfe");
  world.send(*client, rpc(4, "m", "1"));
  world.answer_hook("no");
  EXPECT_EQ(error(), 100U);
  world.hooks.missing[HookKind::kRpc] = true;
  world.send(*client, rpc(5, "m", "1"));
  EXPECT_EQ(error(), 108U);
}

// ---- publish and queries

TEST_F(CentrifugeSubscribe, PublishIsAnsweredByItsOutcome) {
  world.send(*client, {publish(2, "a", "{}"), publish(3, "a", "1"), publish(4, "a", "2")});
  ASSERT_EQ(world.actions.published.size(), 3U);
  EXPECT_TRUE(world.heard(*client).replies.empty());
  world.protocol.published(*client, world.actions.published[1].ticket, world.actions);
  EXPECT_EQ(world.next(*client).id(), 3U);
  world.protocol.publish_failed(
      *client, {proto::ErrorReason::kUnknownFate, world.actions.published[0].ticket},
      world.actions);
  const Reply unknown = world.next(*client);
  EXPECT_EQ(unknown.id(), 2U);
  EXPECT_EQ(unknown.error().code(), 100U);
  EXPECT_TRUE(unknown.error().temporary());
  world.protocol.publish_failed(
      *client, {proto::ErrorReason::kTooLarge, world.actions.published[2].ticket}, world.actions);
  EXPECT_EQ(error(), 106U);
  world.protocol.published(*client, world.actions.published[1].ticket, world.actions);
  EXPECT_TRUE(world.heard(*client).replies.empty()) << "once";
  world.actions.relay = false;
  world.send(*client, publish(5, "a", "{}"));
  EXPECT_EQ(error(), 100U);
  world.send(*client, publish(6, "a", ""));
  EXPECT_EQ(error(), 107U);
}

TEST_F(CentrifugeSubscribe, PublicationsSayWhoAndWhen) {
  subscribed("a");
  world.send(*client, publish(3, "a", "{}"));
  envelope::MessageMeta meta;
  ASSERT_TRUE(meta.ParseFromString(world.actions.published[0].meta));
  EXPECT_EQ(meta.publisher().client(), uuid_of(client->state.id));
  EXPECT_EQ(meta.time_ms(), world.unix_ms);
}

TEST_F(CentrifugeSubscribe, RequestsAreBounded) {
  for (std::uint32_t i = 0; i < kClientRequestsMax; ++i) world.send(*client, presence(i + 2, "a"));
  EXPECT_TRUE(world.heard(*client).replies.empty());
  for (const Command& command :
       {presence(5000, "a"), history(5001, "a", 1), publish(5002, "a", "1")}) {
    world.send(*client, command);
    EXPECT_EQ(error(), 111U);
  }
}

TEST_F(CentrifugeSubscribe, Presence) {
  world.send(*client, {presence(2, "a"), presence_stats(3, "a"), presence(4, "a")});
  ASSERT_EQ(world.actions.queries.size(), 3U);
  EXPECT_TRUE(world.actions.queries[1].counts_only);
  envelope::Client who;
  who.set_user("42");
  who.set_conn_info("{}");
  const std::string info = who.SerializeAsString();
  const std::vector<PresenceView> entries = {{"c1", proto::as_bytes(info)},
                                             {"c2", proto::as_bytes("\xff")}};
  world.protocol.presence(*client, world.actions.queries[0].ticket,
                          {.clients = 2, .users = 1, .entries = entries}, world.actions);
  const Reply reply = world.next(*client);
  EXPECT_EQ(reply.id(), 2U);
  ASSERT_EQ(reply.presence().presence_size(), 1) << "what is no entry of ours is left out";
  EXPECT_EQ(reply.presence().presence().at("c1").user(), "42");
  EXPECT_EQ(reply.presence().presence().at("c1").conn_info(), "{}");
  world.protocol.presence(*client, world.actions.queries[1].ticket,
                          {.clients = 2, .users = 1, .entries = {}}, world.actions);
  EXPECT_EQ(world.next(*client).presence_stats().num_clients(), 2U);
  world.protocol.request_failed(*client, world.actions.queries[2].ticket,
                                proto::ErrorReason::kTimedOut, world.actions);
  EXPECT_EQ(error(), 100U);
  world.actions.relay = false;
  world.send(*client, presence(5, "a"));
  EXPECT_EQ(error(), 100U);
}

TEST_F(CentrifugeSubscribe, History) {
  Command since = history(3, "a", -1);
  since.mutable_history()->mutable_since()->set_offset(7);
  since.mutable_history()->mutable_since()->set_epoch(epoch_text(World::kEpoch));
  since.mutable_history()->set_reverse(true);
  world.send(*client, {history(2, "a", 0), since, since});
  ASSERT_EQ(world.actions.queries.size(), 3U);
  EXPECT_EQ(world.actions.queries[0].query, (proto::HistoryQuery{.since = {}, .limit = 0}));
  EXPECT_EQ(world.actions.queries[1].query,
            (proto::HistoryQuery{
                .since = proto::Position{World::kEpoch, 7}, .limit = 300, .reverse = true}));
  world.protocol.history(*client, world.actions.queries[0].ticket, {kTop, {}}, world.actions);
  const Reply position = world.next(*client);
  EXPECT_EQ(position.history().offset(), 41U);
  EXPECT_EQ(position.history().epoch(), epoch_text(World::kEpoch));
  const std::vector<PublicationView> found = {{6, proto::as_bytes("1"), {}}};
  world.protocol.history(*client, world.actions.queries[1].ticket, {kTop, found}, world.actions);
  EXPECT_EQ(world.next(*client).history().publications(0).offset(), 6U);
  world.protocol.history(*client, world.actions.queries[2].ticket, {{5, 1}, found}, world.actions);
  EXPECT_EQ(error(), 112U) << "another epoch";
}

TEST_F(CentrifugeSubscribe, HistoryWithoutAnEpochIsOfTheOneThereIs) {
  Command since = history(2, "a", 10);
  since.mutable_history()->mutable_since()->set_offset(40);
  world.send(*client, since);
  ASSERT_EQ(world.actions.queries.size(), 1U);
  world.protocol.history(*client, world.actions.queries[0].ticket, {kTop, {}}, world.actions);
  EXPECT_TRUE(world.heard(*client).replies.empty());
  ASSERT_EQ(world.actions.queries.size(), 2U);
  EXPECT_EQ(world.actions.queries[1].query.since, (proto::Position{World::kEpoch, 40}));
  const std::vector<PublicationView> found = {{41, proto::as_bytes("1"), {}}};
  world.protocol.history(*client, world.actions.queries[1].ticket, {kTop, found}, world.actions);
  EXPECT_EQ(world.next(*client).history().publications_size(), 1);
}

TEST_F(CentrifugeSubscribe, APublishThatFailsInsideTheCallIsAnswered) {
  world.actions.fails_inside = proto::ErrorReason::kTooLarge;
  world.send(*client, publish(2, "a", "{}"));
  EXPECT_EQ(world.heard(*client).replies.size(), 1U);
  EXPECT_NE(error(), 0U);
}

TEST_F(CentrifugeSubscribe, HistoryRepliesAreBounded) {
  world.send(*client, history(2, "a", 1000));
  EXPECT_EQ(world.actions.queries[0].query.limit, 300U);
  const std::string big(300U << 10U, 'x');
  const std::vector<PublicationView> found = {{1, proto::as_bytes(big), {}},
                                              {2, proto::as_bytes(big), {}}};
  world.protocol.history(*client, world.actions.queries[0].ticket, {kTop, found}, world.actions);
  EXPECT_EQ(world.next(*client).history().publications_size(), 1);
}

}  // namespace
}  // namespace sluice::gateway::world
