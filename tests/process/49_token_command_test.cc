// `sluice check` and `sluice token`: what they say of files and tokens, how they end, and that no
// secret is in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/process/support/daemons.h"

namespace sluice::test {
namespace {

using Json = nlohmann::json;

const std::string kSecret = "0123456789abcdef0123456789abcdef";

class TokenCommand : public ::testing::Test {
 protected:
  static Finished sluice(Args args, std::map<int, int> fds = {}) {
    SpawnOptions options;
    options.args = {tool_program()};
    options.args.insert(options.args.end(), args.begin(), args.end());
    options.fds = std::move(fds);
    return run(std::move(options));
  }
  std::string make(Args args) {
    args.insert(args.begin(), {"token", "make", "--key-file", keys_});
    const Finished finished = sluice(args);
    EXPECT_EQ(finished.status.code, 0) << finished.output;
    return finished.output.substr(0, finished.output.find('\n'));
  }
  Json inspect(const std::string& token, const Args& more, int code) {
    Args args{"token", "inspect", token, "--json"};
    args.insert(args.end(), more.begin(), more.end());
    const Finished finished = sluice(args);
    EXPECT_EQ(finished.status.code, code) << finished.output;
    return Json::parse(finished.output, nullptr, false);
  }
  static void expect_complaint(const Finished& finished, int code, const Args& words) {
    EXPECT_EQ(finished.status.code, code) << finished.output;
    EXPECT_EQ(std::count(finished.output.begin(), finished.output.end(), '\n'), 1)
        << finished.output;
    EXPECT_EQ(finished.output.rfind("sluice", 0), 0U) << finished.output;
    for (const std::string& word : words)
      EXPECT_NE(finished.output.find(word), std::string::npos) << word << ": " << finished.output;
    EXPECT_EQ(finished.output.find(kSecret), std::string::npos);
  }

