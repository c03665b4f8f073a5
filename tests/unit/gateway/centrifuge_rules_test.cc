// What rules and tokens allow: one table of who may do what, each row a client of its own. The rest
// are the properties of subscriptions and rates.
#include <gtest/gtest.h>

#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

using std::chrono::seconds;

Rules given_rules() {
  ChannelRules everyone;
  everyone.subscribe = everyone.publish = everyone.presence = everyone.history = Who::kEveryone;
  everyone.presence_on = true;
  everyone.history_size = 10;
  ChannelRules users = everyone;
  users.subscribe = users.publish = users.presence = users.history = Who::kUsers;
  ChannelRules subscribers = everyone;
  subscribers.publish = subscribers.presence = subscribers.history = Who::kSubscribers;
  ChannelRules tokens = everyone;
  tokens.subscribe = Who::kToken;
  tokens.publish = Who::kSubscribers;
  ChannelRules server;
  server.presence_on = true;
  server.history_size = 10;
  ChannelRules bare;
  bare.subscribe = bare.publish = bare.presence = bare.history = Who::kEveryone;
  ChannelRules dialog = everyone;
  dialog.subscribe = Who::kToken;
  dialog.user_limited = true;
  ChannelRules small = everyone;
  small.message_bytes_max = 4;
  ConnectionRules connection;
  connection.anonymous = true;
  return Rules::of(connection, {{"", everyone},
                                {"users", users},
                                {"subs", subscribers},
                                {"tokens", tokens},
                                {"server", server},
                                {"bare", bare},
                                {"dialog", dialog},
                                {"small", small}});
}

constexpr unsigned kYes = 0;
/// Who is connected.
constexpr const char* kNobody = "";
constexpr const char* kUser = "42";

struct Case {
  const char* name;
  const char* who;
  Command command;
  unsigned error = kYes;
  const char* subscribed_to = "";  ///< with the token "ok" where it needs one
};

std::vector<Case> cases() {
  return {
      // subscribe
      {"anonymous, open", kNobody, subscribe(9, "a"), kYes},
      {"user, open", kUser, subscribe(9, "a"), kYes},
      {"unknown namespace", kUser, subscribe(9, "nope:a"), 102},
      {"anonymous, users only", kNobody, subscribe(9, "users:a"), 103},
      {"user, users only", kUser, subscribe(9, "users:a"), kYes},
      {"no token", kUser, subscribe(9, "tokens:a"), 103},
      {"token", kUser, subscribe(9, "tokens:a", "ok"), kYes},
      {"token of another channel", kUser, subscribe(9, "tokens:b", "ok"), 103},
      {"token of another user", kUser, subscribe(9, "tokens:a", "theirs"), 103},
      {"a user's token, said by nobody", kNobody, subscribe(9, "tokens:a", "ok"), 103},
      {"anonymous token", kNobody, subscribe(9, "tokens:a", "nobody's"), kYes},
      {"expired token", kUser, subscribe(9, "tokens:a", "old"), 109},
      {"token whose time has passed", kUser, subscribe(9, "tokens:a", "past"), 110},
      {"forged token", kUser, subscribe(9, "tokens:a", "forged"), 103},
      {"forged token on an open channel", kUser, subscribe(9, "a", "forged"), 103},
      {"private, no token", kUser, subscribe(9, "$a"), 103},
      {"private, token", kUser, subscribe(9, "$a", "private"), kYes},
      {"private in a namespace, no token", kUser, subscribe(9, "$users:a"), 103},
      {"server alone", kUser, subscribe(9, "server:a"), 103},
      {"server alone, token", kUser, subscribe(9, "server:a", "server"), 103},
      {"listed user", kUser, subscribe(9, "dialog:x#41,42"), kYes},
      {"user not listed", kUser, subscribe(9, "dialog:x#41,420"), 103},
      {"anonymous, not listed", kNobody, subscribe(9, "dialog:x#41,42"), 103},
      {"anonymous, empty list", kNobody, subscribe(9, "dialog:x#"), 103},
      {"no list where lists count", kUser, subscribe(9, "dialog:x"), 103},
      {"'#' where lists do not count", kNobody, subscribe(9, "x#41"), kYes},
      // publish
      {"publish, anonymous, open", kNobody, publish(9, "a", "1"), kYes},
      {"publish, anonymous, users only", kNobody, publish(9, "users:a", "1"), 103},
      {"publish, user, users only", kUser, publish(9, "users:a", "1"), kYes},
      {"publish, not subscribed", kUser, publish(9, "subs:a", "1"), 103},
      {"publish, subscribed", kUser, publish(9, "subs:a", "1"), kYes, "subs:a"},
      {"publish, anonymous subscriber", kNobody, publish(9, "subs:a", "1"), kYes, "subs:a"},
      {"publish, subscribed to another", kUser, publish(9, "subs:b", "1"), 103, "subs:a"},
      {"publish, subscribed by token", kUser, publish(9, "tokens:a", "1"), kYes, "tokens:a"},
      {"publish, server alone", kUser, publish(9, "server:a", "1"), 103},
      {"publish, unknown", kUser, publish(9, "nope:a", "1"), 102},
      {"publish, small enough", kUser, publish(9, "small:a", "1234"), kYes},
      {"publish, too large", kUser, publish(9, "small:a", "12345"), 106},
      {"publish, empty", kUser, publish(9, "a", ""), 107},
      {"publish, internal name", kUser,
       publish(9,
               "\x01"
               "control",
               "1"),
       107},
      // presence
      {"presence, open", kNobody, presence(9, "a"), kYes},
      {"presence, anonymous, users only", kNobody, presence(9, "users:a"), 103},
      {"presence, user", kUser, presence_stats(9, "users:a"), kYes},
      {"presence, not subscribed", kUser, presence(9, "subs:a"), 103},
      {"presence, subscribed", kUser, presence_stats(9, "subs:a"), kYes, "subs:a"},
      {"presence, not kept", kUser, presence(9, "bare:a"), 108},
      {"presence, server alone", kUser, presence_stats(9, "server:a"), 103},
      {"presence, unknown", kUser, presence(9, "nope:a"), 102},
      // history
      {"history, open", kNobody, history(9, "a", 1), kYes},
      {"history, anonymous, users only", kNobody, history(9, "users:a", 1), 103},
      {"history, user", kUser, history(9, "users:a", 1), kYes},
      {"history, not subscribed", kUser, history(9, "subs:a", 1), 103},
      {"history, subscribed", kUser, history(9, "subs:a", 1), kYes, "subs:a"},
      {"history, not kept", kUser, history(9, "bare:a", 1), 108},
      {"history, server alone", kUser, history(9, "server:a", 1), 103},
      {"history, unknown", kUser, history(9, "nope:a", 1), 102},
      // the rest
      {"rpc that nobody answers", kUser, rpc(9, "m", "1"), 108},
  };
}

