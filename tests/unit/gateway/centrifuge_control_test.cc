// The server API's commands as they come by the control channel.
#include <gtest/gtest.h>

#include "proto/names.h"
#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

using envelope::ControlCommand;

class CentrifugeControl : public testing::Test {
 protected:
  CentrifugeControl() {
    for (const char* user : {"1", "2"}) world.tokens.connections[user].user = user;
    one = &connected("1");
    other_of_one = &connected("1");
    two = &connected("2");
    nobody = &connected("");
  }
  ClientSession& connected(std::string_view token) {
    ClientSession& session = world.open();
    world.send(session, connect(1, token));
    world.next(session);
    return session;
  }
  void subscribed(ClientSession& session, std::string_view channel) {
    world.send(session, subscribe(2, channel));
    world.answer_join(channel, {World::kEpoch, 3});
    world.next(session);
  }
  void apply(const ControlCommand& command) {
    const std::string bytes = command.SerializeAsString();
    world.service.apply(proto::as_bytes(bytes));
  }
  static void user(ControlCommand::Who* who, const std::string& name) {
    who->set_has_user(true);
    who->set_user(name);
  }
  [[nodiscard]] std::vector<bool> closed() {
    std::vector<bool> all;
    for (const ClientSession* session : {one, other_of_one, two, nobody})
      all.push_back(world.heard(*session).closed.has_value());
    return all;
  }

  World world;
  ClientSession* one;
  ClientSession* other_of_one;
  ClientSession* two;
  ClientSession* nobody;
};

TEST_F(CentrifugeControl, NoiseChangesNothing) {
  world.service.apply(proto::as_bytes("\xff\xff"));
  apply({});
  ControlCommand all;
  static_cast<void>(all.mutable_disconnect()->mutable_who());
  apply(all);
  EXPECT_EQ(closed(), (std::vector<bool>{false, false, false, false}));
}

TEST_F(CentrifugeControl, DisconnectsAUser) {
  ControlCommand command;
  user(command.mutable_disconnect()->mutable_who(), "1");
  command.mutable_disconnect()->mutable_who()->add_except(uuid_of(other_of_one->state.id));
  apply(command);
  EXPECT_EQ(closed(), (std::vector<bool>{true, false, false, false}));
  EXPECT_EQ(world.heard(*one).closed, 3503);
}

TEST_F(CentrifugeControl, DisconnectsTheAnonymous) {
  ControlCommand command;
  user(command.mutable_disconnect()->mutable_who(), "");
  apply(command);
  EXPECT_EQ(closed(), (std::vector<bool>{false, false, false, true}));
}

TEST_F(CentrifugeControl, DisconnectsAClient) {
  ControlCommand command;
  command.mutable_disconnect()->mutable_who()->set_client(uuid_of(two->state.id));
  command.mutable_disconnect()->set_code(4321);
  command.mutable_disconnect()->set_reason(std::string(300, 'r'));
  apply(command);
  EXPECT_EQ(closed(), (std::vector<bool>{false, false, true, false}));
  EXPECT_EQ(world.heard(*two).closed, 4321);
  EXPECT_EQ(world.heard(*two).reason, std::string(123, 'r'));
  command.mutable_disconnect()->mutable_who()->set_client(uuid_of(one->state.id));
  user(command.mutable_disconnect()->mutable_who(), "2");
  apply(command);
  EXPECT_FALSE(world.heard(*one).closed) << "both must match";
  command.mutable_disconnect()->mutable_who()->set_client("no uuid");
  apply(command);
}

