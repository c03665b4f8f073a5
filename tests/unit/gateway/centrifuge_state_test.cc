// What a client's record carries from process to process, and what the next one makes of it.
#include "gateway/protocols/centrifuge_state.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

using std::chrono::seconds;

std::string saved(World& world, const ClientSession& session) {
  std::string record;
  world.protocol.save(session, record);
  return record;
}

/// The next process: same time, tokens and rules; its Hub knows nothing.
class NextWorld {
 public:
  explicit NextWorld(World& before, Rules rules = Rules::open_access()) : world(std::move(rules)) {
    world.tokens.connections = before.tokens.connections;
    world.unix_ms = before.unix_ms;
  }
  /// Null: the record was refused.
  ClientSession* restore(const ClientSession& from, const std::string& record) {
    ClientSession& session = world.sessions.add();
    session.protocol = &world.protocol;
    session.state.id = from.state.id;
    session.state.connected_at = world.time.now();
    world.actions.heard[session.ref.index] = {};
    if (!world.protocol.restore(session, proto::as_bytes(record))) {
      world.sessions.remove(session.ref);
      return nullptr;
    }
    return &session;
  }
  ClientSession& resume(const ClientSession& from, const std::string& record) {
    ClientSession* session = restore(from, record);
    CHECK(session != nullptr);
    world.protocol.resumed(*session, world.actions);
    return *session;
  }
  World world;
};

class CentrifugeStateTest : public testing::Test {
 protected:
  CentrifugeStateTest() {
    world.tokens.connections["t"] = {.user = "42",
                                     .expires_at = world.now_s() + 60,
                                     .info = "[1]",
                                     .meta = "[2]",
                                     .subscriptions = {}};
    UpgradeRequest request;
    request.headers = {{"cookie", "c"}};
    client = &world.open(request);
    world.send(*client, connect(1, "t"));
    world.next(*client);
  }
  void subscribed(std::string_view channel) {
    Command command = subscribe(2, channel);
    command.mutable_subscribe()->set_join_leave(true);
    world.send(*client, command);
    world.answer_join(channel, {World::kEpoch, 3});
    world.next(*client);
  }

  World world;
  ClientSession* client;
};

TEST_F(CentrifugeStateTest, SavedAndRestoredIsTheSame) {
  subscribed("a");
  subscribed("b");
  Command recover = subscribe(5, "c");
  recover.mutable_subscribe()->set_recover(true);
  recover.mutable_subscribe()->set_offset(7);
  recover.mutable_subscribe()->set_flag(2);
  Command since = history(7, "a", 5);
  since.mutable_history()->mutable_since()->set_epoch("x");
  world.send(*client, {recover, publish(6, "a", "1"), since, publish(8, "c", "waits"),
                       presence_stats(9, "d")});
  const std::string record = saved(world, *client);
  NextWorld next(world);
  ClientSession* restored = next.restore(*client, record);
  ASSERT_NE(restored, nullptr);
  EXPECT_EQ(saved(next.world, *restored), record);
  const CentrifugeState& state = next.world.state(*restored);
  EXPECT_EQ(state.user_name(), "42");
  EXPECT_EQ(state.expires_at, world.now_s() + 60);
  EXPECT_EQ(state.more->headers, world.state(*client).more->headers);
  EXPECT_EQ(state.more->meta, "[2]");
  EXPECT_EQ(state.subscriptions.size(), 3U);
  EXPECT_EQ(state.in_progress->waiting.size(), 2U);
}

