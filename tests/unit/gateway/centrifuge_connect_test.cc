// connect: who is let in as whom, what waits for the reply, pings, and who is not let in.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "gateway/protocols/centrifuge_limits.h"
#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

using std::chrono::seconds;
using Json = nlohmann::json;

Rules rules_of(const ConnectionRules& connection) {
  ChannelRules open;
  open.subscribe = open.publish = Who::kEveryone;
  return Rules::of(connection, {{"", open}});
}

ConnectionRules anonymous() {
  ConnectionRules rules;
  rules.anonymous = true;
  return rules;
}

TEST(CentrifugeConnect, TellsIdVersionAndPings) {
  World world;
  ClientSession& session = world.open();
  world.send(session, connect(1));
  const Reply reply = world.next(session);
  EXPECT_EQ(reply.id(), 1U);
  EXPECT_EQ(reply.connect().client(), uuid_of(session.state.id));
  EXPECT_EQ(reply.connect().client().size(), 36U);
  EXPECT_EQ(client_id_of(reply.connect().client()), session.state.id);
  EXPECT_EQ(reply.connect().version(), "sluice test");
  EXPECT_EQ(reply.connect().ping(), 25U);
  EXPECT_TRUE(reply.connect().pong());
  EXPECT_FALSE(reply.connect().expires());
  EXPECT_EQ(world.service.stats().connected, 1U);
}

TEST(CentrifugeConnect, FirstCommandMustBeConnect) {
  for (const Command& first : {subscribe(1, "a"), publish(1, "a", "{}"), pong(), send_only()}) {
    World world;
    ClientSession& session = world.open();
    world.send(session, first);
    EXPECT_EQ(world.heard(session).closed, 3501);
  }
}

TEST(CentrifugeConnect, SecondConnectEnds) {
  World world;
  ClientSession& session = world.open();
  world.send(session, {connect(1), connect(2)});
  EXPECT_EQ(world.next(session).id(), 1U);
  EXPECT_EQ(world.heard(session).closed, 3501);
}

TEST(CentrifugeConnect, CommandsThatMeanNothingEnd) {
  Command ping;
  ping.set_id(2);
  static_cast<void>(ping.mutable_ping());
  Command no_id = subscribe(0, "a");
  Command numbered_send = send_only();
  numbered_send.set_id(3);
  for (const Command& command : {ping, no_id, numbered_send}) {
    World world;
    ClientSession& session = world.open();
    world.send(session, {connect(1), command});
    EXPECT_EQ(world.heard(session).closed, 3501);
  }
  World world;
  ClientSession& session = world.open();
  Command unknown;
  unknown.set_id(4);
  world.send(session, {connect(1), unknown});
  world.next(session);
  EXPECT_EQ(world.next(session).error().code(), 104U);
  world.send(session, send_only());
  EXPECT_EQ(world.heard(session).closed, 3508);
}

TEST(CentrifugeConnect, NoiseEnds) {
  for (const std::string_view noise : {"", "\xff\xff\xff", "{}"}) {
    World world;
    ClientSession& session = world.open();
    world.protocol.received(session, proto::as_bytes(noise), false, world.actions);
    EXPECT_EQ(world.heard(session).closed, 3501) << noise;
  }
}

TEST(CentrifugeConnect, SilenceIsStale) {
  World world;
  ClientSession& session = world.open();
  world.run(session, seconds(9));
  EXPECT_FALSE(world.heard(session).closed);
  world.run(session, seconds(2));
  EXPECT_EQ(world.heard(session).closed, 3502);
}

TEST(CentrifugeConnect, RefusedIsDead) {
  World world(rules_of({}));
  ClientSession& session = world.open();
  world.send(session, {connect(1), subscribe(2, "a")});
  EXPECT_EQ(world.next(session).error().code(), 101U);
  EXPECT_EQ(world.heard(session).closed, 3501);
  ClientSession& quiet = world.open();
  world.send(quiet, connect(1));
  EXPECT_FALSE(world.heard(quiet).closed);
  world.run(quiet, seconds(11));
  EXPECT_EQ(world.heard(quiet).closed, 3502);
}

