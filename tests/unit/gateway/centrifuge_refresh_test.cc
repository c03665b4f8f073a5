// The end of tokens: refreshed in time, refreshed wrongly, not refreshed.
#include <gtest/gtest.h>

#include "gateway/protocols/centrifuge_limits.h"
#include "tests/support/centrifuge_world.h"

namespace sluice::gateway::world {
namespace {

using std::chrono::seconds;

Rules rules() {
  ChannelRules tokens;
  tokens.subscribe = Who::kToken;
  tokens.presence_on = true;
  return Rules::of({}, {{"", tokens}});
}

class CentrifugeRefresh : public testing::Test {
 protected:
  CentrifugeRefresh() : world(rules()) {
    connection("t", 60);
    client = &world.open();
    world.send(*client, connect(1, "t"));
    world.next(*client);
  }
  void connection(const std::string& token, std::int64_t left, std::string user = "42") {
    world.tokens.connections[token] = {.user = std::move(user),
                                       .expires_at = left == 0 ? 0 : world.now_s() + left,
                                       .info = {},
                                       .meta = {},
                                       .subscriptions = {}};
  }
  void subscription(const std::string& token, std::int64_t left, std::string info = {}) {
    world.tokens.subscriptions[token] = {.user = "42",
                                         .channel = "a",
                                         .expires_at = left == 0 ? 0 : world.now_s() + left,
                                         .info = std::move(info),
                                         .override = {}};
  }
  void subscribed(std::int64_t left) {
    subscription("s", left);
    world.send(*client, subscribe(2, "a", "s"));
    world.answer_join("a", {World::kEpoch, 0});
  }
  /// Answering pings.
  void run(int for_s) {
    for (int i = 0; i < for_s && !world.heard(*client).closed; ++i) {
      world.run(*client, seconds(1));
      if (world.state(*client).pong_deadline != TimePoint{}) world.send(*client, pong());
    }
    std::erase_if(world.heard(*client).replies,
                  [](const Reply& reply) { return reply.ByteSizeLong() == 0; });
  }

  World world;
  ClientSession* client = nullptr;
};

TEST_F(CentrifugeRefresh, InTime) {
  run(50);
  connection("u", 100);
  world.send(*client, refresh(2, "u"));
  const Reply reply = world.next(*client);
  EXPECT_TRUE(reply.refresh().expires());
  EXPECT_EQ(reply.refresh().ttl(), 100U);
  EXPECT_EQ(reply.refresh().client(), uuid_of(client->state.id));
  run(120);
  EXPECT_FALSE(world.heard(*client).closed);
  run(6);
  EXPECT_EQ(world.heard(*client).closed, 3005);
}

TEST_F(CentrifugeRefresh, ForGood) {
  connection("u", 0);
  world.send(*client, refresh(2, "u"));
  EXPECT_FALSE(world.next(*client).refresh().expires());
  run(200);
  EXPECT_FALSE(world.heard(*client).closed);
}

TEST_F(CentrifugeRefresh, NotInTime) {
  run(84);
  EXPECT_FALSE(world.heard(*client).closed);
  run(2);
  EXPECT_EQ(world.heard(*client).closed, 3005);
}

TEST_F(CentrifugeRefresh, WrongTokens) {
  const std::vector<std::pair<std::string, int>> cases = {
      {"old", 3005}, {"past", 3005}, {"forged", 3500}, {"another's", 3500}, {"", 3501}};
  connection("past", -1);
  connection("another's", 60, "43");
  for (const auto& [token, code] : cases) {
    ClientSession& session = world.open();
    world.send(session, {connect(1, "t"), refresh(2, token)});
    EXPECT_EQ(world.heard(session).closed, code) << token;
  }
}

TEST_F(CentrifugeRefresh, TooMuchInfo) {
  connection("u", 60);
  world.tokens.connections["u"].info = std::string(kConnInfoBytesMax + 1, '1');
  world.send(*client, refresh(2, "u"));
  EXPECT_EQ(world.next(*client).error().code(), 106U);
}

TEST_F(CentrifugeRefresh, SubscriptionInTime) {
  subscribed(30);
  const Reply reply = world.next(*client);
  EXPECT_TRUE(reply.subscribe().expires());
  EXPECT_EQ(reply.subscribe().ttl(), 30U);
  run(20);
  subscription("u", 500, "[1]");
  connection("v", 0);
  world.send(*client, {sub_refresh(3, "a", "u"), refresh(4, "v")});
  EXPECT_EQ(world.next(*client).sub_refresh().ttl(), 500U);
  envelope::Client who;
  ASSERT_TRUE(who.ParseFromString(world.actions.present.begin()->second));
  EXPECT_EQ(who.chan_info(), "[1]");
  world.next(*client);
  run(300);
  EXPECT_TRUE(world.heard(*client).replies.empty());
}

TEST_F(CentrifugeRefresh, SubscriptionNotInTime) {
  subscribed(10);
  world.next(*client);
  run(34);
  EXPECT_TRUE(world.heard(*client).replies.empty());
  run(2);
  const Reply reply = world.next(*client);
  EXPECT_EQ(reply.push().channel(), "a");
  EXPECT_EQ(reply.push().unsubscribe().code(), 2501U);
  EXPECT_TRUE(world.actions.present.empty());
  EXPECT_FALSE(world.heard(*client).closed);
}

TEST_F(CentrifugeRefresh, SubscriptionWithoutNamingIt) {
  subscribed(10);
  world.next(*client);
  subscription("u", 100);
  world.send(*client, sub_refresh(3, "", "u"));
  EXPECT_EQ(world.next(*client).sub_refresh().ttl(), 100U);
}

TEST_F(CentrifugeRefresh, WrongSubscriptionTokens) {
  subscribed(60);
  world.next(*client);
  subscription("past", -1);
  subscription("big", 60, std::string(kChanInfoBytesMax + 1, '1'));
  subscription("good", 60);
  subscription("theirs", 60);
  world.tokens.subscriptions["theirs"].user = "43";
  const std::vector<std::tuple<std::string, std::string, unsigned>> cases = {
      {"a", "old", 109},    {"a", "forged", 103}, {"a", "past", 110}, {"a", "big", 106},
      {"a", "theirs", 103}, {"b", "good", 103},   {"a", "", 107}};
  for (const auto& [channel, token, code] : cases) {
    world.send(*client, sub_refresh(9, channel, token));
    EXPECT_EQ(world.next(*client).error().code(), code) << channel << " " << token;
  }
  world.send(*client, {unsubscribe(10, "a"), sub_refresh(11, "a", "good")});
  world.next(*client);
  EXPECT_EQ(world.next(*client).error().code(), 103U) << "not subscribed";
  world.tokens.keys = false;
  world.send(*client, sub_refresh(12, "a", "good"));
  EXPECT_EQ(world.next(*client).error().code(), 108U);
}

TEST_F(CentrifugeRefresh, FarAwayEndsDoNotOverflow) {
  connection("u", 0);
  world.tokens.connections["u"].expires_at = INT64_MAX - 1000;
  world.send(*client, refresh(2, "u"));
  EXPECT_EQ(world.next(*client).refresh().ttl(), UINT32_MAX);
  run(100);
  EXPECT_FALSE(world.heard(*client).closed);
}

}  // namespace
}  // namespace sluice::gateway::world