TEST_F(CentrifugeStateTest, AskedAgainOrToldAsFailed) {
  subscribed("a");
  Command recover = subscribe(5, "c");
  recover.mutable_subscribe()->set_recover(true);
  recover.mutable_subscribe()->set_offset(7);
  world.send(*client, {publish(6, "a", "1"), history(7, "a", 5), presence(8, "a"), recover,
                       unsubscribe(9, "c")});
  NextWorld next(world);
  ClientSession& session = next.resume(*client, saved(world, *client));
  World& after = next.world;
  ASSERT_EQ(after.actions.joins.size(), 1U);
  EXPECT_EQ(after.actions.joins[0].since, (proto::Position{0, 7}));
  ASSERT_EQ(after.actions.queries.size(), 2U);
  EXPECT_EQ(after.actions.queries[0].query.limit, 5U);
  EXPECT_TRUE(after.actions.published.empty()) << "never twice";
  const Reply failed = after.next(session);
  EXPECT_EQ(failed.id(), 6U);
  EXPECT_EQ(failed.error().code(), 100U);
  EXPECT_TRUE(failed.error().temporary());
  EXPECT_EQ(after.actions.present.size(), 1U);
  EXPECT_TRUE(after.actions.told.empty()) << "nobody has joined or left";
  after.protocol.history(session, after.actions.queries[0].ticket, {{1, 1}, {}}, after.actions);
  EXPECT_EQ(after.next(session).id(), 7U);
  after.answer_join("c", {World::kEpoch, 9});
  EXPECT_EQ(after.next(session).id(), 5U);
  EXPECT_EQ(after.next(session).id(), 9U);
  EXPECT_EQ(after.service.users(), 1U);
  EXPECT_EQ(after.service.clients(), 1U);
}

TEST_F(CentrifugeStateTest, AskedAgainInVain) {
  world.send(*client, {history(2, "a", 5), subscribe(3, "c")});
  NextWorld next(world);
  next.world.actions.relay = next.world.actions.room = false;
  ClientSession& session = next.resume(*client, saved(world, *client));
  EXPECT_EQ(next.world.next(session).error().code(), 100U);
  EXPECT_EQ(next.world.next(session).error().code(), 100U);
  EXPECT_TRUE(next.world.state(session).subscriptions.empty());
  EXPECT_EQ(next.world.state(session).in_progress, nullptr);
}

TEST_F(CentrifugeStateTest, APongMayAnswerAnEarlierProcess) {
  NextWorld next(world);
  ClientSession& session = next.resume(*client, saved(world, *client));
  next.world.send(session, pong());
  EXPECT_FALSE(next.world.heard(session).closed);
  next.world.send(session, pong());
  EXPECT_EQ(next.world.heard(session).closed, 3501);
}

TEST_F(CentrifugeStateTest, TimesGoOn) {
  NextWorld next(world);
  ClientSession& session = next.resume(*client, saved(world, *client));
  EXPECT_NE(session.state.due_at, TimePoint{});
  for (int i = 0; i < 90 && !next.world.heard(session).closed; ++i) {
    next.world.run(session, seconds(1));
    if (next.world.state(session).pong_deadline != TimePoint{}) next.world.send(session, pong());
  }
  EXPECT_EQ(next.world.heard(session).closed, 3005);
}

TEST_F(CentrifugeStateTest, AConnectUnderWayBeginsAgain) {
  world.tokens.connections["s"].subscriptions = {{"a", {}}, {"b", {}}};
  ClientSession& session = world.open();
  world.send(session, {connect(1, "s"), publish(2, "a", "{}")});
  world.answer_join("a", {World::kEpoch, 0});
  NextWorld next(world);
  ClientSession& after = next.resume(session, saved(world, session));
  EXPECT_EQ(next.world.actions.left.back(), "a") << "else it would be joined twice";
  EXPECT_EQ(next.world.actions.joins.size(), 2U);
  next.world.answer_joins();
  EXPECT_EQ(next.world.next(after).connect().subs_size(), 2);
  EXPECT_EQ(next.world.actions.published.size(), 1U);
}

