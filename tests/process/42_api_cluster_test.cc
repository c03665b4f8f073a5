// The server API over two hosts: two relays, each with a gateway of its own, on one real Redis.
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "tests/process/support/api_host.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

class ApiCluster : public ::testing::Test {
 protected:
  ApiCluster() {
    // Each knows of the other's gateway.
    EXPECT_TRUE(eventually(10s, [this] {
      return one_.ask("info", Json::object())["result"]["nodes"].size() == 2 &&
             two_.ask("info", Json::object())["result"]["nodes"].size() == 2;
    }));
  }
  WsClient client_of(ApiHost& host, const std::string& channel) {
    WsClient client = WsClient::connect(host.gateway.endpoint(), "/channel/" + channel);
    host.gateway.wait_subscribed(channel);
    return client;
  }

  TempDir directory_;
  RedisServer redis_{directory_};
  std::string rules_ = directory_.write("rules.toml",
                                        "[connection]\nanonymous = true\n"
                                        "[channels]\nsubscribe = \"everyone\"\n"
                                        "history_size = 10\nhistory_ttl = \"1m\"\n"
                                        "presence_on = true\n"
                                        "[namespaces.chat]\nsubscribe = \"everyone\"\n");
  ApiHost one_{"one", redis_.url(), {"--rules", rules_}};
  ApiHost two_{"two", redis_.url(), {"--rules", rules_}};
};

TEST_F(ApiCluster, WhatIsPublishedOnOneHostIsHeardOnBoth) {
  WsClient here = client_of(one_, "news");
  WsClient there = client_of(two_, "news");
  const Json said = one_.ask("publish", {{"channel", "news"}, {"data", {{"a", 1}}}});
  EXPECT_EQ(said["result"]["offset"], 1) << said;
  EXPECT_EQ(here.text(), R"({"a":1})");
  EXPECT_EQ(there.text(), R"({"a":1})");
  const Json again = two_.ask("publish", {{"channel", "news"}, {"data", 2}});
  EXPECT_EQ(again["result"]["offset"], 2) << again;
  EXPECT_EQ(again["result"]["epoch"], said["result"]["epoch"]);
  EXPECT_EQ(here.text(), "2");
  EXPECT_EQ(there.text(), "2");
}

TEST_F(ApiCluster, HistoryIsTheSameOnEveryHostUntilItIsRemoved) {
  for (int i = 1; i <= 3; ++i)
    (void)one_.ask("publish", {{"channel", "news"}, {"data", i}, {"tags", {{"n", "x"}}}});
  const Json query = {{"channel", "news"}, {"limit", -1}};
  const Json here = one_.ask("history", query)["result"];
  EXPECT_EQ(here, two_.ask("history", query)["result"]);
  ASSERT_EQ(here["publications"].size(), 3U) << here;
  EXPECT_EQ(here["publications"][2]["data"], 3);
  EXPECT_EQ(here["publications"][2]["offset"], 3);
  EXPECT_EQ(here["publications"][2]["tags"]["n"], "x");
  const Json since = {
      {"channel", "news"}, {"limit", 10}, {"since", {{"offset", 1}, {"epoch", here["epoch"]}}}};
  EXPECT_EQ(two_.ask("history", since)["result"]["publications"].size(), 2U);
  EXPECT_EQ(two_.ask("history_remove", {{"channel", "news"}}), Json::parse(R"({"result":{}})"));
  const Json gone = one_.ask("history", query)["result"];
  EXPECT_TRUE(gone["publications"].empty());
  EXPECT_NE(gone["epoch"], here["epoch"]);
}

TEST_F(ApiCluster, SkipHistoryIsHeardAndNotKept) {
  WsClient client = client_of(two_, "news");
  (void)one_.ask("publish", {{"channel", "news"}, {"data", 1}, {"skip_history", true}});
  EXPECT_EQ(client.text(), "1");
  EXPECT_TRUE(
      one_.ask("history", {{"channel", "news"}, {"limit", -1}})["result"]["publications"].empty());
}

