// The official SDK, unmodified, through the shipped haproxy.cfg: what an application does with it,
// in both encodings, and what each end of a connection makes it do.
#include <gtest/gtest.h>
#include <signal.h>

#include <ctime>
#include <memory>
#include <utility>

#include "tests/process/support/centrifuge_sdk_stage.h"
#include "tests/process/support/sdk_driver.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

constexpr Millis kWait = 60s;  // SDKs pause before they come back, and this machine is busy

const std::string kRules = R"([connection]
channels_max = 5
connections_per_user_max = 2
[channels]
subscribe = "users"
publish = "subscribers"
presence = "subscribers"
history = "subscribers"
history_size = 100
history_ttl = "10m"
recovery = "forced"
join_leave = "on-demand"
publisher_info = true
[namespaces.token]
subscribe = "token"
publish = "subscribers"
presence = "subscribers"
)";

const Json kAll = {{"joinLeave", true}, {"recoverable", true}, {"positioned", true}};

class Sdk : public testing::TestWithParam<bool> {
 protected:
  void start(CentrifugeSdkStage::Settings settings = {}) {
    stage_ = std::make_unique<CentrifugeSdkStage>(std::move(settings));
  }
  /// Begins; what comes of it is an event. `fields` are those of the driver's "new".
  void begin(const std::string& name, Json options = Json::object(), Json fields = Json::object()) {
    options["maxReconnectDelay"] = 1000;
    options["timeout"] = 20000;
    fields["url"] = stage_->url();
    fields["protobuf"] = GetParam();
    fields["options"] = std::move(options);
    sdk_.call("new", name, std::move(fields));
    sdk_.call("connect", name);
    EXPECT_EQ(context(name, "connecting")["code"], 0);
  }
  /// Returns the context of its "connected".
  Json connect(const std::string& name, Json options = Json::object(),
               Json fields = Json::object()) {
    begin(name, std::move(options), std::move(fields));
    return context(name, "connected");
  }
  Json connect_as(const std::string& name, const std::string& user) {
    return connect(name, {{"token", stage_->user_token(user)}});
  }
  Json context(const std::string& name, const std::string& event, const std::string& channel = "") {
    return std::move(sdk_.wait_event(name, event, channel, kWait)["ctx"]);
  }
  Json subscribe(const std::string& name, const std::string& channel, Json options = kAll) {
    sdk_.call("subscribe", name, {{"channel", channel}, {"options", std::move(options)}});
    return context(name, "subscribed", channel);
  }
  /// A join or leave of this client, as `name` hears it.
  Json membership(const std::string& name, const std::string& event, const std::string& channel,
                  const Json& client) {
    return sdk_.wait_event(
        [&](const Json& one) {
          return one["client"] == name && one["event"] == event &&
                 one.value("channel", one["ctx"].value("channel", "")) == channel &&
                 one["ctx"]["info"]["client"] == client;
        },
        kWait);
  }
  /// The data of the next publication that `name` hears there.
  Json heard(const std::string& name, const std::string& channel) {
    return context(name, "publication", channel)["data"];
  }
  /// Of subscriptions that the server made: the SDK's own events name the channel in their context.
  Json server_side(const std::string& name, const std::string& event, const std::string& channel) {
    return sdk_.wait_event(
        [&](const Json& one) {
          return one["client"] == name && one["event"] == event &&
                 one["ctx"].value("channel", "") == channel;
        },
        kWait)["ctx"];
  }
  void publish(const std::string& name, const std::string& channel, const Json& data) {
    sdk_.call("publish", name, {{"channel", channel}, {"data", data}}, kWait);
  }
  /// The code of the error that a command fails with; 0: it does not.
  int error_of(const std::string& what, const std::string& name, Json fields) {
    const Json answer = sdk_.attempt(what, name, std::move(fields), kWait);
    return answer.contains("error") ? answer["error"]["code"].get<int>() : 0;
  }
  Json history(const std::string& name, const std::string& channel, Json options) {
    return sdk_.call("history", name, {{"channel", channel}, {"options", std::move(options)}},
                     kWait);
  }
  static std::vector<int> offsets(const Json& history) {
    std::vector<int> all;
    for (const Json& one : history["publications"]) all.push_back(one["offset"]);
    return all;
  }
  void expect_no_faults() {
    const Json stats = sdk_.stats();
    for (const char* fault : {"missing", "repeated", "misnumbered"}) EXPECT_EQ(stats[fault], 0);
  }
  /// Publishes {n: first} to {n: last} by the server API.
  void publish_numbers(const std::string& channel, int first, int last) {
    for (int n = first; n <= last; ++n)
      (void)stage_->api("publish", {{"channel", channel}, {"data", {{"n", n}}}});
  }
  void expect_numbers(const std::string& name, const std::string& channel, int first, int last) {
    for (int n = first; n <= last; ++n) EXPECT_EQ(heard(name, channel)["n"], n) << channel;
  }

