#include "relay/api/api_service.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proto/names.h"
#include "relay/api/answers.h"
#include "tests/unit/relay/api_fakes.h"

namespace sluice::relay::api {
namespace {

using Json = nlohmann::json;

Rules some_rules() {
  ChannelRules all;
  all.history_size = 10;
  all.presence_on = true;
  return Rules::of({}, {{"", all}, {"bare", ChannelRules{}}});
}

class ApiServiceTest : public ::testing::Test {
 protected:
  /// What was answered, as it is sent; null: nothing yet.
  Json call(ApiMethod method, const std::string& params) {
    Json said;
    service_.call(method, params, [&said, method](const ApiReply& reply) {
      said = Json::parse(reply_json(method, reply));
    });
    return said;
  }
  Json call(const std::string& method, const std::string& params) {
    return call(*method_named(method), params);
  }
  int error(const std::string& method, const std::string& params) {
    const Json said = call(method, params);
    return said.contains("error") ? said["error"]["code"].get<int>() : 0;
  }
  const test::FakeRequests::Publish& sent() const { return requests_.publishes.back(); }

  ManualTime time_;
  SeededRandom random_{1};
  test::FakeRequests requests_;
  Cluster cluster_{requests_, time_, random_, [] {
                     envelope::NodeInfo info;
                     info.set_uid("me");
                     info.set_name("here");
                     auto& gateway = *info.add_gateways();
                     gateway.set_id("1111");
                     gateway.set_clients(3);
                     gateway.set_users(2);
                     gateway.set_subscriptions(5);
                     info.set_channels(4);
                     return info;
                   }};
  RulesStore rules_{some_rules()};
  ApiService service_{requests_, cluster_, &rules_, time_, [] { return 1234; }};
};

// ---- publish, broadcast

TEST_F(ApiServiceTest, PublishesWhatWasWritten) {
  requests_.published.position = {0xab, 7};
  EXPECT_EQ(call("publish",
                 R"({"channel":"a","data": {"x" : 10000000000000000000001} ,"skip_history":true})"),
            Json::parse(R"({"result":{"offset":7,"epoch":"00000000000000ab"}})"));
  EXPECT_EQ(sent().channel, "a");
  EXPECT_EQ(sent().payload, R"({"x" : 10000000000000000000001})");
  EXPECT_TRUE(sent().skip_history);
  EXPECT_EQ(sent().wait, kPublishWait);
}

TEST_F(ApiServiceTest, PublishesBytesAndTags) {
  EXPECT_EQ(call("publish", R"({"channel":"a","b64data":"AAEC","tags":{"k":"v"},"delta":true})"),
            Json::parse(R"({"result":{}})"));
  EXPECT_EQ(sent().payload, std::string("\0\1\2", 3));
  EXPECT_FALSE(sent().skip_history);
  envelope::MessageMeta meta;
  ASSERT_TRUE(meta.ParseFromString(sent().meta));
  EXPECT_EQ(meta.tags().at("k"), "v");
  EXPECT_EQ(meta.time_ms(), 1234);
  EXPECT_FALSE(meta.has_publisher());
}

TEST_F(ApiServiceTest, WhereNoEnvelopeIsThereIsNoMetaAndTagsAreRefused) {
  EXPECT_EQ(error("publish", R"({"channel":"bare:a","data":1})"), 0);
  EXPECT_EQ(sent().meta, "");
  EXPECT_EQ(error("publish", R"({"channel":"bare:a","data":1,"tags":{"k":"v"}})"), 108);
}

TEST_F(ApiServiceTest, PublishIsRefused) {
  const std::vector<std::pair<const char*, int>> cases = {
      {R"({"data":1})", 107},
      {R"({"channel":"","data":1})", 107},
      {R"({"channel":5,"data":1})", 107},
      {R"({"channel":"a"})", 107},
      {R"({"channel":"a","data":null})", 107},
      {R"({"channel":"a","data":1,"b64data":"AA=="})", 107},
      {R"({"channel":"a","b64data":"A"})", 107},
      {R"({"channel":"a","data":1,"skip_history":1})", 107},
      {R"({"channel":"a","data":1,"delta":"x"})", 107},
      {R"({"channel":"a","data":1,"tags":[]})", 107},
      {R"({"channel":"a","data":1,"tags":{"a":1}})", 107},
      {R"({"channel":"a","data":1,"version":3})", 107},
      {R"({"channel":"a","data":1,"version_epoch":"x"})", 107},
      {R"({"channel":"a","data":1,"idempotency_key":1})", 107},
      {R"({"channel":"sluice:a","data":1})", 107},
      {R"({"channel":"\u0001control","data":1})", 107},
      {R"({"channel":"a\u0000","data":1})", 107},
      {R"({"channel":"nowhere:a","data":1})", 102},
      {"[]", 107},
      {"{", 107},
  };
  for (const auto& [params, code] : cases) EXPECT_EQ(error("publish", params), code) << params;
  EXPECT_EQ(error("publish", R"({"channel":")" + std::string(256, 'a') + R"(","data":1})"), 107);
  EXPECT_EQ(error("publish", R"({"channel":"a","data":1,"tags":{"k":")" +
                                 std::string(proto::kMetaBytesMax, 'a') + R"("}})"),
            107);
  EXPECT_TRUE(requests_.publishes.empty());
  EXPECT_EQ(error("publish", ""), 107);
}