TEST_F(ApiCluster, ABroadcastAndABatch) {
  WsClient a = client_of(one_, "a");
  WsClient b = client_of(two_, "b");
  const Json said = one_.ask("broadcast", {{"channels", {"a", "b"}}, {"data", "x"}});
  EXPECT_EQ(said["result"]["responses"].size(), 2U) << said;
  EXPECT_EQ(a.text(), "\"x\"");
  EXPECT_EQ(b.text(), "\"x\"");
  const Json batch = one_.ask("batch", {{"commands",
                                         {{{"publish", {{"channel", "a"}, {"data", 1}}}},
                                          {{"publish", {{"channel", "b"}, {"data", 2}}}}}}});
  EXPECT_EQ(batch["replies"].size(), 2U) << batch;
  EXPECT_EQ(a.text(), "1");
  EXPECT_EQ(b.text(), "2");
}

TEST_F(ApiCluster, InfoCountsTheClientsOfBothHosts) {
  WsClient here = client_of(one_, "news");
  WsClient there = client_of(two_, "news");
  // Gateways tell once a second, relays every three.
  EXPECT_TRUE(eventually(15s, [this] {
    int clients = 0;
    const Json said = one_.ask("info");
    for (const Json& node : said["result"]["nodes"]) clients += node["num_clients"].get<int>();
    return clients == 2;
  })) << one_.ask("info", Json::object());
}

TEST_F(ApiCluster, ChannelsOfBothHosts) {
  WsClient a = client_of(one_, "chat:a");
  WsClient b = client_of(one_, "chat:b");
  WsClient c = client_of(two_, "chat:b");
  WsClient d = client_of(two_, "other");
  const Json said = one_.ask("channels", {{"pattern", "chat:*"}});
  EXPECT_EQ(said["result"]["channels"],
            Json::parse(R"({"chat:a":{"num_clients":1},"chat:b":{"num_clients":2}})"))
      << said;
  const Finished listed = two_.tool({"channels", "chat:*", "--json"});
  EXPECT_EQ(listed.status.code, 0) << listed.output;
  const Json json = Json::parse(listed.output);
  EXPECT_EQ(json["gateways"], 2);
  EXPECT_EQ(json["channels"].size(), 2U) << json;
}

TEST_F(ApiCluster, ANodeThatEndsIsForgottenAtOnce) {
  two_.relay.process().signal(SIGTERM);
  EXPECT_TRUE(eventually(
      5s, [this] { return one_.ask("info", Json::object())["result"]["nodes"].size() == 1; }));
}

TEST_F(ApiCluster, ARedisThatIsAwayIsAnErrorAndNoSilence) {
  redis_.kill();
  EXPECT_EQ(one_.ask("publish", {{"channel", "news"}, {"data", 1}})["error"]["code"], 100);
  EXPECT_EQ(one_.ask("history", {{"channel", "news"}})["error"]["code"], 100);
  EXPECT_EQ(one_.ask("disconnect", {{"user", "u"}})["error"]["code"], 100);
}

TEST_F(ApiCluster, TheToolShowsHistoryAndPresence) {
  (void)one_.ask("publish", {{"channel", "news"}, {"data", {{"a", 1}}}});
  const Finished history = two_.tool({"history", "news", "--json"});
  EXPECT_EQ(history.status.code, 0) << history.output;
  const Json json = Json::parse(history.output);
  ASSERT_EQ(json["publications"].size(), 1U) << json;
  EXPECT_EQ(json["publications"][0]["data"]["a"], 1);
  const Finished presence = two_.tool({"presence", "news", "--json"});
  EXPECT_EQ(presence.status.code, 0) << presence.output;
  EXPECT_EQ(Json::parse(presence.output)["num_clients"], 0);
  EXPECT_EQ(two_.tool({"disconnect", "--user", "nobody"}).status.code, 0);
  EXPECT_EQ(two_.tool({"disconnect"}).status.code, 2);
}

}  // namespace
}  // namespace sluice::test