  std::unique_ptr<CentrifugeSdkStage> stage_;
  SdkDriver sdk_;
};

INSTANTIATE_TEST_SUITE_P(Encodings, Sdk, testing::Values(false, true),
                         [](const auto& one) { return one.param ? "Protobuf" : "Json"; });

TEST_P(Sdk, AnonymousUsersOfOpenAccessDoEverything) {
  start({.redis = true});
  const Json a = connect("a")["client"];
  const Json b = connect("b")["client"];
  const Json subscribed = subscribe("a", "room");
  EXPECT_EQ(subscribed["recoverable"], true);
  EXPECT_EQ(subscribed["positioned"], true);
  EXPECT_EQ(subscribed["streamPosition"]["offset"], 0);
  EXPECT_EQ(subscribed["streamPosition"]["epoch"].get<std::string>().size(), 16U);
  (void)subscribe("b", "room");
  (void)membership("a", "join", "room", b);

  const Json text = {{"text", "ünï \n\"\\"}, {"n", 1}};
  publish("a", "room", text);
  for (const char* name : {"a", "b"}) {
    const Json publication = context(name, "publication", "room");
    EXPECT_EQ(publication["data"], text);
    EXPECT_EQ(publication["offset"], 1);
    EXPECT_EQ(publication["info"]["client"], a);
  }
  for (int n = 2; n <= 5; ++n) publish("b", "room", {{"n", n}});
  expect_numbers("a", "room", 2, 5);

  const Json presence = sdk_.call("presence", "a", {{"channel", "room"}})["clients"];
  EXPECT_EQ(presence.size(), 2U);
  EXPECT_TRUE(presence.contains(a) && presence.contains(b)) << presence;
  const Json stats = sdk_.call("presenceStats", "b", {{"channel", "room"}});
  EXPECT_EQ(stats["numClients"], 2);
  EXPECT_EQ(stats["numUsers"], 1);

  const Json top = history("a", "room", {{"limit", 0}});
  EXPECT_EQ(offsets(top), std::vector<int>());
  EXPECT_EQ(top["offset"], 5);
  const Json since = {{"offset", 2}, {"epoch", top["epoch"]}};
  EXPECT_EQ(offsets(history("a", "room", {{"limit", 2}})), (std::vector<int>{1, 2}));
  EXPECT_EQ(offsets(history("a", "room", {{"limit", -1}})), (std::vector<int>{1, 2, 3, 4, 5}));
  EXPECT_EQ(offsets(history("a", "room", {{"limit", 2}, {"reverse", true}})),
            (std::vector<int>{5, 4}));
  EXPECT_EQ(offsets(history("b", "room", {{"limit", 10}, {"since", since}})),
            (std::vector<int>{3, 4, 5}));
  EXPECT_EQ(offsets(history("b", "room", {{"limit", 10}, {"since", since}, {"reverse", true}})),
            (std::vector<int>{1}));
  const Json foreign = {{"offset", 2}, {"epoch", "0123456789abcdef"}};
  EXPECT_EQ(error_of("history", "a",
                     {{"channel", "room"}, {"options", {{"limit", 1}, {"since", foreign}}}}),
            112);

  sdk_.call("unsubscribe", "b", {{"channel", "room"}});
  (void)membership("a", "leave", "room", b);
  EXPECT_EQ(sdk_.call("presenceStats", "a", {{"channel", "room"}})["numClients"], 1);
  EXPECT_EQ(error_of("rpc", "a", {{"method", "m"}, {"data", 1}}), 108);
  expect_no_faults();

  // Nobody listens to what is only sent: that ends the connection, for good.
  sdk_.call("send", "b", {{"data", {{"a", 1}}}});
  EXPECT_EQ(context("b", "disconnected")["code"], 3508);
}