TEST_F(ApiServiceTest, AFailedPublishIsToldAsWhatItIs) {
  const auto failed_with = [this](proto::ErrorReason reason) {
    requests_.published.error = reason;
    return error("publish", R"({"channel":"a","data":1})");
  };
  EXPECT_EQ(failed_with(proto::ErrorReason::kTimedOut), 100);
  EXPECT_EQ(failed_with(proto::ErrorReason::kUnknownFate), 100);
  EXPECT_EQ(failed_with(proto::ErrorReason::kQueueFull), 111);
  EXPECT_EQ(failed_with(proto::ErrorReason::kTooLarge), 107);
  EXPECT_EQ(service_.stats(ApiMethod::kPublish).failed, 4U);
  EXPECT_EQ(service_.stats(ApiMethod::kPublish).succeeded, 0U);
}

TEST_F(ApiServiceTest, AKeyPublishesOnce) {
  requests_.published.position = {1, 1};
  const std::string params = R"({"channel":"a","data":1,"idempotency_key":"k"})";
  const Json first = call("publish", params);
  requests_.published.position = {1, 2};
  EXPECT_EQ(call("publish", params), first);
  EXPECT_EQ(requests_.publishes.size(), 1U);
  EXPECT_NE(call("publish", R"({"channel":"b","data":1,"idempotency_key":"k"})"), first);
}

TEST_F(ApiServiceTest, WithoutRulesEveryChannelIsPublishedOnAndNoneHasMore) {
  ApiService bare(requests_, cluster_, nullptr, time_, [] { return 0; });
  const auto code = [&](ApiMethod method, const char* params) {
    auto number = ErrorNumber::kUnauthorized;
    bare.call(method, params, [&](const ApiReply& reply) { number = reply.error.number; });
    return number;
  };
  EXPECT_EQ(code(ApiMethod::kPublish, R"({"channel":"x:y","data":1})"), ErrorNumber::kNone);
  EXPECT_EQ(code(ApiMethod::kHistory, R"({"channel":"x:y"})"), ErrorNumber::kNotAvailable);
  EXPECT_EQ(code(ApiMethod::kPresence, R"({"channel":"x:y"})"), ErrorNumber::kNotAvailable);
}

TEST_F(ApiServiceTest, BroadcastAnswersForEachChannelInOrder) {
  requests_.at_once = false;
  Json said;
  service_.call(
      ApiMethod::kBroadcast, R"({"channels":["a","nowhere:x","b"],"data":1})",
      [&](const ApiReply& reply) { said = Json::parse(reply_json(ApiMethod::kBroadcast, reply)); });
  ASSERT_EQ(requests_.publishes.size(), 2U);
  requests_.publishes[1].done({.error = {}, .position = {1, 2}});
  EXPECT_TRUE(said.is_null());
  requests_.publishes[0].done({.error = {}, .position = {1, 1}});
  ASSERT_EQ(said["result"]["responses"].size(), 3U);
  EXPECT_EQ(said["result"]["responses"][0]["result"]["offset"], 1);
  EXPECT_EQ(said["result"]["responses"][1]["error"]["code"], 102);
  EXPECT_EQ(said["result"]["responses"][2]["result"]["offset"], 2);
}