// The JavaScript SDK looks at the code only where there is a reason, and one that JSON.parse takes
// is advice to it, whatever the code.
TEST_F(CentrifugeControl, AReasonNeverHidesTheCode) {
  const auto told = [this](ClientSession& session, const std::string& reason) {
    ControlCommand command;
    command.mutable_disconnect()->mutable_who()->set_client(uuid_of(session.state.id));
    command.mutable_disconnect()->set_code(4500);
    command.mutable_disconnect()->set_reason(reason);
    apply(command);
    EXPECT_EQ(world.heard(session).closed, 4500);
    return world.heard(session).reason;
  };
  EXPECT_EQ(told(*one, ""), "disconnect");
  EXPECT_EQ(told(*other_of_one, "42"), "reason: 42");
  EXPECT_EQ(told(*two, R"({"reconnect":true})"), R"(reason: {"reconnect":true})");
  EXPECT_EQ(told(*nobody, "\"" + std::string(121, 'r') + "\""),
            "reason: \"" + std::string(114, 'r'));
}

TEST_F(CentrifugeControl, Unsubscribes) {
  subscribed(*one, "a");
  subscribed(*one, "b");
  ControlCommand command;
  user(command.mutable_unsubscribe()->mutable_who(), "1");
  command.mutable_unsubscribe()->set_channel("a");
  apply(command);
  const Reply reply = world.next(*one);
  EXPECT_EQ(reply.push().channel(), "a");
  EXPECT_EQ(reply.push().unsubscribe().code(), 2000U);
  EXPECT_EQ(world.state(*one).subscriptions.size(), 1U);
  EXPECT_TRUE(world.heard(*other_of_one).replies.empty());
  command.mutable_unsubscribe()->clear_channel();
  command.mutable_unsubscribe()->set_code(2600);
  apply(command);
  EXPECT_EQ(world.next(*one).push().unsubscribe().code(), 2600U);
  EXPECT_TRUE(world.state(*one).subscriptions.empty());
}

TEST_F(CentrifugeControl, UnsubscribesOneUnderWay) {
  world.send(*one, {subscribe(2, "a"), publish(3, "a", "{}")});
  ControlCommand command;
  user(command.mutable_unsubscribe()->mutable_who(), "1");
  command.mutable_unsubscribe()->set_channel("a");
  apply(command);
  EXPECT_EQ(world.next(*one).error().code(), 103U);
  EXPECT_TRUE(world.actions.joins.empty());
  EXPECT_EQ(world.actions.published.size(), 1U) << "what waited goes on";
}

TEST_F(CentrifugeControl, UnsubscribesWhoIsStillConnecting) {
  world.tokens.connections["s"].user = "9";
  world.tokens.connections["s"].subscriptions = {{"a", {}}, {"b", {}}};
  ClientSession& session = world.open();
  world.send(session, connect(1, "s"));
  world.answer_join("a", {World::kEpoch, 0});
  ControlCommand command;
  user(command.mutable_unsubscribe()->mutable_who(), "9");
  command.mutable_unsubscribe()->set_channel("a");
  apply(command);
  world.answer_join("b", {World::kEpoch, 0});
  const Reply reply = world.next(session);
  ASSERT_TRUE(reply.has_connect());
  EXPECT_FALSE(reply.connect().subs().contains("a"));
  EXPECT_TRUE(reply.connect().subs().contains("b"));
  EXPECT_EQ(world.state(session).subscriptions.size(), 1U);
}