TEST_P(Sdk, RecoversOnTheSameGatewayAndOnAnother) {
  start({.redis = true});
  stage_->admit_only(0);
  (void)connect("a");
  (void)subscribe("a", "room");
  publish_numbers("room", 1, 3);
  expect_numbers("a", "room", 1, 3);
  int last = 3;
  for (const std::size_t to : {0, 1, 0}) {
    stage_->admit_nobody();
    sdk_.call("cut", "a");
    (void)context("a", "connecting");
    publish_numbers("room", last + 1, last + 5);
    stage_->admit_only(to);
    const Json subscribed = context("a", "subscribed", "room");
    EXPECT_EQ(subscribed["wasRecovering"], true);
    EXPECT_EQ(subscribed["recovered"], true);
    expect_numbers("a", "room", last + 1, last + 5);
    publish_numbers("room", last + 6, last + 6);
    expect_numbers("a", "room", last + 6, last + 6);
    last += 6;
    EXPECT_EQ(stage_->gateway(to).metrics().value("sluice_gateway_connections"), 1);
  }
  expect_no_faults();
}

TEST_P(Sdk, TokensSayWho) {
  start({.rules = kRules});
  const std::string right =
      stage_->token({"--user", "42", "--info", R"({"name":"Ada"})", "--expires", "1h"});
  const Json ada = connect("ada", {{"token", right}})["client"];
  (void)subscribe("ada", "room");
  publish("ada", "room", {{"n", 1}});
  const Json publication = context("ada", "publication", "room");
  EXPECT_EQ(publication["info"]["user"], "42");
  EXPECT_EQ(publication["info"]["connInfo"]["name"], "Ada");
  const Json presence = sdk_.call("presence", "ada", {{"channel", "room"}})["clients"];
  EXPECT_EQ(presence[ada.get<std::string>()]["connInfo"]["name"], "Ada") << presence;

  // Who is refused stays away, with the protocol's code.
  begin("nobody");
  EXPECT_EQ(context("nobody", "disconnected")["code"], 101);
  const std::map<std::string, std::string> wrong = {
      {"foreign", stage_->foreign_token({"--user", "42"})},
      {"forged", right.substr(0, right.size() - 4) + "AAAA"},
      {"none", "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0MiJ9."},
      {"channel", stage_->token({"--user", "42", "--channel", "room"})},
      {"noise", "noise"}};
  for (const auto& [name, token] : wrong) {
    begin(name, {{"token", token}});
    EXPECT_EQ(context(name, "disconnected")["code"], 3500) << name;
  }
  // An expired one is replaced, where there is another.
  const std::string expired = stage_->token({"--user", "42", "--claims", R"({"exp":1000000000})"});
  begin("expired", {{"token", expired}});
  EXPECT_EQ(context("expired", "disconnected")["code"], 1);
  (void)connect("replaced", {{"token", expired}}, {{"tokens", {right}}});
  begin("unauthorized", Json::object(), {{"tokens", {nullptr}}});
  EXPECT_EQ(context("unauthorized", "disconnected")["code"], 1);

  // The same for a subscription.
  const auto ask = [&](const std::string& channel, const Json& tokens) {
    Json fields = {{"channel", channel}, {"options", Json::object()}};
    if (!tokens.empty()) fields["tokens"] = tokens;
    sdk_.call("subscribe", "ada", std::move(fields));
  };
  const auto of_channel = [&](const std::string& channel) {
    return stage_->token({"--user", "42", "--channel", channel});
  };
  ask("token:right", {of_channel("token:right")});
  (void)context("ada", "subscribed", "token:right");
  ask("$token:private", {of_channel("$token:private")});
  (void)context("ada", "subscribed", "$token:private");
  ask("token:without", {});
  ask("token:other", {of_channel("token:right")});
  ask("$room", {});
  ask("token:foreign", {stage_->foreign_token({"--user", "42", "--channel", "token:foreign"})});
  ask("token:user", {stage_->token({"--user", "7", "--channel", "token:user"})});
  for (const char* channel :
       {"token:without", "token:other", "$room", "token:foreign", "token:user"})
    EXPECT_EQ(context("ada", "unsubscribed", channel)["code"], 103) << channel;
  ask("unknown:1", {});
  EXPECT_EQ(context("ada", "unsubscribed", "unknown:1")["code"], 102);
  ask("token:null", {nullptr});
  EXPECT_EQ(context("ada", "unsubscribed", "token:null")["code"], 1);
  ask("token:late", {stage_->token({"--user", "42", "--channel", "token:late", "--claims",
                                    R"({"exp":1000000000})"}),
                     of_channel("token:late")});
  (void)context("ada", "subscribed", "token:late");
  EXPECT_EQ(error_of("publish", "ada", {{"channel", "unknown:1"}, {"data", 1}}), 102);
  EXPECT_EQ(error_of("publish", "ada", {{"channel", "other"}, {"data", 1}}), 103);
}