TEST_F(ApiServiceTest, BroadcastIsRefused) {
  for (const char* params :
       {R"({"data":1})", R"({"channels":[],"data":1})", R"({"channels":"a","data":1})",
        R"({"channels":["a",1],"data":1})", R"({"channels":["a"]})"}) {
    EXPECT_EQ(error("broadcast", params), 107) << params;
  }
  std::string many = R"({"data":1,"channels":["a")";
  for (std::size_t i = 0; i < kBroadcastChannelsMax; ++i) many += ",\"a\"";
  EXPECT_EQ(error("broadcast", many + "]}"), 107);
}

// ---- clients

TEST_F(ApiServiceTest, DisconnectReachesEveryGateway) {
  EXPECT_EQ(call("disconnect", R"({"user":"42","whitelist":["c1","c2"]})"),
            Json::parse(R"({"result":{}})"));
  EXPECT_EQ(sent().channel, proto::kControlChannel);
  auto disconnect = requests_.last_command().disconnect();
  EXPECT_TRUE(disconnect.who().has_user());
  EXPECT_EQ(disconnect.who().user(), "42");
  EXPECT_EQ(disconnect.who().except_size(), 2);
  EXPECT_EQ(disconnect.code(), 3503U);
  EXPECT_EQ(disconnect.reason(), "force disconnect");
  EXPECT_EQ(
      error("disconnect", R"({"user":"","client":"c","disconnect":{"code":4001,"reason":"x"}})"),
      0);
  disconnect = requests_.last_command().disconnect();
  EXPECT_FALSE(disconnect.who().has_user()) << "an empty user is an absent one";
  EXPECT_EQ(disconnect.who().client(), "c");
  EXPECT_EQ(disconnect.code(), 4001U);
  EXPECT_EQ(disconnect.reason(), "x");
}

TEST_F(ApiServiceTest, SubscribeTellsAllThatWasAsked) {
  EXPECT_EQ(error("subscribe",
                  R"({"user":"u","channel":"a","info":{"n":1},"b64data":"eA==","expire_at":99,
                      "recover_since":{"offset":5,"epoch":"00000000000000ab"},
                      "override":{"presence":{"value":true},"force_recovery":{"value":false}}})"),
            0);
  const auto subscribe = requests_.last_command().subscribe();
  EXPECT_EQ(subscribe.channel(), "a");
  EXPECT_EQ(subscribe.info(), R"({"n":1})");
  EXPECT_EQ(subscribe.data(), "x");
  EXPECT_EQ(subscribe.expire_at(), 99);
  EXPECT_TRUE(subscribe.recover());
  EXPECT_EQ(subscribe.since_offset(), 5U);
  EXPECT_EQ(subscribe.since_epoch(), 0xabU);
  EXPECT_EQ(subscribe.presence(), 1);
  EXPECT_EQ(subscribe.recovery(), 0);
  EXPECT_EQ(subscribe.join_leave(), -1);
  EXPECT_EQ(subscribe.positioning(), -1);
}

TEST_F(ApiServiceTest, UnsubscribeAndRefresh) {
  EXPECT_EQ(error("unsubscribe", R"({"user":"u","channel":"a"})"), 0);
  EXPECT_EQ(requests_.last_command().unsubscribe().code(), 2000U);
  EXPECT_EQ(error("refresh", R"({"client":"c","expired":true,"expire_at":7,"info":[1]})"), 0);
  const auto refresh = requests_.last_command().refresh();
  EXPECT_TRUE(refresh.expired());
  EXPECT_EQ(refresh.expire_at(), 7);
  EXPECT_EQ(refresh.info(), "[1]");
}

