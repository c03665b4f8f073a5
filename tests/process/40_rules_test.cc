// Rules of channels at a running gateway: plain clients under them, files read again, flags that
// contradict each other.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>

#include "tests/process/support/daemons.h"
#include "tests/process/support/ws_client.h"

namespace sluice::test {
namespace {

const std::string kRules = R"([connection]
anonymous = true
[channels]
subscribe = "users"
[namespaces.read]
subscribe = "everyone"
[namespaces.chat]
subscribe = "everyone"
publish = "subscribers"
message_bytes_max = "8B"
[namespaces.slow]
subscribe = "everyone"
publish = "everyone"
publish_rate = "0.001/s"
publish_burst = 2
)";
const std::string kKeys = "HS256 0123456789abcdef0123456789abcdef\n";

class RulesTest : public ::testing::Test {
 protected:
  Gateway& start(Args args) {
    Stack::Settings settings;
    settings.gateway_args = std::move(args);
    stack_ = std::make_unique<Stack>(std::move(settings));
    return stack_->gateway();
  }
  Gateway& start_with_rules() { return start({"--rules", rules_, "--token-key-file", keys_}); }
  HttpResponse dial(const std::string& path) {
    UpgradeRequest request;
    request.path = path;
    return WsClient::dial(stack_->gateway().endpoint(), request).response();
  }
  WsClient connect(const std::string& path) {
    return WsClient::connect(stack_->gateway().endpoint(), path);
  }
  double metric(const std::string& name, const std::string& label = "") {
    return stack_->gateway().metrics().value(name, label);
  }
  /// SIGHUP, and the line that it makes the gateway say.
  void reload(const std::string& line) {
    Process& process = stack_->gateway().process();
    const std::size_t from = process.mark();
    process.signal(SIGHUP);
    process.wait_line(line, 10s, from);
  }

