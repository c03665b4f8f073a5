// The application is asked about clients of the Centrifuge protocol by a whole gateway: it says
// yes, it says no, it says nothing of use; and what it is told of the client.
#include <gtest/gtest.h>
#include <signal.h>

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/process/support/centrifuge_client.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/hook_server.h"
#include "tests/process/support/sdk_driver.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

constexpr Millis kWait = 60s;

const std::string kRules = R"([connection]
connect_hook = true
refresh_hook = true
rpc_hook = true
disconnect_hook = true
[channels]
subscribe = "everyone"
publish = "subscribers"
[namespaces.asked]
subscribe = "token"
subscribe_hook = true
publish = "subscribers"
publish_hook = true
presence = "subscribers"
)";

const std::string kKinds[] = {"connect", "refresh", "subscribe", "publish", "rpc", "disconnected"};

HookReply result(const Json& value) {
  return {.body = Json{{"result", value}}.dump()};
}
HookReply error(int code, const std::string& message = "no") {
  return {.body = Json{{"error", {{"code", code}, {"message", message}}}}.dump()};
}
HookReply disconnect(int code, const std::string& reason = "go") {
  return {.body = Json{{"disconnect", {{"code", code}, {"reason", reason}}}}.dump()};
}

class Hooks : public testing::TestWithParam<bool> {
 protected:
  void start(Args more = {}) {
    const std::string rules = files_.write("rules.toml", kRules);
    Stack::Settings settings;
    settings.relay_args = {"--rules", rules};
    settings.gateway_args = {"--rules", rules};
    for (const std::string& kind : kKinds)
      settings.gateway_args.insert(settings.gateway_args.end(),
                                   {"--hook-" + kind, application_.url("/" + kind)});
    settings.gateway_args.insert(settings.gateway_args.end(), more.begin(), more.end());
    stack_ = std::make_unique<Stack>(std::move(settings));
  }
  /// What the application says to this from now on, whatever it is asked.
  void say(const std::string& kind, const HookReply& reply) {
    application_.on("/" + kind, [reply](const HookQuestion&) { return reply; });
  }
  /// The connect hook's answer, with an end so many seconds after the question.
  void let_in_for(int seconds, const Json& answer) {
    application_.on("/connect", [seconds, answer](const HookQuestion&) {
      Json with_end = answer;
      with_end["expire_at"] = std::time(nullptr) + seconds;
      return result(with_end);
    });
  }
  [[nodiscard]] std::vector<HookQuestion> asked(const std::string& kind) const {
    std::vector<HookQuestion> all;
    for (const HookQuestion& one : application_.questions())
      if (one.path == "/" + kind) all.push_back(one);
    return all;
  }
  /// The body of the last question of this kind; waits until there are so many.
  Json question(const std::string& kind, std::size_t count = 1) {
    EXPECT_TRUE(eventually(kWait, [&] { return asked(kind).size() >= count; })) << kind;
    const auto all = asked(kind);
    return all.empty() ? Json() : Json::parse(all.back().body);
  }
  /// Until the gateway has had so many answers.
  void answered(const std::string& kind, double count = 1) {
    EXPECT_TRUE(eventually(kWait, [&] {
      const Metrics metrics = stack_->gateway().metrics();
      return metrics.value("sluice_gateway_hooks_ended_total", "hook=\"" + kind + "\"") >= count;
    })) << kind;
  }
  void begin(const std::string& name, Json options = Json::object()) {
    options["maxReconnectDelay"] = 1000;
    options["timeout"] = 20000;
    sdk_.call("new", name,
              {{"url", "ws://" + stack_->gateway().endpoint().text() + "/connection/websocket"},
               {"protobuf", GetParam()},
               {"options", std::move(options)}});
    sdk_.call("connect", name);
  }
  Json connect(const std::string& name, Json options = Json::object()) {
    begin(name, std::move(options));
    return context(name, "connected");
  }
  Json context(const std::string& name, const std::string& event, const std::string& channel = "") {
    return std::move(sdk_.wait_event(name, event, channel, kWait)["ctx"]);
  }
  void begin_subscribe(const std::string& name, const std::string& channel,
                       Json options = Json::object()) {
    options["maxResubscribeDelay"] = 1000;
    sdk_.call("subscribe", name, {{"channel", channel}, {"options", std::move(options)}});
  }
  Json subscribe(const std::string& name, const std::string& channel,
                 Json options = Json::object()) {
    begin_subscribe(name, channel, std::move(options));
    return context(name, "subscribed", channel);
  }
  Json attempt(const std::string& what, const std::string& name, Json fields) {
    return sdk_.attempt(what, name, std::move(fields), kWait);
  }
  int error_of(const std::string& what, const std::string& name, Json fields) {
    const Json answer = attempt(what, name, std::move(fields));
    return answer.contains("error") ? answer["error"]["code"].get<int>() : 0;
  }
  /// Begins, and sees the SDK ask again after the connection was closed for it.
  void begin_and_come_back(const std::string& name) {
    const std::size_t before = asked("connect").size();
    begin(name);
    EXPECT_TRUE(eventually(kWait, [&] { return asked("connect").size() >= before + 2; })) << name;
  }
  /// How a connection ends that is not let in.
  int close_at_connect() {
    CentrifugeFleet fleet;
    CentrifugeOptions options;
    options.to = stack_->gateway().endpoint();
    options.encoding = GetParam() ? CentrifugeEncoding::kProtobuf : CentrifugeEncoding::kJson;
    options.reconnect = false;
    const std::size_t one = fleet.add(options);
    EXPECT_TRUE(fleet.run_until(
        kWait, [&] { return fleet.client(one).state == CentrifugeMember::State::kEnded; }));
    return fleet.client(one).close_code;
  }
  void ends(const std::string& name, const std::string& event, int code) {
    (void)sdk_.wait_event(
        [&](const Json& one) {
          return one["client"] == name && one["event"] == event && one["ctx"]["code"] == code;
        },
        kWait);
  }