TEST_F(ApiServiceTest, CommandsAreRefused) {
  const std::vector<std::tuple<const char*, const char*, int>> cases = {
      {"disconnect", "{}", 107},
      {"disconnect", R"({"user":5})", 107},
      {"disconnect", R"({"user":"u","session":"s"})", 107},
      {"disconnect", R"({"user":"u","disconnect":{"code":1000}})", 107},
      {"disconnect", R"({"user":"u","disconnect":[]})", 107},
      {"disconnect", R"({"user":"u","whitelist":"c"})", 107},
      {"subscribe", R"({"user":"u"})", 107},
      {"subscribe", R"({"channel":"a"})", 107},
      {"subscribe", R"({"user":"u","channel":"nowhere:a"})", 102},
      {"subscribe", R"({"user":"u","channel":"a","expire_at":-1})", 107},
      {"subscribe", R"({"user":"u","channel":"a","override":{"presence":true}})", 107},
      {"subscribe", R"({"user":"u","channel":"a","override":{"presence":{"value":1}}})", 107},
      {"subscribe", R"({"user":"u","channel":"a","recover_since":{"offset":-1}})", 107},
      {"unsubscribe", R"({"user":"u"})", 107},
      {"unsubscribe", R"({"channel":"a"})", 107},
      {"unsubscribe", R"({"user":"u","channel":"nowhere:a"})", 102},
      {"refresh", "{}", 107},
      {"refresh", R"({"user":"u","expired":"yes"})", 107},
  };
  for (const auto& [method, params, code] : cases)
    EXPECT_EQ(error(method, params), code) << method << params;
  const std::string reason(kReasonBytesMax + 1, 'x');
  EXPECT_EQ(error("disconnect",
                  R"({"user":"u","disconnect":{"code":3000,"reason":")" + reason + R"("}})"),
            107);
  EXPECT_TRUE(requests_.publishes.empty());
}

// ---- what channels hold

TEST_F(ApiServiceTest, Presence) {
  envelope::Client client;
  client.set_user("u");
  client.set_client("other");
  client.set_conn_info(R"({"name": "x"})");
  client.set_chan_info("no json");
  requests_.presence_answer.clients = 2;
  requests_.presence_answer.users = 1;
  requests_.presence_answer.entries = {{"c\"1", "u", client.SerializeAsString()},
                                       {"c2", "u", "\xff\xff"}};
  EXPECT_EQ(call("presence", R"({"channel":"a"})"), Json::parse(R"({"result":{"presence":{
      "c\"1":{"user":"u","client":"c\"1","conn_info":{"name":"x"},"b64chan_info":"bm8ganNvbg=="},
      "c2":{"user":"u","client":"c2"}}}})"));
  EXPECT_FALSE(requests_.asked.back().counts_only);
  EXPECT_EQ(call("presence_stats", R"({"channel":"a"})"),
            Json::parse(R"({"result":{"num_clients":2,"num_users":1}})"));
  EXPECT_TRUE(requests_.asked.back().counts_only);
}

TEST_F(ApiServiceTest, History) {
  envelope::MessageMeta meta;
  meta.mutable_publisher()->set_user("u");
  meta.mutable_publisher()->set_client("c");
  (*meta.mutable_tags())["k"] = "v";
  meta.set_time_ms(5);
  requests_.history_answer.top = {0xcd, 9};
  requests_.history_answer.publications = {{8, R"({"a":1})", meta.SerializeAsString()},
                                           {9, "raw", ""}};
  EXPECT_EQ(
      call(
          "history",
          R"({"channel":"a","limit":5,"since":{"offset":7,"epoch":"00000000000000cd"},"reverse":true})"),
      Json::parse(R"({"result":{"publications":[
      {"data":{"a":1},"info":{"user":"u","client":"c"},"tags":{"k":"v"},"time":5,"offset":8},
      {"b64data":"cmF3","offset":9}],"epoch":"00000000000000cd","offset":9}})"));
  const proto::HistoryQuery expected{
      .since = proto::Position{0xcd, 7}, .limit = 5, .reverse = true};
  EXPECT_EQ(requests_.asked.back().query, expected);
}