TEST_P(Sdk, TokensAreRefreshed) {
  if (GetParam() && !full_size()) GTEST_SKIP() << "real seconds, for each encoding";
  start({.rules = kRules});
  // Each answer makes the SDK ask again when it ends: that it does shows that it was taken.
  (void)connect("a", {{"token", stage_->user_token("1", 6)}}, {{"tokens", Json::array()}});
  const auto of_channel = [&](const std::string& seconds) {
    return stage_->token({"--user", "1", "--channel", "token:1", "--expires", seconds});
  };
  sdk_.call("subscribe", "a",
            {{"channel", "token:1"},
             {"options", {{"token", of_channel("6s")}}},
             {"tokens", Json::array()}});
  (void)context("a", "subscribed", "token:1");
  const auto asked = [&](const std::string& channel) {
    (void)sdk_.wait_event(
        [&](const Json& one) {
          return one["event"] == "getToken" && one["client"] == "a" && one["channel"] == channel;
        },
        kWait);
  };
  const auto answer = [&](const std::string& channel, const std::string& token) {
    sdk_.call("token", "a", {{"channel", channel}, {"token", token}});
  };
  for (int i = 0; i < 2; ++i) {
    asked("");
    answer("", stage_->user_token("1", 3));
    asked("token:1");
    answer("token:1", of_channel("3s"));
  }
  asked("");
  asked("token:1");
  EXPECT_EQ(sdk_.call("state", "a")["subscriptions"]["token:1"], "subscribed");
  answer("token:1", stage_->foreign_token({"--user", "1", "--channel", "token:1"}));
  EXPECT_EQ(context("a", "unsubscribed", "token:1")["code"], 103);
  EXPECT_EQ(sdk_.call("state", "a")["state"], "connected");
  answer("", stage_->user_token("2"));
  EXPECT_EQ(context("a", "disconnected")["code"], 3500) << "of another user";
}