  TempDir files_;
  HookServer application_;
  std::unique_ptr<Stack> stack_;
  SdkDriver sdk_;
};

INSTANTIATE_TEST_SUITE_P(Encodings, Hooks, testing::Values(false, true),
                         [](const auto& one) { return one.param ? "Protobuf" : "Json"; });

TEST_P(Hooks, TheApplicationSaysYes) {
  start({"--hook-timeout", "20s"});
  let_in_for(2, {{"user", "42"},
                 {"info", {{"name", "Ada"}}},
                 {"data", {{"welcome", 1}}},
                 {"meta", {{"plan", "x"}}},
                 {"subs", {{"mine", {{"data", {{"s", 1}}}}}}}});
  say("refresh", result({{"expire_at", std::time(nullptr) + 3600}, {"meta", {{"plan", "y"}}}}));
  say("subscribe", result({{"info", {{"role", "w"}}},
                           {"data", {{"board", 7}}},
                           {"override", {{"force_recovery", {{"value", true}}}}}}));
  say("publish", result({{"data", {{"n", 1}, {"by", "application"}}}}));
  say("rpc", result({{"data", {{"sum", 3}}}}));

  const Json connected = connect("a", {{"name", "test"}, {"version", "7"}, {"data", {{"k", "v"}}}});
  const std::string client = connected["client"];
  EXPECT_EQ(connected["data"]["welcome"], 1);
  Json body = question("connect");
  EXPECT_EQ(body["client"], client);
  EXPECT_EQ(body["transport"], "websocket");
  EXPECT_EQ(body["protocol"], GetParam() ? "protobuf" : "json");
  EXPECT_EQ(body["encoding"], "json");
  EXPECT_EQ(body["name"], "test");
  EXPECT_EQ(body["version"], "7");
  EXPECT_EQ(body["data"]["k"], "v");
  EXPECT_FALSE(body.contains("user"));
  const HookQuestion head = asked("connect")[0];
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.headers.at("content-type"), "application/json");

  body = question("refresh");
  EXPECT_EQ(body["client"], client);
  EXPECT_EQ(body["user"], "42");
  EXPECT_EQ(body["meta"]["plan"], "x");
  answered("refresh");

  const Json subscribed = subscribe("a", "asked:1", {{"data", {{"why", "this"}}}});
  EXPECT_EQ(subscribed["data"]["board"], 7);
  EXPECT_EQ(subscribed["recoverable"], true);
  body = question("subscribe");
  EXPECT_EQ(body["channel"], "asked:1");
  EXPECT_EQ(body["user"], "42");
  EXPECT_EQ(body["meta"]["plan"], "y") << "the refresh hook has replaced it";
  EXPECT_EQ(body["data"]["why"], "this");
  const Json presence = sdk_.call("presence", "a", {{"channel", "asked:1"}})["clients"][client];
  EXPECT_EQ(presence["user"], "42");
  EXPECT_EQ(presence["connInfo"]["name"], "Ada");
  EXPECT_EQ(presence["chanInfo"]["role"], "w");

  EXPECT_EQ(error_of("publish", "a", {{"channel", "asked:1"}, {"data", {{"n", 1}}}}), 0);
  EXPECT_EQ(context("a", "publication", "asked:1")["data"]["by"], "application");
  body = question("publish");
  EXPECT_EQ(body["channel"], "asked:1");
  EXPECT_EQ(body["user"], "42");
  EXPECT_EQ(body["data"], Json::parse(R"({"n":1})"));

  const Json answer = attempt("rpc", "a", {{"method", "add"}, {"data", {1, 2}}});
  EXPECT_EQ(answer["value"]["data"]["sum"], 3) << answer;
  body = question("rpc");
  EXPECT_EQ(body["method"], "add");
  EXPECT_EQ(body["data"], Json::parse("[1,2]"));
  EXPECT_EQ(body["user"], "42");

  sdk_.call("disconnect", "a");
  body = question("disconnected");
  EXPECT_EQ(body["client"], client);
  EXPECT_EQ(body["user"], "42");
  EXPECT_EQ(body["meta"]["plan"], "y");
  EXPECT_EQ(asked("connect").size(), 1U);
  EXPECT_EQ(asked("disconnected").size(), 1U);
}

