// Names in Redis and the way back.
#include "relay/brokers/redis_keys.h"

#include <gtest/gtest.h>

#include <set>

#include "proto/names.h"

namespace sluice::relay::test {
namespace {

TEST(RedisKeys, NamesOfTheTable) {
  EXPECT_EQ(redis_channel("news", false), "news");
  EXPECT_EQ(redis_channel("news", true), "sluice:{news}");
  EXPECT_EQ(redis_channel(proto::kControlChannel, false), "sluice:control");
  EXPECT_EQ(redis_channel(proto::kNodesChannel, false), "sluice:nodes");
  EXPECT_EQ(redis_channel(proto::members_channel("news"), false), "sluice:{news}:members");
  EXPECT_EQ(redis_channel(proto::reply_channel("n1"), false), "sluice:reply:n1");
  // An internal channel has no envelope, whatever is said.
  EXPECT_EQ(redis_channel(proto::kControlChannel, true), "sluice:control");
  EXPECT_EQ(history_keys("news")[0], "sluice:{news}:position");
  EXPECT_EQ(history_keys("news")[1], "sluice:{news}:stream");
  EXPECT_EQ(presence_keys("news")[0], "sluice:{news}:presence");
  EXPECT_EQ(presence_keys("news")[1], "sluice:{news}:presence-users");
  EXPECT_EQ(presence_keys("news")[2], "sluice:{news}:presence-expiry");
}

TEST(RedisKeys, EachWayBackAndNoTwoWithOneName) {
  std::set<std::string> names;
  std::string text;
  for (const std::string& channel :
       {std::string("news"), std::string("a}b"), std::string("}"), std::string("{"),
        std::string("a}:members"), std::string("sluice:control"), std::string("sluice:{news}"),
        std::string("sluice:raw:sluice:control"), std::string(proto::kPublicNameBytesMax, 'x')}) {
    for (const bool envelope : {false, true}) {
      const std::string name = redis_channel(channel, envelope);
      EXPECT_TRUE(names.insert(name).second) << name;
      EXPECT_LE(name.size(), kRedisNameBytesMax);
      const HeardChannel heard = heard_channel(name, text);
      EXPECT_EQ(heard.name, channel);
      EXPECT_EQ(heard.envelope, envelope) << name;
    }
    const std::string members = redis_channel(proto::members_channel(channel), false);
    EXPECT_TRUE(names.insert(members).second) << members;
    EXPECT_EQ(heard_channel(members, text).name, proto::members_channel(channel));
    const std::string reply = redis_channel(proto::reply_channel(channel), false);
    EXPECT_TRUE(names.insert(reply).second) << reply;
    EXPECT_EQ(heard_channel(reply, text).name, proto::reply_channel(channel));
  }
  EXPECT_EQ(heard_channel("sluice:control", text).name, proto::kControlChannel);
  EXPECT_EQ(heard_channel("sluice:nodes", text).name, proto::kNodesChannel);
}

TEST(RedisKeys, NamesThatAreNotOurs) {
  std::string text;
  for (const char* name : {"sluice:", "sluice:x", "sluice:{a", "sluice:{}", "sluice:{a}:stream",
                           "sluice:{a}x", "sluice:raw:a", "sluice:{}:members"}) {
    EXPECT_TRUE(heard_channel(name, text).name.empty()) << name;
  }
}

}  // namespace
}  // namespace sluice::relay::test