TEST_P(Sdk, WhatIsNotRefreshedExpires) {
  if (GetParam() && !full_size()) GTEST_SKIP() << "half a minute of waiting for each encoding";
  start({.rules = kRules});
  // They are asked for tokens and do not answer in time.
  (void)connect("connection", {{"token", stage_->user_token("1", 8)}}, {{"tokens", Json::array()}});
  (void)connect_as("subscription", "2");
  sdk_.call(
      "subscribe", "subscription",
      {{"channel", "token:1"},
       {"options",
        {{"token", stage_->token({"--user", "2", "--channel", "token:1", "--expires", "5s"})}}},
       {"tokens", Json::array()}});
  (void)context("subscription", "subscribed", "token:1");
  (void)connect_as("server", "3");
  (void)stage_->api("subscribe",
                    {{"user", "3"}, {"channel", "room"}, {"expire_at", std::time(nullptr) + 5}});
  (void)server_side("server", "subscribed", "room");
  sdk_.forget_events();

  EXPECT_EQ(context("subscription", "subscribing", "token:1")["code"], 2501);
  EXPECT_EQ(context("server", "connecting")["code"], 3006);
  (void)context("server", "connected");
  (void)context("connection", "getToken");  // for the refresh
  EXPECT_EQ(context("connection", "connecting")["code"], 3005);
  (void)context("connection", "getToken");  // the one that it has is too old to connect
  sdk_.call("token", "connection", {{"channel", ""}, {"token", stage_->user_token("1")}});
  (void)context("connection", "connected");
}

TEST_P(Sdk, TheServerSubscribes) {
  start({.rules = kRules});
  const std::string token = stage_->token(
      {"--user", "1", "--subscribe", "news", "--claims",
       R"({"subs":{"mine":{"info":{"role":"x"},"data":{"hello":1},"override":{"force_push_join_leave":{"value":true}}}}})"});
  const Json a = connect("a", {{"token", token}})["client"];
  (void)server_side("a", "subscribed", "news");
  const Json mine = server_side("a", "subscribed", "mine");
  EXPECT_EQ(mine["recoverable"], true);
  EXPECT_EQ(mine["data"]["hello"], 1);
  const Json presence = stage_->api("presence", {{"channel", "mine"}})["presence"];
  EXPECT_EQ(presence[a.get<std::string>()]["chan_info"]["role"], "x") << presence;

  (void)stage_->api("subscribe", {{"user", "1"}, {"channel", "room"}, {"data", {{"by", "api"}}}});
  EXPECT_EQ(server_side("a", "subscribed", "room")["data"]["by"], "api");
  const Json b = connect_as("b", "2")["client"];
  (void)stage_->api("subscribe", {{"client", b}, {"user", "2"}, {"channel", "mine"}});
  (void)server_side("b", "subscribed", "mine");
  (void)membership("a", "join", "mine", b);
  for (const char* channel : {"news", "mine", "room"}) {
    publish_numbers(channel, 1, 2);
    for (int n = 1; n <= 2; ++n)
      EXPECT_EQ(server_side("a", "publication", channel)["data"]["n"], n) << channel;
  }
  (void)stage_->api("unsubscribe", {{"user", "2"}, {"channel", "mine"}});
  (void)server_side("b", "unsubscribed", "mine");
  (void)membership("a", "leave", "mine", b);

  // The token's come back with what was missed; the API's was this connection's.
  stage_->admit_nobody();
  sdk_.call("cut", "a");
  (void)context("a", "connecting");
  for (const char* channel : {"news", "mine"}) publish_numbers(channel, 3, 4);
  stage_->admit_only(1);
  for (const char* channel : {"news", "mine"}) {
    EXPECT_EQ(server_side("a", "subscribed", channel)["recovered"], true) << channel;
    for (int n = 3; n <= 4; ++n)
      EXPECT_EQ(server_side("a", "publication", channel)["data"]["n"], n) << channel;
  }
  (void)server_side("a", "unsubscribed", "room");

  // An end of a subscription of its own: it stays off, or comes back.
  (void)subscribe("a", "own");
  (void)stage_->api("unsubscribe", {{"user", "1"}, {"channel", "own"}});
  EXPECT_EQ(context("a", "unsubscribed", "own")["code"], 2000);
  // A refresh by the API: of connections that have a token, and their end.
  (void)stage_->api("refresh", {{"user", "1"}, {"expire_at", std::time(nullptr) + 3600}});
  EXPECT_EQ(sdk_.call("presenceStats", "a", {{"channel", "news"}})["numClients"], 1);
  (void)stage_->api("refresh", {{"user", "1"}, {"expired", true}});
  EXPECT_EQ(context("a", "connecting")["code"], 3005);
  (void)context("a", "connected");
  expect_no_faults();
}