void add_tokens(World& world) {
  world.tokens.connections[kUser].user = kUser;
  const auto add = [&](const char* token, const char* user, const char* channel) {
    world.tokens.subscriptions[token].user = user;
    world.tokens.subscriptions[token].channel = channel;
  };
  add("ok", kUser, "tokens:a");
  add("theirs", "43", "tokens:a");
  add("nobody's", "", "tokens:a");
  add("private", kUser, "$a");
  add("server", kUser, "server:a");
  add("past", kUser, "tokens:a");
  world.tokens.subscriptions["past"].expires_at = world.now_s() - 1;
}

TEST(CentrifugeRules, WhoMayDoWhat) {
  World world(given_rules());
  add_tokens(world);
  EXPECT_GE(cases().size(), 40U);
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.name);
    ClientSession& session = world.open();
    world.send(session, connect(1, one.who));
    ASSERT_TRUE(world.next(session).has_connect());
    const std::string channel = one.subscribed_to;
    if (!channel.empty()) {
      world.send(session, subscribe(2, channel, channel == "tokens:a" ? "ok" : ""));
      world.answer_joins();
      ASSERT_TRUE(world.next(session).has_subscribe());
    }
    const std::size_t asked =
        world.actions.joins.size() + world.actions.published.size() + world.actions.queries.size();
    world.send(session, one.command);
    EXPECT_EQ(world.next(session).error().code(), one.error);
    EXPECT_FALSE(world.heard(session).closed);
    EXPECT_EQ(
        world.actions.joins.size() + world.actions.published.size() + world.actions.queries.size(),
        asked + (one.error == kYes ? 1 : 0))
        << "what is refused is asked of nobody, what is allowed is";
    world.end(session);
  }
}

TEST(CentrifugeRules, ReloadedRulesHoldFromTheNextCommandOn) {
  World world(given_rules());
  ClientSession& session = world.open();
  world.send(session, {connect(1), subscribe(2, "a")});
  world.answer_joins();
  world.rules.replace(Rules::of({}, {}));
  world.send(session, {publish(3, "a", "1"), subscribe(4, "b")});
  EXPECT_EQ(world.next(session).id(), 1U);
  EXPECT_EQ(world.next(session).id(), 2U);
  EXPECT_EQ(world.next(session).error().code(), 102U);
  EXPECT_EQ(world.next(session).error().code(), 102U);
  EXPECT_EQ(world.state(session).subscriptions.size(), 1U) << "what it has it keeps";
}