TEST(CentrifugeConnect, TokenSaysWho) {
  World world(rules_of({}));
  world.tokens.connections["t"] = {.user = "42",
                                   .expires_at = world.now_s() + 60,
                                   .info = R"({"name":"A"})",
                                   .meta = {},
                                   .subscriptions = {}};
  ClientSession& session = world.open();
  world.send(session, connect(1, "t"));
  const Reply reply = world.next(session);
  EXPECT_TRUE(reply.connect().expires());
  EXPECT_EQ(reply.connect().ttl(), 60U);
  EXPECT_EQ(world.state(session).user_name(), "42");
  EXPECT_EQ(world.state(session).conn_info(), R"({"name":"A"})");
  EXPECT_EQ(world.service.users(), 1U);
  world.end(session);
  EXPECT_EQ(world.service.users(), 0U);
  EXPECT_EQ(world.service.clients(), 0U);
}

TEST(CentrifugeConnect, BadTokens) {
  World world(rules_of(anonymous()));
  world.tokens.connections["past"] = {
      .user = "42", .expires_at = world.now_s() - 1, .info = {}, .meta = {}, .subscriptions = {}};
  ClientSession& forged = world.open();
  world.send(forged, connect(1, "forged"));
  EXPECT_EQ(world.heard(forged).closed, 3500);
  ClientSession& old = world.open();
  world.send(old, connect(1, "old"));
  EXPECT_EQ(world.next(old).error().code(), 109U);
  ClientSession& past = world.open();
  world.send(past, connect(1, "past"));
  EXPECT_EQ(world.next(past).error().code(), 110U);
  EXPECT_EQ(world.service.stats().tokens_refused, 2U);
}

TEST(CentrifugeConnect, OpenAccessWithoutKeysPassesTokensOver) {
  World world;
  world.tokens.keys = false;
  ClientSession& session = world.open();
  world.send(session, connect(1, "whatever"));
  EXPECT_TRUE(world.next(session).has_connect());
  world.tokens.keys = true;
  ClientSession& judged = world.open();
  world.send(judged, connect(1, "whatever"));
  EXPECT_EQ(world.heard(judged).closed, 3500);
}

TEST(CentrifugeConnect, TooMuchInAToken) {
  World world(rules_of({}));
  world.tokens.connections["info"].info = std::string(kConnInfoBytesMax + 1, '1');
  world.tokens.connections["user"].user = std::string(256, 'u');
  for (const char* token : {"info", "user"}) {
    ClientSession& session = world.open();
    world.send(session, connect(1, token));
    EXPECT_EQ(world.next(session).error().code(), 106U) << token;
  }
}

TEST(CentrifugeConnect, ConnectionsPerUser) {
  ConnectionRules rules;
  rules.connections_per_user_max = 2;
  World world(rules_of(rules));
  world.tokens.connections["t"].user = "42";
  ClientSession& a = world.open();
  ClientSession& b = world.open();
  ClientSession& c = world.open();
  for (ClientSession* one : {&a, &b, &c}) world.send(*one, connect(1, "t"));
  EXPECT_FALSE(world.heard(a).closed);
  EXPECT_FALSE(world.heard(b).closed);
  EXPECT_EQ(world.heard(c).closed, 3504);
  world.end(a);
  ClientSession& d = world.open();
  world.send(d, connect(1, "t"));
  EXPECT_TRUE(world.next(d).has_connect());
}

// ---- subscriptions from the beginning

TEST(CentrifugeConnect, WaitsForServerSideSubscriptions) {
  World world;
  world.tokens.connections["t"].user = "42";
  world.tokens.connections["t"].subscriptions = {{"a", {}},
                                                 {"b", {.info = {}, .data = "7", .override = {}}}};
  ClientSession& session = world.open();
  world.send(session, {connect(1, "t"), publish(2, "a", "{}")});
  EXPECT_EQ(world.actions.joins.size(), 2U);
  world.answer_join("a", {World::kEpoch, 5});
  EXPECT_EQ(world.heard(session).frames, 0U);
  EXPECT_TRUE(world.actions.published.empty());
  world.answer_join("b", {World::kEpoch, 0});
  const Reply reply = world.next(session);
  ASSERT_EQ(reply.connect().subs_size(), 2);
  EXPECT_EQ(reply.connect().subs().at("a").offset(), 5U);
  EXPECT_TRUE(reply.connect().subs().at("a").recoverable());
  EXPECT_EQ(reply.connect().subs().at("b").data(), "7");
  EXPECT_EQ(world.actions.published.size(), 1U);
}