struct Close {
  int code;  ///< 0: none is said
  const char* reason;
  bool comes_back;
};

TEST_P(Sdk, CodesOfTheApplicationDecideWhetherItComesBack) {
  start({.rules = kRules});
  const std::vector<Close> closes = {{0, "", false},
                                     {3000, "", true},
                                     {3001, "", true},
                                     {3004, "x", true},
                                     {3011, "go", true},
                                     {3499, "", true},
                                     {3500, "", false},
                                     {3503, "x", false},
                                     {3999, "", false},
                                     {4000, "", true},
                                     {4001, "later", true},
                                     {4499, "42", true},
                                     {4000, "true", true},
                                     {4002, R"({"reason":"x","reconnect":false})", true},
                                     {4500, "", false},
                                     {4501, "never", false},
                                     {4999, R"({"reconnect":true})", false}};
  for (std::size_t i = 0; i < closes.size(); ++i)
    (void)connect_as("c" + std::to_string(i), "u" + std::to_string(i));
  for (std::size_t i = 0; i < closes.size(); ++i) {
    Json command = {{"user", "u" + std::to_string(i)}};
    if (closes[i].code != 0)
      command["disconnect"] = {{"code", closes[i].code}, {"reason", closes[i].reason}};
    (void)stage_->api("disconnect", command);
  }
  for (std::size_t i = 0; i < closes.size(); ++i) {
    const std::string name = "c" + std::to_string(i);
    const int code = closes[i].code == 0 ? 3503 : closes[i].code;
    const Json end = sdk_.wait_event(
        [&](const Json& one) {
          return one["client"] == name && one["ctx"].value("code", 0) == code &&
                 (one["event"] == "connecting" || one["event"] == "disconnected");
        },
        kWait);
    EXPECT_EQ(end["event"], closes[i].comes_back ? "connecting" : "disconnected")
        << code << " " << closes[i].reason;
    if (closes[i].comes_back) (void)context(name, "connected");
  }
}

