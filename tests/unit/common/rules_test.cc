#include "common/rules/rules.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Rules parsed(std::string_view text) {
  auto rules = Rules::parse(text, "r.toml");
  EXPECT_TRUE(rules) << (rules ? "" : rules.error().message);
  return rules ? *rules : Rules();
}

TEST(Rules, NothingIsAllowedUnlessSaid) {
  const Rules empty = parsed("");
  EXPECT_EQ(empty.find("news"), nullptr);
  EXPECT_EQ(empty.find("chat:1"), nullptr);
  EXPECT_FALSE(empty.connection().anonymous);
  EXPECT_EQ(empty.connection().channels_max, 128U);
  EXPECT_FALSE(empty.is_open_access());

  const Rules one = parsed("[channels]\n");
  const ChannelRules* news = one.find("news");
  ASSERT_NE(news, nullptr);
  EXPECT_EQ(news->subscribe, Who::kNobody);
  EXPECT_EQ(news->publish, Who::kNobody);
  EXPECT_EQ(news->presence, Who::kNobody);
  EXPECT_EQ(news->history, Who::kNobody);
  EXPECT_EQ(news->history_size, 0U);
  EXPECT_EQ(news->recovery, Offer::kOff);
  EXPECT_FALSE(news->presence_on);
  EXPECT_FALSE(news->publish_rate.limited());
  EXPECT_TRUE(news->plain_clients);
  EXPECT_EQ(news->recover_max, 300U);
  EXPECT_EQ(one.find("chat:1"), nullptr);
}