TEST_F(ApiServiceTest, HistoryLimits) {
  const auto limit_of = [this](const char* params) {
    EXPECT_EQ(error("history", params), 0) << params;
    return requests_.asked.back().query.limit;
  };
  EXPECT_EQ(limit_of(R"({"channel":"a"})"), 0U) << "the position alone";
  EXPECT_EQ(limit_of(R"({"channel":"a","limit":-1})"), kHistoryPublicationsMax);
  EXPECT_EQ(limit_of(R"({"channel":"a","limit":2000000})"), kHistoryPublicationsMax);
  EXPECT_EQ(error("history", R"({"channel":"a","limit":-2})"), 107);
  EXPECT_EQ(error("history", R"({"channel":"a","since":5})"), 107);
  EXPECT_EQ(error("history", R"({"channel":"a","since":{"offset":1,"epoch":"other"}})"), 0);
  EXPECT_EQ(requests_.asked.back().query.since, (proto::Position{~std::uint64_t{0}, 1}));
  requests_.history_answer.top = {7, 3};
  EXPECT_EQ(error("history", R"({"channel":"a","since":{"offset":1}})"), 0);
  EXPECT_EQ(requests_.asked.back().query.since, (proto::Position{7, 1}))
      << "the epoch that there is";
}

TEST_F(ApiServiceTest, AnAnswerOfHistoryIsBounded) {
  requests_.history_answer.publications.assign(
      5, {1, "\"" + std::string(kHistoryBytesMax / 3, 'x') + "\"", ""});
  EXPECT_EQ(call("history", R"({"channel":"a","limit":-1})")["result"]["publications"].size(), 2U);
}

TEST_F(ApiServiceTest, AnEmptyHistoryHasNoEpoch) {
  EXPECT_EQ(call("history", R"({"channel":"a"})"),
            Json::parse(R"({"result":{"publications":[],"epoch":"","offset":0}})"));
}

TEST_F(ApiServiceTest, WhatAChannelDoesNotHaveIsNotAvailable) {
  for (const char* method : {"presence", "presence_stats", "history", "history_remove"}) {
    EXPECT_EQ(error(method, R"({"channel":"bare:a"})"), 108) << method;
    EXPECT_EQ(error(method, R"({"channel":"nowhere:a"})"), 102) << method;
    EXPECT_EQ(error(method, "{}"), 107) << method;
    EXPECT_EQ(error(method, R"({"channel":"sluice:a"})"), 107) << method;
  }
  EXPECT_TRUE(requests_.asked.empty());
}

TEST_F(ApiServiceTest, TheBrokersTroubleIsAnInternalError) {
  requests_.history_answer.error = "away";
  requests_.presence_answer.error = "away";
  for (const char* method : {"presence", "presence_stats", "history", "history_remove"})
    EXPECT_EQ(error(method, R"({"channel":"a"})"), 100) << method;
}

TEST_F(ApiServiceTest, HistoryRemove) {
  EXPECT_EQ(call("history_remove", R"({"channel":"a"})"), Json::parse(R"({"result":{}})"));
  EXPECT_EQ(requests_.asked.back().what, "remove");
}

// ---- the cluster

TEST_F(ApiServiceTest, Info) {
  EXPECT_EQ(call("info", ""), Json::parse(R"({"result":{"nodes":[{"uid":"me","name":"here",
      "version":"","num_clients":3,"num_users":2,"num_channels":4,"num_subs":5,"uptime":0}]}})"));
}

TEST_F(ApiServiceTest, Channels) {
  cluster_.listen();
  Json said;
  service_.call(ApiMethod::kChannels, R"({"pattern":"a*"})", [&](const ApiReply& reply) {
    said = Json::parse(reply_json(ApiMethod::kChannels, reply));
  });
  envelope::SurveyReply reply;
  reply.set_id(requests_.last_command().survey().id());
  (*reply.mutable_channels())["a1"] = 2;
  requests_.hear(proto::reply_channel("me"), reply);
  time_.advance(kSurveyWait);
  cluster_.tick();
  EXPECT_EQ(said, Json::parse(R"({"result":{"channels":{"a1":{"num_clients":2}}}})"));
  EXPECT_EQ(error("channels", R"({"pattern":5})"), 107);
}

// ---- batch

