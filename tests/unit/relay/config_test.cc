#include "relay/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace sluice::relay {
namespace {

struct Outcome {
  RelayConfig config;
  std::optional<int> exit_code;
  std::string said;
};

Outcome read(std::vector<std::string> args) {
  args.insert(args.begin(), "sluice-relay");
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  Outcome out;
  testing::internal::CaptureStderr();
  out.exit_code = read_config(static_cast<int>(args.size()), argv.data(), out.config);
  out.said = testing::internal::GetCapturedStderr();
  return out;
}

TEST(RelayConfig, HasTheDocumentedDefaults) {
  const Outcome out = read({"--listen", "unix:/run/relay.sock"});
  ASSERT_FALSE(out.exit_code) << out.said;
  const RelayConfig& c = out.config;
  EXPECT_EQ(c.listen.path, "/run/relay.sock");
  EXPECT_EQ(c.socket_mode, 0660U);
  EXPECT_EQ(c.allow_uids, (std::vector<uid_t>{::geteuid(), 0}));
  EXPECT_EQ(c.broker, "memory:");
  EXPECT_FALSE(c.admin_listen);
  EXPECT_EQ(c.router.linger, std::chrono::seconds(60));
  EXPECT_EQ(c.router.ring.messages_max, 65536U);
  EXPECT_EQ(c.router.ring.bytes_max, 64U << 20U);
  EXPECT_EQ(c.router.ring.age_max, std::chrono::minutes(5));
  EXPECT_EQ(c.router.gateway_queue_bytes, 16U << 20U);
  EXPECT_EQ(c.router.publish_queue_bytes, 16U << 20U);
  EXPECT_EQ(c.router.gateways_max, 64U);
  EXPECT_EQ(c.router.channels_max, 100000U);
  EXPECT_EQ(c.router.payload_bytes_max, 1U << 20U);
}

TEST(RelayConfig, TakesWhatIsSaid) {
  const Outcome out =
      read({"--listen", "unix:/r", "--allow-uid", "7", "--allow-uid", "8", "--linger", "5s",
            "--ring-messages", "100", "--admin-listen", "127.0.0.1:0", "--log-level", "debug"});
  ASSERT_FALSE(out.exit_code) << out.said;
  EXPECT_EQ(out.config.allow_uids, (std::vector<uid_t>{7, 8}));
  EXPECT_EQ(out.config.router.linger, std::chrono::seconds(5));
  EXPECT_EQ(out.config.router.ring.messages_max, 100U);
  EXPECT_EQ(out.config.admin_listen->host, "127.0.0.1");
  EXPECT_EQ(out.config.log_level, LogLevel::kDebug);
}

TEST(RelayConfig, RulesAreCheckedWhenAsked) {
  const std::string path = testing::TempDir() + "relay_rules_" + std::to_string(::getpid());
  const auto check = [&path](const std::string& toml) {
    std::ofstream(path) << toml;
    return read({"--listen", "unix:/r", "--rules", path, "--check"});
  };
  EXPECT_EQ(check("[channels]\nsubscribe = \"everyone\"\n").exit_code, 0);
  const Outcome wrong = check("[channels]\nno_such_key = 1\n");
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.said.find("--rules"), std::string::npos) << wrong.said;
  ::unlink(path.c_str());
  EXPECT_EQ(read({"--listen", "unix:/r", "--rules", path, "--check"}).exit_code, 2);
  const Outcome both = read({"--listen", "unix:/r", "--rules", path, "--open-access"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_NE(both.said.find("exclude"), std::string::npos) << both.said;
  const Outcome open = read({"--listen", "unix:/r", "--open-access"});
  EXPECT_FALSE(open.exit_code);
  EXPECT_TRUE(open.config.open_access);
}

TEST(RelayConfig, NamesTheFlagThatIsWrong) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{}, "--listen"},
      {{"--listen", "127.0.0.1:80"}, "--listen"},
      {{"--listen", "unix:/r", "--linger", "5"}, "--linger"},
      {{"--listen", "unix:/r", "--broker", "rediss://localhost"}, "--broker"},
      {{"--listen", "unix:/r", "--broker", "nats://localhost"}, "--broker"},
      {{"--listen", "unix:/r", "--allow-uid", "root"}, "--allow-uid"},
      {{"--listen", "unix:/r", "--max-message-size", "1GiB"}, "--max-message-size"},
  };
  for (const auto& [args, flag] : cases) {
    const Outcome out = read(args);
    EXPECT_EQ(out.exit_code, 2) << flag;
    EXPECT_NE(out.said.find(flag), std::string::npos) << out.said;
  }
}

}  // namespace
}  // namespace sluice::relay