TEST_P(Hooks, TheApplicationSaysNo) {
  start({"--hook-timeout", "20s"});
  say("connect", error(403));
  begin("error");
  ends("error", "disconnected", 403);
  say("connect", disconnect(4500, ""));
  begin("never");
  ends("never", "disconnected", 4500);
  say("connect", disconnect(4001));
  EXPECT_EQ(close_at_connect(), 4001);
  begin_and_come_back("later");
  say("connect", result({{"user", "1"}}));
  (void)context("later", "connected");

  (void)subscribe("later", "plain");
  say("subscribe", error(1999, "not yours"));
  begin_subscribe("later", "asked:no");
  const Json unsubscribed = context("later", "unsubscribed", "asked:no");
  EXPECT_EQ(unsubscribed["code"], 1999);
  EXPECT_EQ(unsubscribed["reason"], "not yours");
  say("subscribe", result(Json::object()));
  (void)subscribe("later", "asked:yes");
  say("publish", error(400));
  EXPECT_EQ(error_of("publish", "later", {{"channel", "asked:yes"}, {"data", 1}}), 400);
  say("rpc", error(500));
  EXPECT_EQ(error_of("rpc", "later", {{"method", "m"}, {"data", 1}}), 500);
  EXPECT_EQ(error_of("publish", "later", {{"channel", "plain"}, {"data", 1}}), 0);

  say("publish", disconnect(4002));
  EXPECT_NE(error_of("publish", "later", {{"channel", "asked:yes"}, {"data", 1}}), 0);
  ends("later", "connecting", 4002);
  (void)context("later", "connected");
  (void)context("later", "subscribed", "asked:yes");
  say("rpc", disconnect(4501));
  EXPECT_NE(error_of("rpc", "later", {{"method", "m"}, {"data", 1}}), 0);
  ends("later", "disconnected", 4501);

  // Whoever the application lets in for a time: no longer.
  let_in_for(3, {{"user", "1"}});
  say("refresh", result({{"expired", true}}));
  (void)connect("expiring");
  ends("expiring", "connecting", 3005);
}

/// The ways in which it fails.
const HookReply kFailures[] = {
    {.status = 500, .body = "oops"},
    {.status = 302, .headers = "Location: /other\r\n"},
    {.body = "garbage"},
    {.body = "{}"},
    {.body = R"({"result":7})"},
    {.end = HookReply::End::kCutInside},
    {.end = HookReply::End::kEndless},
    {.delay = 4s},  // longer than it is waited for
};

TEST_P(Hooks, TheApplicationFails) {
  // The failures in a row stay below what opens the breaker: every other answer is one.
  start({"--hook-timeout", "2s"});
  say("connect", result({{"user", "1"}}));
  (void)connect("other");
  (void)subscribe("other", "plain");
  (void)connect("a");
  (void)subscribe("a", "asked:1");
  (void)subscribe("a", "plain");
  const auto still_there = [&](int number) {
    EXPECT_EQ(error_of("publish", "other", {{"channel", "plain"}, {"data", number}}), 0);
    for (const char* name : {"other", "a"})
      EXPECT_EQ(context(name, "publication", "plain")["data"], number);
  };
  int number = 0;
  int clients = 2;
  for (const HookReply& failure : kFailures) {
    SCOPED_TRACE(std::to_string(++number));
    // What fails is no matter of the encoding.
    if (GetParam() && number % 4 != 0 && !full_size()) continue;
    ++clients;
    say("publish", failure);
    const int publish = sdk_.begin("publish", "a", {{"channel", "asked:1"}, {"data", 1}});
    still_there(number);  // whoever asks nothing waits for nothing
    EXPECT_EQ(sdk_.result(publish, kWait)["error"]["code"], 100);
    say("publish", result(Json::object()));
    EXPECT_EQ(error_of("publish", "a", {{"channel", "asked:1"}, {"data", 1}}), 0);

    say("rpc", failure);
    EXPECT_EQ(error_of("rpc", "a", {{"method", "m"}, {"data", 1}}), 100);
    say("rpc", result({{"data", 5}}));
    EXPECT_EQ(attempt("rpc", "a", {{"method", "m"}, {"data", 1}})["value"]["data"], 5);

    // Temporary: the SDK tries again until it is answered.
    const std::string channel = "asked:failing" + std::to_string(number);
    say("subscribe", failure);
    begin_subscribe("a", channel);
    const Json said = sdk_.wait_event("a", "error", channel, kWait)["ctx"];
    EXPECT_EQ(said["error"]["code"], 100) << said;
    say("subscribe", result(Json::object()));
    (void)context("a", "subscribed", channel);

    const std::string name = "failing" + std::to_string(number);
    say("connect", failure);
    EXPECT_EQ(close_at_connect(), 3004);
    begin_and_come_back(name);
    say("connect", result({{"user", "1"}}));
    (void)context(name, "connected");
  }
  EXPECT_EQ(sdk_.call("state", "other")["state"], "connected");
  EXPECT_EQ(stack_->gateway().metrics().value("sluice_gateway_connections"), clients);

  // A refresh that fails is asked again; the connection stays meanwhile.
  let_in_for(3, {{"user", "1"}});
  say("refresh", kFailures[0]);
  (void)connect("refreshing");
  (void)question("refresh", 1);
  say("refresh", result({{"expire_at", std::time(nullptr) + 3600}}));
  (void)question("refresh", 2);
  EXPECT_EQ(sdk_.call("state", "refreshing")["state"], "connected");
}

