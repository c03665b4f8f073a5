// What the application is asked, and what it may answer.
#include "gateway/protocols/centrifuge_hook_bodies.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sluice::gateway {
namespace {

using Kind = HookWord::Kind;

constexpr HookSubject kSubject{
    .client = "c-1", .protocol = "protobuf", .user = "42", .meta = R"({"m":1})"};

TEST(HookBodies, WhatIsAsked) {
  centrifuge::SubscribeRequest subscribe;
  subscribe.set_channel("a\"b");
  subscribe.set_data("[1]");
  EXPECT_EQ(nlohmann::json::parse(subscribe_body(kSubject, subscribe)),
            nlohmann::json({{"client", "c-1"},
                            {"transport", "websocket"},
                            {"protocol", "protobuf"},
                            {"encoding", "json"},
                            {"user", "42"},
                            {"channel", "a\"b"},
                            {"data", nlohmann::json::array({1})},
                            {"meta", {{"m", 1}}}}));
  centrifuge::ConnectRequest connect;
  (*connect.mutable_subs())["y"] = {};
  (*connect.mutable_subs())["x"] = {};
  connect.set_version("1.0");
  const nlohmann::json asked = nlohmann::json::parse(connect_body(kSubject, connect));
  EXPECT_EQ(asked["channels"], nlohmann::json({"x", "y"}));
  EXPECT_EQ(asked["version"], "1.0");
  EXPECT_FALSE(asked.contains("user"));
  EXPECT_EQ(nlohmann::json::parse(refresh_body(kSubject))["user"], "42");
  EXPECT_EQ(nlohmann::json::parse(disconnected_body(kSubject))["client"], "c-1");
}

TEST(HookBodies, WhatIsNoJsonGoesAsBase64) {
  centrifuge::PublishRequest publish;
  publish.set_data("{\"a\":");
  const nlohmann::json asked = nlohmann::json::parse(publish_body(kSubject, publish));
  EXPECT_EQ(asked["encoding"], "binary");
  EXPECT_EQ(asked["b64data"], "eyJhIjo=");
  EXPECT_FALSE(asked.contains("data"));
}

TEST(HookBodies, ConnectAnswer) {
  HookConnect out;
  const HookWord word = read_answer(
      R"({"result":{"user":"7","expire_at":1700000000,"b64info":"e30=","data":{"a":[1]},"meta":{"x":1},
          "channels":["a"],"subs":{"b":{"data":5,"override":{"force_recovery":{"value":true}}}}}})",
      out);
  EXPECT_EQ(word.kind, Kind::kResult);
  EXPECT_EQ(out.user, "7");
  EXPECT_EQ(out.expire_at, 1'700'000'000);
  EXPECT_EQ(out.info, "{}");
  EXPECT_EQ(out.data, R"({"a":[1]})");
  EXPECT_EQ(out.meta, R"({"x":1})");
  ASSERT_EQ(out.subscriptions.size(), 2U);
  EXPECT_EQ(out.subscriptions["b"].data, "5");
  EXPECT_EQ(out.subscriptions["b"].override.force_recovery, true);
  EXPECT_FALSE(out.subscriptions["b"].override.presence);
}

TEST(HookBodies, OtherAnswers) {
  HookRefresh refresh;
  EXPECT_EQ(read_answer(R"({"result":{"expired":true}})", refresh).kind, Kind::kResult);
  EXPECT_TRUE(refresh.expired);
  EXPECT_FALSE(refresh.info);
  HookPublish publish;
  EXPECT_EQ(read_answer(R"({"result":{"data":null}})", publish).kind, Kind::kResult);
  EXPECT_FALSE(publish.data);
  const HookWord end = read_answer(R"({"disconnect":{"code":4001,"reason":"bye"}})", publish);
  EXPECT_EQ(end.kind, Kind::kDisconnect);
  EXPECT_EQ(end.code, 4001U);
  EXPECT_EQ(end.text, "bye");
  const HookWord error =
      read_answer(R"({"error":{"code":400,"message":")" + std::string(400, 'm') + "\"}}", publish);
  EXPECT_EQ(error.kind, Kind::kError);
  EXPECT_EQ(error.text, std::string(255, 'm'));
}

TEST(HookBodies, MalformedAnswers) {
  for (const std::string& body : std::vector<std::string>{
           "",
           "x",
           "[]",
           "{}",
           "7",
           R"({"result":[]})",
           R"({"result":{"user":1}})",
           R"({"result":{"expire_at":-1}})",
           R"({"result":{"expire_at":1.5}})",
           R"({"result":{"expire_at":18446744073709551615}})",
           R"({"result":{"b64info":"*"}})",
           R"({"result":{"channels":{}}})",
           R"({"result":{"channels":[1]}})",
           R"({"result":{"subs":[]}})",
           R"({"result":{"subs":{"a":1}}})",
           R"({"result":{"subs":{"a":{"override":{"presence":true}}}}})",
           R"({"error":1})",
           R"({"error":{"code":"1"}})",
           R"({"error":{"code":4294967296}})",
           R"({"disconnect":{"code":-1}})",
           "{\"result\":{\"user\":\"\xff\"}}",
           R"({"result":{"data":)" + std::string(100, '[') + std::string(100, ']') + "}}",
           std::string(100'000, '[')}) {
    HookConnect out;
    EXPECT_EQ(read_answer(body, out).kind, Kind::kMalformed) << body.substr(0, 60);
  }
}

}  // namespace
}  // namespace sluice::gateway