TEST(CentrifugeConnect, ServerSideSubscriptionsRecover) {
  World world;
  world.tokens.connections["t"].subscriptions = {{"a", {}}, {"b", {}}};
  ClientSession& session = world.open();
  Command command = connect(1, "t");
  centrifuge::SubscribeRequest& earlier = (*command.mutable_connect()->mutable_subs())["a"];
  earlier.set_recover(true);
  earlier.set_epoch(epoch_text(World::kEpoch));
  earlier.set_offset(3);
  world.send(session, command);
  const auto asked = std::find_if(world.actions.joins.begin(), world.actions.joins.end(),
                                  [](const auto& one) { return one.channel == "a"; });
  EXPECT_EQ(asked->since, (proto::Position{World::kEpoch, 3}));
  world.answer_join("b", {World::kEpoch, 9});
  world.answer_join("a", {World::kEpoch, 4}, true, {{4, proto::as_bytes("{}"), {}}});
  const Reply reply = world.next(session);
  EXPECT_TRUE(reply.connect().subs().at("a").recovered());
  EXPECT_TRUE(reply.connect().subs().at("a").was_recovering());
  EXPECT_EQ(reply.connect().subs().at("a").publications_size(), 1);
  EXPECT_FALSE(reply.connect().subs().at("b").was_recovering());
}

TEST(CentrifugeConnect, ServerSideSubscriptionsThatCantBe) {
  ConnectionRules connection;
  connection.channels_max = 2;
  World world(rules_of(connection));
  world.tokens.connections["many"].subscriptions = {{"a", {}}, {"b", {}}, {"c", {}}};
  world.tokens.connections["unknown"].subscriptions = {{"a", {}}, {"no:x", {}}};
  world.tokens.connections["one"].subscriptions = {{"a", {}}};
  ClientSession& many = world.open();
  world.send(many, connect(1, "many"));
  EXPECT_EQ(world.heard(many).closed, 3505);
  ClientSession& unknown = world.open();
  world.send(unknown, connect(1, "unknown"));
  EXPECT_EQ(world.next(unknown).error().code(), 102U);
  EXPECT_TRUE(world.actions.joins.empty());
  EXPECT_EQ(world.actions.left, std::vector<std::string>{"a"});
  ClientSession& failed = world.open();
  world.send(failed, connect(1, "one"));
  world.protocol.request_failed(failed, world.actions.joins[0].ticket,
                                proto::ErrorReason::kTimedOut, world.actions);
  EXPECT_EQ(world.heard(failed).closed, 3004);
  world.actions.joins.clear();
  world.actions.room = false;
  ClientSession& crowded = world.open();
  world.send(crowded, connect(1, "one"));
  EXPECT_EQ(world.heard(crowded).closed, 3004);
}

// ---- by the application's word

ConnectionRules asking() {
  ConnectionRules rules;
  rules.connect_hook = true;
  rules.refresh_hook = true;
  rules.disconnect_hook = true;
  return rules;
}

TEST(CentrifugeConnect, HookSaysWho) {
  World world(rules_of(asking()));
  UpgradeRequest request;
  request.headers = {{"cookie", "s=1"}};
  ClientSession& session = world.open(request);
  Command command = connect(1);
  command.mutable_connect()->set_data(R"({"a":12345678901234567890123})");
  command.mutable_connect()->set_name("js");
  world.send(session, {command, subscribe(2, "x")});
  ASSERT_EQ(world.hooks.calls.size(), 1U);
  const HookRequest& call = world.hooks.calls[0];
  EXPECT_EQ(call.kind, HookKind::kConnect);
  EXPECT_EQ(call.headers, request.headers);
  EXPECT_EQ(Json::parse(call.body)["client"], uuid_of(session.state.id));
  EXPECT_EQ(Json::parse(call.body)["name"], "js");
  EXPECT_NE(call.body.find(R"("data":{"a":12345678901234567890123})"), std::string::npos);
  EXPECT_EQ(world.heard(session).frames, 0U);
  world.answer_hook(R"({"result":{"user":"56","data":{"x":1},"info":{"n":2},"channels":["p"]}})");
  world.answer_join("p", {World::kEpoch, 0});
  const Reply reply = world.next(session);
  EXPECT_EQ(reply.connect().data(), R"({"x":1})");
  EXPECT_EQ(reply.connect().subs_size(), 1);
  EXPECT_EQ(world.state(session).user_name(), "56");
  EXPECT_EQ(world.actions.joins.size(), 1U) << "what waited goes on";
  world.end(session);
  ASSERT_EQ(world.hooks.calls.size(), 1U);
  EXPECT_EQ(world.hooks.calls[0].kind, HookKind::kDisconnected);
  EXPECT_EQ(Json::parse(world.hooks.calls[0].body)["user"], "56");
}