TEST_F(ApiServiceTest, BatchRunsOneAfterTheOther) {
  requests_.at_once = false;
  Json said;
  service_.call(
      ApiMethod::kBatch, R"({"commands":[{"publish":{"channel":"a","data":1}},
      {"publish":{"channel":"a"}},{"publish":{"channel":"b","data":2}},{"info":{}}]})",
      [&](const ApiReply& reply) { said = Json::parse(reply_json(ApiMethod::kBatch, reply)); });
  ASSERT_EQ(requests_.publishes.size(), 1U) << "the next waits for its answer";
  requests_.publishes[0].done({.error = {}, .position = {1, 1}});
  ASSERT_EQ(requests_.publishes.size(), 2U);
  EXPECT_TRUE(said.is_null());
  requests_.publishes[1].done({.error = {}, .position = {1, 2}});
  ASSERT_EQ(said["replies"].size(), 4U);
  EXPECT_EQ(said["replies"][0]["publish"]["offset"], 1);
  EXPECT_EQ(said["replies"][1]["error"]["code"], 107);
  EXPECT_EQ(said["replies"][2]["publish"]["offset"], 2);
  EXPECT_TRUE(said["replies"][3]["info"].contains("nodes"));
}

TEST_F(ApiServiceTest, AParallelBatchAsksAllAtOnce) {
  requests_.at_once = false;
  Json said;
  service_.call(
      ApiMethod::kBatch, R"({"parallel":true,"commands":[
      {"publish":{"channel":"a","data":1}},{"publish":{"channel":"b","data":2}}]})",
      [&](const ApiReply& reply) { said = Json::parse(reply_json(ApiMethod::kBatch, reply)); });
  ASSERT_EQ(requests_.publishes.size(), 2U);
  requests_.publishes[1].done({.error = {}, .position = {1, 2}});
  requests_.publishes[0].done({.error = {}, .position = {1, 1}});
  ASSERT_EQ(said["replies"].size(), 2U);
  EXPECT_EQ(said["replies"][0]["publish"]["offset"], 1);
}

TEST_F(ApiServiceTest, ALongBatchThatEndsAtOnceDoesNotNeedTheStack) {
  std::string commands = R"({"info":{}})";
  for (std::size_t i = 1; i < kBatchCommandsMax; ++i) commands += R"(,{"info":{}})";
  EXPECT_EQ(call("batch", R"({"commands":[)" + commands + "]}")["replies"].size(),
            kBatchCommandsMax);
  EXPECT_EQ(service_.stats(ApiMethod::kInfo).succeeded, kBatchCommandsMax);
  EXPECT_EQ(service_.stats(ApiMethod::kBatch).succeeded, 1U);
}

TEST_F(ApiServiceTest, BatchAnswersAreBounded) {
  requests_.history_answer.publications.assign(
      1, {1, "\"" + std::string(kHistoryBytesMax - 100, 'x') + "\"", ""});
  const std::string one = R"({"history":{"channel":"a","limit":1}})";
  const Json said = call("batch", R"({"commands":[)" + one + "," + one + "," + one + "]}");
  EXPECT_TRUE(said["replies"][1].contains("history"));
  EXPECT_EQ(said["replies"][2]["error"]["code"], 111);
}

TEST_F(ApiServiceTest, BatchIsRefused) {
  EXPECT_EQ(call("batch", R"({"commands":[]})"), Json::parse(R"({"replies":[]})"));
  EXPECT_EQ(error("batch", "{}"), 107);
  EXPECT_EQ(error("batch", R"({"commands":{}})"), 107);
  EXPECT_EQ(error("batch", R"({"commands":[],"parallel":1})"), 107);
  std::string many = R"({"info":{}})";
  for (std::size_t i = 0; i < kBatchCommandsMax; ++i) many += R"(,{"info":{}})";
  EXPECT_EQ(error("batch", R"({"commands":[)" + many + "]}"), 107);
  const Json said = call(
      "batch",
      R"({"commands":[1,{},{"batch":{"commands":[]}},{"nope":{}},{"info":{},"channels":{}},{"publish":5}]})");
  const std::vector<int> codes = {107, 107, 107, 104, 107, 107};
  for (std::size_t i = 0; i < codes.size(); ++i)
    EXPECT_EQ(said["replies"][i]["error"]["code"], codes[i]) << i;
}

}  // namespace
}  // namespace sluice::relay::api