TEST(CentrifugeRules, RatesArePerClientAndNamespace) {
  ChannelRules limited;
  limited.publish = Who::kEveryone;
  limited.publish_rate = {.per_second = 1, .burst = 2};
  ConnectionRules connection;
  connection.anonymous = true;
  World world(Rules::of(connection, {{"a", limited}, {"b", limited}}));
  ClientSession& session = world.open();
  ClientSession& other = world.open();
  for (ClientSession* one : {&session, &other}) {
    world.send(*one, connect(1));
    world.next(*one);
  }
  const auto error = [&](ClientSession& one, const char* channel) {
    world.send(one, publish(2, channel, "1"));
    return world.next(one).error().code();
  };
  EXPECT_EQ(error(session, "a:1"), 0U);
  EXPECT_EQ(error(session, "a:2"), 0U);
  EXPECT_EQ(error(session, "a:1"), 111U);
  EXPECT_EQ(error(session, "b:1"), 0U);
  EXPECT_EQ(error(other, "a:1"), 0U);
  world.advance(seconds(1));
  EXPECT_EQ(error(session, "a:1"), 0U);
  EXPECT_EQ(error(session, "a:1"), 111U);
}

TEST(CentrifugeRules, PublisherIsToldOnlyWhereRulesSay) {
  ChannelRules bare;
  bare.publish = Who::kEveryone;
  ChannelRules told = bare;
  told.publisher_info = true;
  ConnectionRules connection;
  connection.anonymous = true;
  World world(Rules::of(connection, {{"", bare}, {"told", told}}));
  ClientSession& session = world.open();
  world.send(session, {connect(1), publish(2, "a", "1"), publish(3, "told:a", "1")});
  EXPECT_EQ(world.actions.published[0].meta, "");
  EXPECT_NE(world.actions.published[1].meta, "");
}

// ---- what a subscription is like

SubscriptionKind kind_of(Offer offer, bool wished, TokenOverride override = {}) {
  ChannelRules rules;
  rules.recovery = rules.positioning = rules.join_leave = offer;
  return subscription_kind(
      rules, {.positioned = wished, .recoverable = wished, .join_leave = wished}, override);
}

TokenOverride with(std::optional<bool> TokenOverride::*member, bool value) {
  TokenOverride override;
  override.*member = value;
  return override;
}

TEST(CentrifugeRules, Offers) {
  for (const bool wished : {false, true}) {
    EXPECT_FALSE(kind_of(Offer::kOff, wished).recoverable);
    EXPECT_FALSE(kind_of(Offer::kOff, wished).positioned);
    EXPECT_FALSE(kind_of(Offer::kOff, wished).members);
    EXPECT_FALSE(kind_of(Offer::kOff, wished).announced);
    EXPECT_EQ(kind_of(Offer::kOnDemand, wished).recoverable, wished);
    EXPECT_EQ(kind_of(Offer::kOnDemand, wished).positioned, wished);
    EXPECT_EQ(kind_of(Offer::kOnDemand, wished).members, wished);
    EXPECT_TRUE(kind_of(Offer::kOnDemand, wished).announced);
    EXPECT_TRUE(kind_of(Offer::kForced, wished).recoverable);
    EXPECT_TRUE(kind_of(Offer::kForced, wished).positioned);
    EXPECT_TRUE(kind_of(Offer::kForced, wished).members);
  }
}

TEST(CentrifugeRules, TokensOverride) {
  EXPECT_TRUE(kind_of(Offer::kOff, false, with(&TokenOverride::force_recovery, true)).recoverable);
  EXPECT_TRUE(kind_of(Offer::kOff, false, with(&TokenOverride::force_recovery, true)).positioned);
  EXPECT_FALSE(
      kind_of(Offer::kForced, false, with(&TokenOverride::force_recovery, false)).recoverable);
  EXPECT_TRUE(
      kind_of(Offer::kOff, false, with(&TokenOverride::force_positioning, true)).positioned);
  EXPECT_TRUE(kind_of(Offer::kOff, false, with(&TokenOverride::presence, true)).presence);
  EXPECT_TRUE(kind_of(Offer::kOff, false, with(&TokenOverride::join_leave, true)).announced);
  EXPECT_FALSE(kind_of(Offer::kForced, false, with(&TokenOverride::join_leave, false)).announced);
  EXPECT_FALSE(kind_of(Offer::kForced, true, with(&TokenOverride::join_leave, false)).members);
  EXPECT_TRUE(
      kind_of(Offer::kOnDemand, false, with(&TokenOverride::force_push_join_leave, true)).members);
}

}  // namespace
}  // namespace sluice::gateway::world