TEST(CentrifugeResume, HooksAreAskedAgainWhereNothingWasDoneYet) {
  ChannelRules asking;
  asking.subscribe = asking.publish = Who::kEveryone;
  asking.subscribe_hook = asking.publish_hook = true;
  ConnectionRules connection;
  connection.connect_hook = connection.rpc_hook = true;
  const Rules rules = Rules::of(connection, {{"", asking}});
  World world(rules);
  NextWorld next(world, rules);
  // While the application is asked about the connection.
  ClientSession& early = world.open();
  world.send(early, {connect(1), subscribe(2, "a")});
  ClientSession& again = next.resume(early, saved(world, early));
  ASSERT_EQ(next.world.hooks.calls.size(), 1U);
  next.world.answer_hook(R"({"result":{"user":"1"}})");
  EXPECT_TRUE(next.world.next(again).has_connect());
  // And about its subscription, its publish, its call.
  const std::string subscribing = saved(next.world, again);
  NextWorld third(next.world, rules);
  third.resume(again, subscribing);
  ASSERT_EQ(third.world.hooks.calls.size(), 1U);
  EXPECT_EQ(third.world.hooks.calls[0].kind, HookKind::kSubscribe);
  for (const Command& command : {publish(3, "a", "1"), rpc(4, "m", "1")}) {
    World before(rules);
    ClientSession& asked = before.open();
    before.send(asked, connect(1));
    before.answer_hook(R"({"result":{"user":"1"}})");
    before.next(asked);
    before.send(asked, {command, unsubscribe(5, "x")});
    NextWorld after(before, rules);
    ClientSession& session = after.resume(asked, saved(before, asked));
    EXPECT_TRUE(after.world.hooks.calls.empty()) << "never twice";
    const Reply reply = after.world.next(session);
    EXPECT_EQ(reply.id(), command.id());
    EXPECT_EQ(reply.error().code(), 100U);
    EXPECT_EQ(after.world.next(session).id(), 5U);
  }
}

TEST_F(CentrifugeStateTest, WhatIsNoRecordIsRefused) {
  subscribed("a");
  world.send(*client, {subscribe(5, "c"), publish(6, "c", "waits")});
  const std::string record = saved(world, *client);
  NextWorld next(world);
  for (std::size_t cut = 0; cut < record.size(); ++cut)
    EXPECT_EQ(next.restore(*client, record.substr(0, cut)), nullptr) << cut;
  EXPECT_EQ(next.restore(*client, record + "x"), nullptr);
  std::string later = record;
  ++later[0];
  EXPECT_EQ(next.restore(*client, later), nullptr);
  EXPECT_EQ(next.world.service.users(), 0U);
}

TEST_F(CentrifugeStateTest, ARestoredOneMayEndBeforeItResumes) {
  subscribed("a");
  NextWorld next(world);
  ClientSession* session = next.restore(*client, saved(world, *client));
  ASSERT_NE(session, nullptr);
  next.world.end(*session);
  EXPECT_EQ(next.world.service.users(), 0U);
  EXPECT_EQ(next.world.service.channels().size(), 0U);
}

TEST_F(CentrifugeStateTest, IdleClientsAreSmall) {
  subscribed("news:sports");
  const CentrifugeState& state = world.state(*client);
  EXPECT_EQ(state.in_progress, nullptr) << "nothing is under way";
  EXPECT_LE(sizeof(CentrifugeState), 128U);
  EXPECT_LE(sizeof(CentrifugeSubscription), 32U);
  std::string record = saved(world, *client);
  EXPECT_LE(record.size(), 128U);
}

TEST_F(CentrifugeStateTest, NothingIsLeftOfClientsThatHaveGone) {
  subscribed("a");
  world.send(*client, {subscribe(5, "c"), publish(6, "a", "1"), publish(6, "c", "waits")});
  world.end(*client);
  EXPECT_EQ(world.service.clients(), 0U);
  EXPECT_EQ(world.service.users(), 0U);
  EXPECT_EQ(world.service.channels().size(), 0U);
}

}  // namespace
}  // namespace sluice::gateway::world