TEST_P(Sdk, TheGatewaysOwnCodesDecideWhetherItComesBack) {
  if (GetParam() && !full_size()) GTEST_SKIP() << "real seconds, for each encoding";
  start({.rules = kRules,
         .gateway_args = {"--ping-interval", "1s", "--pong-timeout", "3s", "--handshake-timeout",
                          "3s", "--max-message-size", "16KiB", "--client-message-rate", "20/s",
                          "--client-message-burst", "100", "--drain-delay", "0s"}});
  stage_->admit_only(0);
  // For good.
  (void)connect_as("bystander", "b");
  (void)subscribe("bystander", "room");
  begin("stale", {{"token", stage_->user_token("1")}}, {{"muted", true}});
  const auto ended = [&](const std::string& name) { return context(name, "disconnected")["code"]; };
  (void)connect_as("bad", "2");
  sdk_.call("frame", "bad", {{"text", "no command"}});
  EXPECT_EQ(ended("bad"), 3501);
  (void)connect_as("empty", "7");
  sdk_.call("frame", "empty", {{"text", ""}});
  EXPECT_EQ(ended("empty"), 3501);
  (void)connect_as("big", "8");
  const int big =
      sdk_.begin("publish", "big", {{"channel", "room"}, {"data", std::string(20000, 'x')}});
  EXPECT_EQ(ended("big"), 3) << "the SDK's code for 1009";
  EXPECT_TRUE(sdk_.result(big).contains("error"));
  (void)connect_as("one", "3");
  (void)connect_as("two", "3");
  begin("three", {{"token", stage_->user_token("3")}});
  EXPECT_EQ(ended("three"), 3504);
  Args many = {"--user", "4"};
  for (int i = 0; i < 6; ++i) many.insert(many.end(), {"--subscribe", "c" + std::to_string(i)});
  begin("many", {{"token", stage_->token(many)}});
  EXPECT_EQ(ended("many"), 3505);
  for (int i = 0; i < 6; ++i)
    sdk_.call("subscribe", "one", {{"channel", "c" + std::to_string(i)}, {"options", kAll}});
  EXPECT_EQ(context("one", "unsubscribed", "c5")["code"], 106);
  EXPECT_EQ(ended("stale"), 3502);

  // It comes back.
  const auto comes_back = [&](const std::string& name, int code) {
    (void)sdk_.wait_event(
        [&](const Json& one) {
          return one["client"] == name && one["event"] == "connecting" &&
                 one["ctx"]["code"] == code;
        },
        kWait);
  };
  (void)connect_as("silent", "5");
  sdk_.call("mute", "silent");
  comes_back("silent", 3012);
  (void)connect_as("much", "6");
  (void)subscribe("much", "room");
  for (int i = 0; i < 300; ++i) (void)sdk_.begin("presenceStats", "much", {{"channel", "room"}});
  comes_back("much", 3013);
  (void)context("much", "connected");

  EXPECT_EQ(sdk_.call("state", "bystander")["state"], "connected");
  publish_numbers("room", 1, 1);
  expect_numbers("bystander", "room", 1, 1);
  stage_->admit_only(1);
  stage_->gateway(0).process().signal(SIGTERM);
  for (const char* name : {"bystander", "two"}) {
    comes_back(name, 3001);
    (void)context(name, "connected");
  }
  EXPECT_EQ(stage_->gateway(0).process().wait_exit(60s).code, 0);
  EXPECT_EQ(context("bystander", "subscribed", "room")["recovered"], true);
  publish_numbers("room", 2, 2);
  expect_numbers("bystander", "room", 2, 2);
  expect_no_faults();
}

class SdkInChromium : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Encodings, SdkInChromium, testing::Values("json", "protobuf"),
                         [](const auto& one) { return std::string(one.param); });

TEST_P(SdkInChromium, TwoPagesHearEachOtherAndRecover) {
  CentrifugeSdkStage stage({.redis = true});
  const std::string directory = std::string(SLUICE_SOURCE_DIR) + "/tests/process/node";
  SpawnOptions options;
  options.args = {"/usr/bin/env", "node", directory + "/centrifuge_browser.mjs", stage.url(),
                  GetParam()};
  options.directory = directory;
  const Finished finished = run(std::move(options), 100s);
  ASSERT_EQ(finished.status.code, 0) << finished.output;
  const std::size_t at = finished.output.find("RESULT ");
  ASSERT_NE(at, std::string::npos) << finished.output;
  const std::size_t end = finished.output.find('\n', at);
  const Json result = Json::parse(finished.output.substr(at + 7, end - at - 7));
  const Json both = {{{"text", "ünï"}, {"number", 1}}, {{"text", "meanwhile"}, {"number", 2}}};
  EXPECT_EQ(result["heard"], both);
  EXPECT_EQ(result["own"], both);
  EXPECT_EQ(result["presence"], 2);
  EXPECT_EQ(result["stats"]["numClients"], 2);
  EXPECT_EQ(result["history"], Json::array({both[0]}));
  EXPECT_EQ(result["recovered"], Json::array({false, true}));
}

}  // namespace
}  // namespace sluice::test