TEST(CentrifugeConnect, HookSaysNo) {
  World world(rules_of(asking()));
  ClientSession& error = world.open();
  world.send(error, connect(1));
  world.answer_hook(R"({"error":{"code":1000,"message":"custom"}})");
  const Reply reply = world.next(error);
  EXPECT_EQ(reply.error().code(), 1000U);
  EXPECT_EQ(reply.error().message(), "custom");
  ClientSession& end = world.open();
  world.send(end, connect(1));
  world.answer_hook(R"({"disconnect":{"code":4500,"reason":"go"}})");
  EXPECT_EQ(world.heard(end).closed, 4500);
  EXPECT_EQ(world.heard(end).reason, "go");
  for (const char* body : {"", "{}", "[", R"({"result":7})", R"({"result":{"user":7}})"}) {
    ClientSession& malformed = world.open();
    world.send(malformed, connect(1));
    world.answer_hook(body);
    EXPECT_EQ(world.heard(malformed).closed, 3004) << body;
  }
  ClientSession& late = world.open();
  world.send(late, connect(1));
  world.answer_hook("", HookFault::kTimeout);
  EXPECT_EQ(world.heard(late).closed, 3004);
}

TEST(CentrifugeConnect, AnswersOfOthersCountForNothing) {
  World world(rules_of(asking()));
  ClientSession& session = world.open();
  world.send(session, connect(1));
  const HookRequest call = world.hooks.calls[0];
  world.service.hook_answered({call.kind, call.origin, call.ticket + 1, HookFault::kNone, "{}"});
  world.service.hook_answered(
      {call.kind, {call.origin.index, call.origin.generation + 1}, call.ticket, {}, "{}"});
  EXPECT_FALSE(world.heard(session).closed);
  world.answer_hook(R"({"result":{"user":"1"}})");
  EXPECT_TRUE(world.next(session).has_connect());
}

TEST(CentrifugeConnect, ApplicationRefreshes) {
  World world(rules_of(asking()));
  ClientSession& session = world.open();
  world.send(session, connect(1));
  world.answer_hook(R"({"result":{"user":"1","expire_at":)" + std::to_string(world.now_s() + 30) +
                    "}}");
  EXPECT_FALSE(world.next(session).connect().expires()) << "the client need not do anything";
  const auto keep_alive = [&](int for_s) {
    for (int i = 0; i < for_s && !world.heard(session).closed; ++i) {
      world.run(session, seconds(1));
      if (world.state(session).pong_deadline != TimePoint{}) world.send(session, pong());
    }
  };
  keep_alive(31);
  ASSERT_EQ(world.hooks.calls.size(), 1U);
  EXPECT_EQ(world.hooks.calls[0].kind, HookKind::kRefresh);
  world.answer_hook(R"({"result":{"expire_at":)" + std::to_string(world.now_s() + 30) + "}}");
  keep_alive(31);
  ASSERT_EQ(world.hooks.calls.size(), 1U);
  world.answer_hook("", HookFault::kTimeout);
  keep_alive(6);
  ASSERT_EQ(world.hooks.calls.size(), 1U) << "asked again";
  keep_alive(30);
  EXPECT_EQ(world.heard(session).closed, 3005);
}

TEST(CentrifugeConnect, RefreshByTheClientIsWrongThere) {
  World world(rules_of(asking()));
  ClientSession& session = world.open();
  world.send(session, connect(1));
  world.answer_hook(R"({"result":{"user":"1","expire_at":99999999999}})");
  world.send(session, refresh(2, "t"));
  EXPECT_EQ(world.heard(session).closed, 3501);
}

// ---- pings

TEST(CentrifugeConnect, PingsAndPongs) {
  World world;
  ClientSession& session = world.open();
  world.send(session, connect(1));
  world.next(session);
  const Duration first = session.state.due_at - world.time.now();
  EXPECT_GE(first, seconds(12));
  EXPECT_LE(first, seconds(25));
  world.run(session, first);
  const Reply ping = world.next(session);
  EXPECT_EQ(ping.ByteSizeLong(), 0U);
  EXPECT_EQ(world.heard(session).frames, 2U);
  world.send(session, pong());
  world.run(session, seconds(25));
  EXPECT_EQ(world.heard(session).frames, 3U);
  world.run(session, seconds(8));
  EXPECT_EQ(world.heard(session).closed, 3012);
}

TEST(CentrifugeConnect, PongWithoutPing) {
  World world;
  ClientSession& session = world.open();
  world.send(session, {connect(1), pong()});
  EXPECT_EQ(world.heard(session).closed, 3501);
}