TEST_P(Hooks, TheBreakerOpensAndCloses) {
  start({"--hook-timeout", "5s"});
  say("connect", result({{"user", "1"}}));
  (void)connect("a");
  say("rpc", kFailures[0]);
  const Json call = {{"method", "m"}, {"data", 1}};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(error_of("rpc", "a", call), 100);
  stack_->gateway().process().wait_line("the rpc hook has failed 10 times in a row");
  const std::size_t before = asked("rpc").size();
  EXPECT_EQ(error_of("rpc", "a", call), 100);
  EXPECT_EQ(asked("rpc").size(), before) << "nobody was asked";
  say("rpc", result({{"data", 1}}));
  EXPECT_TRUE(eventually(kWait, [&] { return error_of("rpc", "a", call) == 0; }));
  EXPECT_EQ(error_of("rpc", "a", call), 0);
}

TEST_P(Hooks, HeadersThatAreNamedAreForwarded) {
  start({"--hook-header", "cookie", "--hook-header", "Authorization"});
  let_in_for(2, {{"user", "1"}});
  say("refresh", result({{"expire_at", std::time(nullptr) + 3600}}));
  CentrifugeFleet fleet;
  CentrifugeOptions options;
  options.to = stack_->gateway().endpoint();
  options.encoding = GetParam() ? CentrifugeEncoding::kProtobuf : CentrifugeEncoding::kJson;
  options.headers = {
      {"Cookie", "session=1; a=ü"}, {"Authorization", "Bearer secret"}, {"X-Other", "never"}};
  const std::size_t one = fleet.connect(options);
  fleet.subscribe(one, "asked:1");
  ASSERT_TRUE(fleet.run_until(kWait, [&] { return fleet.all_subscribed(one, one + 1); }));
  (void)fleet.publish(one, "asked:1", "1");
  centrifuge::Command rpc;
  rpc.mutable_rpc()->set_method("m");
  rpc.mutable_rpc()->set_data("1");
  EXPECT_EQ(fleet.call(one, rpc).error().code(), 0U);
  ASSERT_TRUE(fleet.run_until(kWait, [&] { return !asked("refresh").empty(); }));
  fleet.disconnect(one);
  ASSERT_TRUE(fleet.run_until(kWait, [&] { return !asked("disconnected").empty(); }));
  for (const std::string& kind : kKinds) {
    const HookQuestion question = asked(kind).at(0);
    EXPECT_EQ(question.headers.at("cookie"), "session=1; a=ü") << kind;
    EXPECT_EQ(question.headers.at("authorization"), "Bearer secret") << kind;
    EXPECT_FALSE(question.headers.contains("x-other")) << kind;
  }
  const std::string log = stack_->gateway().process().output();
  EXPECT_EQ(log.find("secret"), std::string::npos);
  EXPECT_EQ(log.find("session"), std::string::npos);
}

TEST_P(Hooks, ADrainTellsOfTheLastClients) {
  start({"--drain-delay", "0s"});
  say("connect", result({{"user", "1"}}));
  std::set<std::string> clients;
  for (const char* name : {"a", "b", "c"})
    clients.insert(connect(name)["client"].get<std::string>());
  stack_->gateway().process().signal(SIGTERM);
  EXPECT_EQ(stack_->gateway().process().wait_exit(60s).code, 0);
  std::set<std::string> told;
  for (const HookQuestion& one : asked("disconnected"))
    told.insert(Json::parse(one.body)["client"].get<std::string>());
  EXPECT_EQ(told, clients);
}

}  // namespace
}  // namespace sluice::test