  TempDir files_;
  const std::string keys_ = files_.write("keys", "HS256:k1 " + kSecret + "\n");
  const std::string rules_ =
      files_.write("rules.toml",
                   "[connection]\nrpc_hook = true\ndisconnect_hook = true\n"
                   "[channels]\nsubscribe = 'users'\n[namespaces.chat]\nhistory_size = 5\n"
                   "history_ttl = '1m'\n");
};

TEST_F(TokenCommand, AMadeTokenIsRight) {
  const std::string token =
      make({"--user", "42", "--info", R"({"name":"Ada"})", "--subscribe", "news", "--subscribe",
            "chat:1", "--claims", R"({"meta":{"plan":"x"}})", "--audience", "a", "--issuer", "i"});
  const Json of = inspect(token, {"--key-file", keys_, "--audience", "a", "--issuer", "i"}, 0);
  EXPECT_EQ(of["kind"], "connection");
  EXPECT_EQ(of["right"], true);
  EXPECT_EQ(of["header"]["alg"], "HS256");
  EXPECT_EQ(of["header"]["kid"], "k1");
  EXPECT_EQ(of["claims"]["sub"], "42");
  EXPECT_EQ(of["claims"]["info"]["name"], "Ada");
  EXPECT_EQ(of["claims"]["meta"]["plan"], "x");
  EXPECT_EQ(of["claims"]["channels"], Json::parse(R"(["news","chat:1"])"));
  EXPECT_EQ(of["claims"]["exp"].get<std::int64_t>() - of["claims"]["iat"].get<std::int64_t>(),
            3600);
  EXPECT_EQ(inspect(token, {"--key-file", keys_, "--audience", "b"}, 1)["reason"], "audience");
  const Json unchecked = inspect(token, {}, 0);
  EXPECT_EQ(unchecked["checked"], false);
  EXPECT_TRUE(unchecked["right"].is_null());
}

TEST_F(TokenCommand, ASubscriptionToken) {
  const std::string token = make({"--user", "42", "--channel", "$chat:1", "--expires", "never"});
  const Json of = inspect(token, {"--key-file", keys_}, 0);
  EXPECT_EQ(of["kind"], "subscription");
  EXPECT_EQ(of["claims"]["channel"], "$chat:1");
  EXPECT_FALSE(of["claims"].contains("exp"));
}

TEST_F(TokenCommand, TokensThatAreNotTaken) {
  const std::string token = make({});
  const std::string other = files_.write("other", "HS256:k1 " + std::string(32, 'x') + "\n");
  EXPECT_EQ(inspect(token, {"--key-file", other}, 1)["reason"], "signature");
  const std::string expired = make({"--claims", R"({"exp":1})"});
  EXPECT_EQ(inspect(expired, {"--key-file", keys_}, 1)["reason"], "expired");
  expect_complaint(sluice({"token", "inspect", "no.token"}), 2, {"it is no token"});
  expect_complaint(sluice({"token", "inspect", token, "--key-file", files_.path() + "/none"}), 2,
                   {"No such file"});
}

TEST_F(TokenCommand, WhatPeopleRead) {
  const std::string token = make({"--user", "Ada", "--expires", "never"});
  Finished finished = sluice({"token", "inspect", token, "--key-file", keys_});
  EXPECT_EQ(finished.status.code, 0);
  for (const char* part : {"a connection token of user Ada\n", "\"alg\":\"HS256\"",
                           "expires:   never\n", "signature: right"}) {
    EXPECT_NE(finished.output.find(part), std::string::npos) << part << finished.output;
  }
  // Neither key nor signature.
  EXPECT_EQ(finished.output.find(kSecret), std::string::npos);
  EXPECT_EQ(finished.output.find(token.substr(token.rfind('.') + 1)), std::string::npos);
}

TEST_F(TokenCommand, MakingThatFails) {
  const auto made = [&](Args args) {
    args.insert(args.begin(), {"token", "make"});
    return sluice(args);
  };
  expect_complaint(made({}), 2, {"--key-file"});
  expect_complaint(made({"--key-file", files_.path() + "/none"}), 1, {"No such file"});
  expect_complaint(made({"--key-file", keys_, "--kid", "k2"}), 1, {"no such key"});
  expect_complaint(made({"--key-file", keys_, "--alg", "RS256"}), 1, {"no such key"});
  expect_complaint(made({"--key-file", keys_, "--alg", "none"}), 2, {"--alg", "none"});
  expect_complaint(made({"--key-file", keys_, "--info", "{"}), 2, {"--info", "JSON"});
  expect_complaint(made({"--key-file", keys_, "--claims", "[]"}), 2, {"--claims", "object"});
  expect_complaint(made({"--key-file", keys_, "--claims", R"({"sub":1})"}), 1,
                   {"a gateway would refuse such a token: claims"});
  expect_complaint(made({"--key-file", keys_, "--expires", "0s"}), 2, {"--expires"});
  expect_complaint(sluice({"token"}), 2, {"make or inspect"});
  expect_complaint(sluice({"token", "break"}), 2, {"make or inspect"});
}

TEST_F(TokenCommand, CheckShowsWhatTheRulesSay) {
  const Finished text = sluice({"check", rules_, "--key-file", keys_});
  EXPECT_EQ(text.status.code, 0) << text.output;
  for (const char* part :
       {"connect: clients with a token; up to 128 channels each", "hooks:   rpc, disconnected",
        "namespace", "(none)", "chat", "5 for 1m", "HS256", "k1", "secret"}) {
    EXPECT_NE(text.output.find(part), std::string::npos) << part << "\n" << text.output;
  }
  EXPECT_EQ(text.output.find(kSecret), std::string::npos);
  const Json json = Json::parse(sluice({"check", rules_, "--key-file", keys_, "--json"}).output);
  EXPECT_EQ(json["channels"]["subscribe"], "users");
  EXPECT_EQ(json["namespaces"]["chat"]["history_size"], 5);
  EXPECT_EQ(json["namespaces"]["chat"]["history_ttl_ms"], 60000);
  EXPECT_EQ(json["keys"][0]["alg"], "HS256");
  EXPECT_EQ(json["keys"][0]["kid"], "k1");
}

TEST_F(TokenCommand, CheckFindsWhatIsWrong) {
  const std::string wrong = files_.write("wrong.toml", "[channels]\nsubscribe = 'all'\n");
  const std::string wrong_keys = files_.write("wrong", "HS256 short\n");
  expect_complaint(sluice({"check", wrong}), 1, {"wrong.toml:2: [channels] subscribe"});
  expect_complaint(sluice({"check", files_.path() + "/none"}), 2, {"No such file"});
  expect_complaint(sluice({"check", rules_, "--key-file", wrong_keys}), 1, {"wrong:1: "});
  expect_complaint(sluice({"check", rules_, "--jwks-file", wrong_keys}), 1, {"Key Set"});
  expect_complaint(sluice({"check"}), 2, {"RULES"});
}

}  // namespace
}  // namespace sluice::test