TEST(CentrifugeConnect, AStoppedProcessBlamesNobody) {
  World world;
  ClientSession& session = world.open();
  world.send(session, connect(1));
  world.run(session, seconds(25));
  ASSERT_NE(world.state(session).pong_deadline, TimePoint{});
  world.advance(seconds(60));
  world.protocol.due(session, world.actions);
  EXPECT_FALSE(world.heard(session).closed);
  world.send(session, pong());
  world.run(session, seconds(1));
  EXPECT_FALSE(world.heard(session).closed);
}

TEST(CentrifugeConnect, EachPingHasItsPong) {
  CentrifugeOptions options;
  options.ping_interval = seconds(5);
  options.pong_timeout = seconds(10);
  World world(Rules::open_access(), options);
  ClientSession& session = world.open();
  world.send(session, connect(1));
  // It stalls over the time of two pings, and then answers what it has got.
  const std::size_t before = world.heard(session).frames;
  world.run(session, seconds(6));
  world.run(session, seconds(3));
  const std::size_t pings = world.heard(session).frames - before;
  EXPECT_EQ(pings, 1U);
  for (std::size_t i = 0; i < pings; ++i) world.send(session, pong());
  EXPECT_FALSE(world.heard(session).closed);
}

TEST(CentrifugeConnect, FramePingsAreNotOurs) {
  World world;
  UpgradeRequest request;
  request.frame_pings = true;
  ClientSession& session = world.open(request);
  world.send(session, connect(1));
  const Reply reply = world.next(session);
  EXPECT_EQ(reply.connect().ping(), 0U);
  EXPECT_FALSE(reply.connect().pong());
  world.run(session, seconds(100));
  EXPECT_EQ(world.heard(session).frames, 1U);
  EXPECT_FALSE(world.heard(session).closed);
}

// ---- bounds

TEST(CentrifugeConnect, WhatWaitsIsBounded) {
  World world(rules_of(asking()));
  ClientSession& count = world.open();
  world.send(count, connect(1));
  std::vector<Command> batch;
  for (std::uint32_t i = 0; i < 1000; ++i) batch.push_back(subscribe(i + 2, "a"));
  world.send(count, batch);
  world.send(count, batch);
  EXPECT_FALSE(world.heard(count).closed);
  world.send(count, batch);
  EXPECT_EQ(world.heard(count).closed, 3008);
  ClientSession& bytes = world.open();
  world.send(bytes, connect(1));
  world.send(bytes, publish(2, "a", std::string(2 * kWaitingBytesMax, 'x')));
  EXPECT_FALSE(world.heard(bytes).closed) << "one of any size";
  world.send(bytes, publish(3, "a", "x"));
  EXPECT_EQ(world.heard(bytes).closed, 3008);
}

TEST(CentrifugeConnect, RepliesAreBatched) {
  World world;
  ClientSession& session = world.open();
  std::vector<Command> batch = {connect(1)};
  for (std::uint32_t i = 0; i < 31; ++i) batch.push_back(unsubscribe(i + 2, "a"));
  world.send(session, batch);
  EXPECT_EQ(world.heard(session).replies.size(), 32U);
  EXPECT_EQ(world.heard(session).frames, 2U);
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(world.next(session).id(), i + 1);
}

TEST(CentrifugeConnect, GatewaysOwnClosesAreTold) {
  World world;
  const auto told = [&](CloseCode code, CloseReason counted) {
    return static_cast<int>(world.protocol.farewell({code, "x"}, counted).code);
  };
  EXPECT_EQ(told(CloseCode::kGoingAway, CloseReason::kDrained), 3001);
  EXPECT_EQ(told(CloseCode::kGoingAway, CloseReason::kAged), 3011);
  EXPECT_EQ(told(CloseCode::kPolicy, CloseReason::kTooSlow), 3008);
  EXPECT_EQ(told(CloseCode::kPolicy, CloseReason::kRateLimited), 3013);
  EXPECT_EQ(told(CloseCode::kServiceRestart, CloseReason::kGap), 3010);
  EXPECT_EQ(told(CloseCode::kTryAgainLater, CloseReason::kPublishFailed), 3004);
  EXPECT_EQ(told(CloseCode::kTooBig, CloseReason::kTooBig), 1009);
  EXPECT_EQ(told(CloseCode::kStale, CloseReason::kStale), 3502);
}

}  // namespace
}  // namespace sluice::gateway::world