TEST_F(CentrifugeControl, Subscribes) {
  ControlCommand command;
  ControlCommand::Subscribe& wanted = *command.mutable_subscribe();
  user(wanted.mutable_who(), "2");
  wanted.set_channel("a");
  wanted.set_data("7");
  wanted.set_presence(-1);
  wanted.set_join_leave(0);
  wanted.set_recovery(1);
  wanted.set_positioning(-1);
  wanted.set_recover(true);
  wanted.set_since_epoch(World::kEpoch);
  wanted.set_since_offset(1);
  apply(command);
  apply(command);
  ASSERT_EQ(world.actions.joins.size(), 1U);
  EXPECT_EQ(world.actions.joins[0].since, (proto::Position{World::kEpoch, 1}));
  world.answer_join("a", {World::kEpoch, 2}, true, {{2, proto::as_bytes("9"), {}}});
  const Reply reply = world.next(*two);
  EXPECT_EQ(reply.id(), 0U);
  EXPECT_EQ(reply.push().channel(), "a");
  EXPECT_TRUE(reply.push().subscribe().recoverable());
  EXPECT_EQ(reply.push().subscribe().data(), "7");
  const Reply publication = world.next(*two);
  EXPECT_EQ(publication.push().pub().offset(), 2U);
  EXPECT_FALSE(publication.push().has_subscribe());
  EXPECT_EQ(world.actions.present.size(), 1U);
  EXPECT_TRUE(world.actions.told.empty()) << "join_leave is off";
  wanted.set_channel("sluice:x");
  apply(command);
  EXPECT_EQ(world.service.stats().server_subscribes_refused, 1U);
  EXPECT_TRUE(world.actions.joins.empty());
}

TEST_F(CentrifugeControl, Refreshes) {
  ControlCommand command;
  user(command.mutable_refresh()->mutable_who(), "2");
  command.mutable_refresh()->set_expire_at(world.now_s() + 50);
  command.mutable_refresh()->set_info("[2]");
  apply(command);
  const Reply reply = world.next(*two);
  EXPECT_TRUE(reply.push().refresh().expires());
  EXPECT_EQ(reply.push().refresh().ttl(), 50U);
  EXPECT_EQ(world.state(*two).conn_info(), "[2]");
  command.mutable_refresh()->set_expired(true);
  apply(command);
  EXPECT_EQ(world.heard(*two).closed, 3005);
}

envelope::SurveyReply last_reply(const World& world) {
  envelope::SurveyReply reply;
  EXPECT_TRUE(reply.ParseFromString(world.actions.told.back().second));
  return reply;
}

TEST_F(CentrifugeControl, Surveys) {
  subscribed(*one, "news:a");
  subscribed(*two, "news:a");
  subscribed(*two, "chat");
  world.send(*nobody, subscribe(9, "not joined yet"));
  world.actions.told.clear();
  ControlCommand command;
  ControlCommand::Survey& survey = *command.mutable_survey();
  survey.set_id(77);
  survey.set_reply_to(proto::reply_channel("n1"));
  survey.set_what(ControlCommand::Survey::CHANNELS);
  apply(command);
  envelope::SurveyReply reply = last_reply(world);
  EXPECT_EQ(reply.id(), 77U);
  EXPECT_EQ(reply.gateway(), "1111");
  ASSERT_EQ(reply.channels_size(), 2);
  EXPECT_EQ(reply.channels().at("news:a"), 2U);
  survey.set_pattern("news:*");
  apply(command);
  EXPECT_EQ(last_reply(world).channels_size(), 1);
  survey.set_pattern("*s:?");
  apply(command);
  EXPECT_EQ(last_reply(world).channels_size(), 1);
  survey.clear_pattern();
  survey.set_limit(1);
  apply(command);
  EXPECT_TRUE(last_reply(world).cut());
  survey.set_what(ControlCommand::Survey::USERS);
  survey.set_limit(0);
  apply(command);
  EXPECT_EQ(last_reply(world).users_size(), 2);
  const std::size_t said = world.actions.told.size();
  survey.set_reply_to("public");
  apply(command);
  EXPECT_EQ(world.actions.told.size(), said) << "not a reply channel";
}

TEST_F(CentrifugeControl, SurveyCountsOtherProtocolsToo) {
  ClientSession& plain = world.sessions.add();
  world.actions.subscribed[plain.ref.index] = {"livechat"};
  ControlCommand command;
  command.mutable_survey()->set_reply_to(proto::reply_channel("n1"));
  apply(command);
  EXPECT_EQ(last_reply(world).channels().at("livechat"), 1U);
  world.sessions.remove(plain.ref);
}

}  // namespace
}  // namespace sluice::gateway::world