TEST(Rules, EveryKeyIsRead) {
  const Rules rules = parsed(R"(
[connection]
anonymous = true
connect_hook = true
rpc_hook = true
disconnect_hook = true
refresh_hook = true
channels_max = 7
connections_per_user_max = 3
[namespaces.chat]
subscribe = "token"
publish = "subscribers"
presence = "users"
history = "everyone"
history_size = 100000
history_ttl = "720h"
recovery = "forced"
positioning = "on-demand"
join_leave = "forced"
presence_on = true
publisher_info = true
user_limited = true
subscribe_hook = true
publish_hook = true
plain_clients = false
message_bytes_max = "4KiB"
publish_rate = "2.5/s"
publish_burst = 9
recover_max = 10000
)");
  const ConnectionRules& c = rules.connection();
  EXPECT_TRUE(c.anonymous && c.connect_hook && c.rpc_hook && c.disconnect_hook && c.refresh_hook);
  EXPECT_EQ(c.channels_max, 7U);
  EXPECT_EQ(c.connections_per_user_max, 3U);
  const ChannelRules* chat = rules.find("chat:1");
  ASSERT_NE(chat, nullptr);
  EXPECT_EQ(chat->subscribe, Who::kToken);
  EXPECT_EQ(chat->publish, Who::kSubscribers);
  EXPECT_EQ(chat->presence, Who::kUsers);
  EXPECT_EQ(chat->history, Who::kEveryone);
  EXPECT_EQ(chat->history_size, 100'000U);
  EXPECT_EQ(chat->history_ttl, hours(720));
  EXPECT_EQ(chat->recovery, Offer::kForced);
  EXPECT_EQ(chat->positioning, Offer::kOnDemand);
  EXPECT_EQ(chat->join_leave, Offer::kForced);
  EXPECT_TRUE(chat->presence_on && chat->publisher_info && chat->user_limited);
  EXPECT_TRUE(chat->subscribe_hook && chat->publish_hook);
  EXPECT_FALSE(chat->plain_clients);
  EXPECT_EQ(chat->message_bytes_max, 4096U);
  EXPECT_EQ(chat->publish_rate.per_second, 2.5);
  EXPECT_EQ(chat->publish_rate.burst, 9);
  EXPECT_EQ(chat->recover_max, 10'000U);
}

TEST(Rules, WhatFollowsFromOtherKeys) {
  const Rules rules = parsed(
      "[channels]\npresence = 'users'\npublish_rate = '20/s'\n"
      "[namespaces.slow]\npublish_rate = '0.5/s'\n"
      "[namespaces.off]\npublish_rate = 'off'\npresence_on = true\n");
  EXPECT_TRUE(rules.find("a")->presence_on);
  EXPECT_EQ(rules.find("a")->publish_rate.burst, 20);
  EXPECT_EQ(rules.find("slow:a")->publish_rate.burst, 1);
  EXPECT_FALSE(rules.find("off:a")->publish_rate.limited());
  EXPECT_TRUE(rules.find("off:a")->presence_on);
  EXPECT_EQ(rules.find("off:a")->presence, Who::kNobody);
}

TEST(Rules, NamespaceOfAChannel) {
  const Rules rules = parsed(
      "[channels]\nrecover_max = 1\n[namespaces.chat]\nrecover_max = 2\n"
      "[namespaces.\"a.b-c_D9\"]\nrecover_max = 3\n");
  struct Case {
    const char* channel;
    std::uint32_t recover_max;  // 0: unknown
  };
  for (const Case& c : {Case{"news", 1},
                        {"$news", 1},
                        {"news#42", 1},
                        {"chat", 1},
                        {"chat:1", 2},
                        {"$chat:1", 2},
                        {"chat:1:2", 2},
                        {"chat:", 2},
                        {"chat:x#1,2", 2},
                        {"a.b-c_D9:x", 3},
                        {"$$chat:1", 0},
                        {"CHAT:1", 0},
                        {"other:1", 0},
                        {":1", 0},
                        {"$:1", 0},
                        {"#x:1", 0},
                        {"", 1}}) {
    const ChannelRules* found = rules.find(c.channel);
    EXPECT_EQ(found == nullptr ? 0 : found->recover_max, c.recover_max) << c.channel;
  }
  EXPECT_EQ(rules.namespaces(), 3U);
}

TEST(Rules, OpenAccess) {
  const Rules rules = Rules::open_access();
  EXPECT_TRUE(rules.is_open_access());
  EXPECT_TRUE(rules.connection().anonymous);
  for (const char* channel : {"news", "any:1", "$any:1", ":1", "x#7"}) {
    const ChannelRules* found = rules.find(channel);
    ASSERT_NE(found, nullptr) << channel;
    EXPECT_EQ(found->subscribe, Who::kEveryone);
    EXPECT_EQ(found->publish, Who::kEveryone);
    EXPECT_EQ(found->presence, Who::kEveryone);
    EXPECT_EQ(found->history, Who::kEveryone);
    EXPECT_EQ(found->history_size, 100U);
    EXPECT_EQ(found->history_ttl, minutes(10));
    EXPECT_EQ(found->recovery, Offer::kForced);
    EXPECT_NE(found->join_leave, Offer::kOff);
    EXPECT_TRUE(found->presence_on);
    EXPECT_FALSE(found->user_limited);
    EXPECT_TRUE(found->plain_clients);
  }
}

TEST(Rules, ChannelNames) {
  EXPECT_TRUE(is_private_channel("$a"));
  EXPECT_FALSE(is_private_channel("a$"));
  EXPECT_FALSE(is_private_channel(""));
  EXPECT_TRUE(is_user_limited("a#"));
  EXPECT_FALSE(is_user_limited("a"));
  struct Case {
    const char* channel;
    const char* user;
    bool listed;
  };
  for (const Case& c : {Case{"d#42,43", "42", true},
                        {"d#42,43", "43", true},
                        {"d#42,43", "4", false},
                        {"d#42,43", "42,43", false},
                        {"d#42,43", "", false},
                        {"d#", "", false},
                        {"d#,", "", false},
                        {"d#42,", "42", true},
                        {"d#,42", "42", true},
                        {"d", "d", false},
                        {"d", "", false},
                        {"d#1#2", "2", true},
                        {"d#1#2", "1", false},
                        {"#42", "42", true},
                        {"d#42:1", "42", false}}) {
    EXPECT_EQ(lists_user(c.channel, c.user), c.listed) << c.channel << " " << c.user;
  }
}

struct Wrong {
  const char* text;
  const char* message;  // its beginning
};

TEST(Rules, WhatIsWrongIsToldWithItsPlace) {
  for (const Wrong& c : {
           Wrong{"[channels]\nsubscribe = 'all'",
                 "r.toml:2: [channels] subscribe: write one of \"nobody\", \"token\", \"users\", "
                 "\"everyone\""},
           {"[channels]\nsubscribe = 'subscribers'", "r.toml:2: [channels] subscribe: write one"},
           {"[channels]\npublish = 'token'", "r.toml:2: [channels] publish: write one of"},
           {"[channels]\n\nsubscribe = true", "r.toml:3: [channels] subscribe: write one of"},
           {"[channels]\nhistroy_size = 1", "r.toml:2: [channels] unknown key 'histroy_size'"},
           {"[channels]\nhistory_size = 100001\nhistory_ttl='1m'",
            "r.toml:2: [channels] history_size: write a whole number from 0 to 100000"},
           {"[channels]\nhistory_size = -1", "r.toml:2: [channels] history_size: write a whole"},
           {"[channels]\nhistory_size = '5'", "r.toml:2: [channels] history_size: write a whole"},
           {"[channels]\nhistory_size = 5.0", "r.toml:2: [channels] history_size: write a whole"},
           {"[channels]\nhistory_size = 5", "r.toml:2: [channels] history_size: needs history_ttl"},
           {"[channels]\nhistory_ttl = '1m'",
            "r.toml:2: [channels] history_ttl: needs history_size"},
           {"[channels]\nhistory_size = 5\nhistory_ttl = '721h'",
            "r.toml:3: [channels] history_ttl: '721h' is not between 1s and 720h"},
           {"[channels]\nhistory_size = 5\nhistory_ttl = '10ms'",
            "r.toml:3: [channels] history_ttl: '10ms' is not between"},
           {"[channels]\nhistory_size = 5\nhistory_ttl = 60",
            "r.toml:3: [channels] history_ttl: write a string such as \"10m\""},
           {"[channels]\nhistory_size = 5\nhistory_ttl = '60'",
            "r.toml:3: [channels] history_ttl: '60' is not a duration with a unit"},
           {"[channels]\nhistory = 'users'",
            "r.toml:2: [channels] history: needs history_size: there is nothing to read"},
           {"[channels]\npresence = 'users'\npresence_on = false",
            "r.toml:2: [channels] presence: needs presence_on = true"},
           {"[channels]\nrecovery = true", "r.toml:2: [channels] recovery: write one of \"off\", "},
           {"[channels]\nrecover_max = 0",
            "r.toml:2: [channels] recover_max: write a whole number "},
           {"[channels]\njoin_leave = 'on'", "r.toml:2: [channels] join_leave: write one of"},
           {"[channels]\npublisher_info = 'true'",
            "r.toml:2: [channels] publisher_info: write true or false"},
           {"[channels]\nmessage_bytes_max = '17MiB'",
            "r.toml:2: [channels] message_bytes_max: '17MiB' is not between 1B and 16777216B"},
           {"[channels]\nmessage_bytes_max = 100",
            "r.toml:2: [channels] message_bytes_max: write a string such as \"4KiB\""},
           {"[channels]\npublish_rate = '5'", "r.toml:2: [channels] publish_rate: '5' is not a"},
           {"[channels]\npublish_burst = 5",
            "r.toml:2: [channels] publish_burst: needs publish_rate"},
           {"[channels]\nsubscribe_hook = true",
            "r.toml:2: [channels] subscribe_hook: is never asked"},
           {"[channels]\npublish_hook = true", "r.toml:2: [channels] publish_hook: is never asked"},
           {"[connection]\nrefresh_hook = true",
            "r.toml:2: [connection] refresh_hook: needs connect_hook"},
           {"[connection]\nchannels_max = 0", "r.toml:2: [connection] channels_max: write a whole"},
           {"[connection]\nsubscribe = 'users'",
            "r.toml:2: [connection] unknown key 'subscribe'; there are anonymous, connect_hook"},
           {"[chanels]\n", "r.toml:1: 'chanels' is no table of rules; there are [connection]"},
           {"channels = 1", "r.toml:1: 'channels' is no table of rules"},
           {"anonymous = true", "r.toml:1: 'anonymous' is no table of rules"},
           {"[[channels]]\n", "r.toml:1: 'channels' is no table of rules"},
           {"[namespaces]\nchat = 1", "r.toml:2: [namespaces] 'chat': write [namespaces.chat]"},
           {"[namespaces.'a b']\n", "r.toml:1: [namespaces] 'a b' is no name of a namespace"},
           {"[namespaces.'']\n", "r.toml:1: [namespaces] '' is no name of a namespace"},
           {"[namespaces.'a:b']\n", "r.toml:1: [namespaces] 'a:b' is no name of a namespace"},
           {"[namespaces.'$a']\n", "r.toml:1: [namespaces] '$a' is no name of a namespace"},
           {"[namespaces.chat]\nfoo = 1", "r.toml:2: [namespaces.chat] unknown key 'foo'"},
           {"[channels]\nsubscribe = 'users'\nsubscribe = 'users'", "r.toml:3: "},
           {"[channels]\n[channels]\n", "r.toml:2: "},
           {"[channels\n", "r.toml:1: "},
           {"\xff", "r.toml:1: "},
       }) {
    const auto rules = Rules::parse(c.text, "r.toml");
    ASSERT_FALSE(rules) << c.text;
    EXPECT_EQ(rules.error().message.substr(0, std::string_view(c.message).size()), c.message);
    EXPECT_EQ(rules.error().message.find('\n'), std::string::npos) << rules.error().message;
  }
}

TEST(Rules, AnErrorIsOneLineWhateverStandsInTheFile) {
  const auto rules = Rules::parse("[namespaces.\"a\\nb\\u0007\"]\n", "r.toml");
  ASSERT_FALSE(rules);
  EXPECT_EQ(rules.error().message.find_first_of("\n\a"), std::string::npos);
}

TEST(Rules, Bounds) {
  std::string many;
  for (std::size_t i = 0; i < kNamespacesMax; ++i)
    many += "[namespaces.n" + std::to_string(i) + "]\n";
  EXPECT_TRUE(Rules::parse(many, "r.toml"));
  const auto more = Rules::parse(many + "[namespaces.more]\n", "r.toml");
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().message.find("at most 1000"), std::string::npos);
  EXPECT_FALSE(Rules::parse(std::string(kRulesBytesMax + 1, '\n'), "r.toml"));
  EXPECT_TRUE(Rules::parse("[namespaces." + std::string(64, 'a') + "]\n", "r.toml"));
  EXPECT_FALSE(Rules::parse("[namespaces." + std::string(65, 'a') + "]\n", "r.toml"));
  // Nesting that would use up a stack.
  EXPECT_FALSE(Rules::parse("a = " + std::string(100'000, '['), "r.toml"));
}

TEST(Rules, FilesThatCannotBeRead) {
  const auto missing = Rules::read("/nonexistent/rules.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "/nonexistent/rules.toml: No such file or directory");
  EXPECT_FALSE(Rules::read("/"));
}

TEST(Rules, TheExampleIsRight) {
  const auto rules = Rules::read(SLUICE_SOURCE_DIR "/docs/rules.example.toml");
  ASSERT_TRUE(rules) << rules.error().message;
  EXPECT_EQ(rules->namespaces(), 4U);
  const ChannelRules* chat = rules->find("chat:lobby");
  ASSERT_NE(chat, nullptr);
  EXPECT_EQ(chat->history_ttl, minutes(10));
  EXPECT_EQ(chat->publish_rate.burst, 10);
}

TEST(RulesStore, HoldsTheRulesInForce) {
  RulesStore store(parsed("[channels]\n"));
  EXPECT_NE(store.now().find("a"), nullptr);
  store.replace(parsed(""));
  EXPECT_EQ(store.now().find("a"), nullptr);
}

}  // namespace
}  // namespace sluice