  TempDir files_;
  const std::string rules_ = files_.write("rules.toml", kRules);
  const std::string keys_ = files_.write("keys", kKeys);
  std::unique_ptr<Stack> stack_;
};

TEST_F(RulesTest, WhoMayNotHaveAChannelIsRefusedAtTheUpgrade) {
  start_with_rules();
  for (const char* path : {"/", "/channel/news", "/channel/unknown:1", "/channel/:1"}) {
    const HttpResponse response = dial(path);
    EXPECT_EQ(response.status, 403) << path;
    EXPECT_NE(response.body.find("is not open to clients without a token"), std::string::npos)
        << response.body;
  }
  EXPECT_EQ(dial("/channel/read:1").status, 101);
  EXPECT_EQ(metric("sluice_gateway_refused_total", "not_allowed"), 4);
  EXPECT_EQ(metric("sluice_gateway_rules_namespaces"), 4);
  EXPECT_EQ(metric("sluice_gateway_token_keys"), 1);
}

TEST_F(RulesTest, PublishingIsForWhomTheRuleNames) {
  start_with_rules();
  WsClient reader = connect("/channel/read:1");
  reader.send_text("let me");
  const WsEvent close = reader.wait_close();
  EXPECT_EQ(close.code, 1008);
  EXPECT_EQ(close.data, "publishing is not allowed here");

  WsClient one = connect("/channel/chat:1");
  WsClient other = connect("/channel/chat:1");
  one.send_text("8 bytes!");
  EXPECT_EQ(one.text(), "8 bytes!");
  EXPECT_EQ(other.text(), "8 bytes!");
  one.send_text("nine bytes");
  EXPECT_EQ(one.wait_close().code, 1009);

  WsClient slow = connect("/channel/slow:1");
  slow.send_text("1");
  slow.send_text("2");
  EXPECT_EQ(slow.text(), "1");
  EXPECT_EQ(slow.text(), "2");
  slow.send_text("3");
  EXPECT_EQ(slow.wait_close().code, 1008);
  // Others go on.
  other.send_text("here");
  EXPECT_EQ(other.text(), "here");
  EXPECT_TRUE(eventually(10s, [&] {
    return metric("sluice_gateway_closed_total", "not_allowed") == 1 &&
           metric("sluice_gateway_closed_total", "too_big") == 1 &&
           metric("sluice_gateway_closed_total", "rate_limited") == 1;
  }));
}

TEST_F(RulesTest, TheDemoPagesClientsFollowThemToo) {
  start({"--rules", rules_, "--demo"});
  EXPECT_EQ(dial("/demo/channel/news").status, 403);
  WsClient client = connect("/demo/channel/read:1");
  EXPECT_NE(client.text().find("\"welcome\""), std::string::npos);
  client.send_text("let me");
  EXPECT_EQ(client.text(), R"({"type":"publish_failed","reason":"not allowed"})");
}

TEST_F(RulesTest, RulesAreReadAgainAndAWrongFileChangesNothing) {
  start_with_rules();
  WsClient reader = connect("/channel/read:1");
  EXPECT_EQ(dial("/channel/news").status, 403);

  files_.write("rules.toml", "[channels]\nsubscribe = 'all'\n");
  reload("error.*SIGHUP: --rules: .*rules.toml:2: \\[channels\\] subscribe: .*stay as they were");
  EXPECT_EQ(dial("/channel/news").status, 403);
  EXPECT_EQ(dial("/channel/read:1").status, 101);

  files_.write("keys", "HS256 short\n");
  files_.write("rules.toml",
               "[connection]\nanonymous = true\n[channels]\nsubscribe = 'everyone'\n"
               "publish = 'everyone'\n");
  reload("SIGHUP: rules of .*: 1 namespace$");
  EXPECT_EQ(dial("/channel/news").status, 101);
  EXPECT_EQ(dial("/channel/read:1").status, 403);
  EXPECT_EQ(metric("sluice_gateway_rules_reloads_total", "result=\"done\""), 1);
  EXPECT_EQ(metric("sluice_gateway_rules_reloads_total", "result=\"refused\""), 1);
  EXPECT_EQ(metric("sluice_gateway_key_reloads_total", "result=\"done\""), 1);
  EXPECT_EQ(metric("sluice_gateway_key_reloads_total", "result=\"refused\""), 1);
  EXPECT_EQ(metric("sluice_gateway_token_keys"), 1);
  // No secret, whatever was wrong with it.
  const std::string log = stack_->gateway().process().output();
  EXPECT_EQ(log.find("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(log.find("HS256 short"), std::string::npos);

  // Who was there is not judged again until it asks for something.
  EXPECT_EQ(metric("sluice_gateway_closed_total", "not_allowed"), 0);
  reader.send_text("x");
  EXPECT_EQ(reader.wait_close().code, 1008);
}

TEST_F(RulesTest, OpenAccessIsWarnedOf) {
  Gateway& gateway = start({"--open-access"});
  EXPECT_EQ(gateway.process().lines("warn.*OPEN ACCESS").size(), 1U);
  WsClient client = connect("/channel/any:thing");
  client.send_text("hello");
  EXPECT_EQ(client.text(), "hello");
  EXPECT_EQ(metric("sluice_gateway_open_access"), 1);
}

TEST_F(RulesTest, WithoutRulesPlainClientsMayDoEverything) {
  start({});
  WsClient client = connect("/channel/any:thing");
  client.send_text("hello");
  EXPECT_EQ(client.text(), "hello");
  EXPECT_EQ(dial("/connection/websocket").status, 404);
  reload("SIGHUP: nothing that this process reads again");
}

TEST_F(RulesTest, ASecretThatEverybodyMayReadIsWarnedOf) {
  std::filesystem::permissions(keys_, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  Gateway& gateway = start_with_rules();
  EXPECT_EQ(gateway.process().lines("warn.*keys holds a secret, and everybody").size(), 1U);
}

TEST_F(RulesTest, BadFlagsAndFilesAreRefusedInOneLine) {
  const std::string wrong_rules = files_.write("wrong.toml", "[channels]\nfoo = 1\n");
  const std::string wrong_keys = files_.write("wrong", "HS256 s3cret\n");
  const std::string wrong_jwks = files_.write("wrong.jwks", "{}");
  const struct {
    Args args;
    Args words;
  } cases[] = {
      {{"--rules", ""}, {"--rules", "name a file"}},
      {{"--rules", files_.path() + "/none"}, {"--rules", "No such file"}},
      {{"--rules", files_.path()}, {"--rules", "Is a directory"}},
      {{"--rules", wrong_rules}, {"--rules", "wrong.toml:2", "foo"}},
      {{"--rules", rules_, "--open-access"}, {"--open-access", "--rules"}},
      {{"--token-key-file", keys_}, {"--token-key-file", "--rules"}},
      {{"--token-jwks-file", keys_}, {"--token-jwks-file", "--rules"}},
      {{"--open-access", "--token-key-file", keys_}, {"--token-key-file", "--rules"}},
      {{"--rules", rules_, "--token-audience", "a"}, {"--token-audience", "--token-key-file"}},
      {{"--rules", rules_, "--token-issuer", "a"}, {"--token-issuer", "--token-key-file"}},
      {{"--rules", rules_, "--token-key-file", keys_, "--token-audience", ""},
       {"--token-audience", "1 to 255"}},
      {{"--rules", rules_, "--token-key-file", wrong_keys}, {"--token-key-file", "wrong:1"}},
      {{"--rules", rules_, "--token-jwks-file", wrong_jwks}, {"--token-jwks-file", "wrong.jwks"}},
  };
  for (const auto& c : cases) {
    for (const bool check : {false, true}) {
      SpawnOptions options;
      options.args = {gateway_program(),
                      "--id",
                      "1111",
                      "--listen",
                      "127.0.0.1:0",
                      "--relay",
                      "unix:" + files_.path() + "/relay.sock"};
      options.args.insert(options.args.end(), c.args.begin(), c.args.end());
      if (check) options.args.emplace_back("--check");
      const Finished finished = run(std::move(options));
      EXPECT_GT(finished.status.code, 0) << finished.output;
      EXPECT_EQ(std::count(finished.output.begin(), finished.output.end(), '\n'), 1)
          << finished.output;
      for (const std::string& word : c.words)
        EXPECT_NE(finished.output.find(word), std::string::npos) << word << ": " << finished.output;
      EXPECT_EQ(finished.output.find("s3cret"), std::string::npos) << finished.output;
    }
  }
}

}  // namespace
}  // namespace sluice::test
