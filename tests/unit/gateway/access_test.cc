// The files of rules and keys: read at the start, read again, never replaced by a wrong one.
#include "gateway/access.h"

#include <gtest/gtest.h>

#include "tests/unit/common/token_world.h"

namespace sluice::gateway {
namespace {

class AccessTest : public testing::Test {
 protected:
  KeyDirectory directory;
  const std::string rules = directory.write("rules.toml", "[channels]\nsubscribe = 'users'\n");
  const std::string keys = directory.write("keys", std::string("HS256 ") + samples::kSecret + "\n");
  const AccessOptions options{.rules_file = rules, .open_access = false, .tokens = {keys}};
};

TEST_F(AccessTest, WithoutRulesThereAreNone) {
  Access access(AccessOptions{});
  ASSERT_TRUE(access.load());
  EXPECT_EQ(access.rules(), nullptr);
  EXPECT_TRUE(access.summary().empty());
  EXPECT_TRUE(access.warnings().empty());
  EXPECT_TRUE(access.reload().empty());
  EXPECT_EQ(access.stats().rules_read + access.stats().keys_read, 0U);
}

TEST_F(AccessTest, OpenAccessIsSaidLoudly) {
  Access access({.rules_file = "", .open_access = true, .tokens = {}});
  ASSERT_TRUE(access.load());
  ASSERT_NE(access.rules(), nullptr);
  EXPECT_TRUE(access.rules()->now().is_open_access());
  ASSERT_EQ(access.warnings().size(), 1U);
  EXPECT_TRUE(access.warnings()[0].starts_with("OPEN ACCESS"));
}

TEST_F(AccessTest, NothingIsAllowedBeforeTheFileIsRead) {
  const Access access(options);
  ASSERT_NE(access.rules(), nullptr);
  EXPECT_EQ(access.rules()->now().find("news"), nullptr);
}

TEST_F(AccessTest, FaultsAtTheStartNameTheFlag) {
  const auto fault = [](AccessOptions wrong) {
    const auto loaded = Access(std::move(wrong)).load();
    return loaded ? "" : loaded.error().message;
  };
  AccessOptions wrong = options;
  wrong.rules_file = directory.path("missing");
  EXPECT_EQ(fault(wrong), "--rules: " + wrong.rules_file + ": No such file or directory");
  wrong = options;
  wrong.tokens.key_file = directory.write("wrong", "HS256 short\n");
  EXPECT_TRUE(fault(wrong).starts_with("--token-key-file: " + wrong.tokens.key_file + ":1: "));
  wrong = options;
  wrong.tokens.jwks_file = directory.write("jwks", "{}");
  EXPECT_TRUE(fault(wrong).starts_with("--token-jwks-file: " + wrong.tokens.jwks_file + ": "));
}

TEST_F(AccessTest, AWrongFileChangesNothing) {
  Access access(options);
  ASSERT_TRUE(access.load());
  EXPECT_EQ(access.summary(),
            (std::vector<std::string>{"rules of " + rules + ": 1 namespace", "tokens: 1 key"}));
  EXPECT_TRUE(access.warnings().empty());

  directory.write("rules.toml", "[channels]\nsubscribe = 'all'\n");
  directory.write("keys", "");
  const auto faults = access.reload();
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_TRUE(faults[0].starts_with("--rules: " + rules + ":2: [channels] subscribe: "));
  EXPECT_TRUE(faults[0].ends_with("; the rules stay as they were"));
  EXPECT_TRUE(faults[1].starts_with("--token-key-file: " + keys + ": "));
  EXPECT_EQ(access.rules()->now().find("news")->subscribe, Who::kUsers);
  EXPECT_TRUE(access.tokens().connection(samples::kHs256Token, 1));

  // One that is right is taken, whatever the other is.
  directory.write("rules.toml", "[channels]\nsubscribe = 'everyone'\n");
  EXPECT_EQ(access.reload().size(), 1U);
  EXPECT_EQ(access.rules()->now().find("news")->subscribe, Who::kEveryone);
  directory.write("keys", "HS256 " + std::string(32, 'n') + "\n");
  EXPECT_TRUE(access.reload().empty());
  EXPECT_FALSE(access.tokens().connection(samples::kHs256Token, 1));
  EXPECT_EQ(access.stats().rules_read, 2U);
  EXPECT_EQ(access.stats().rules_refused, 1U);
  EXPECT_EQ(access.stats().keys_read, 1U);
  EXPECT_EQ(access.stats().keys_refused, 2U);
}

TEST_F(AccessTest, RulesThatLetNobodyInAreWarnedOf) {
  const auto warnings = [&](const std::string& connection) {
    directory.write("rules.toml", connection);
    Access access({.rules_file = rules, .open_access = false, .tokens = {}});
    EXPECT_TRUE(access.load());
    return access.warnings().size();
  };
  EXPECT_EQ(warnings(""), 1U);
  EXPECT_EQ(warnings("[connection]\nanonymous = true\n"), 0U);
  EXPECT_EQ(warnings("[connection]\nconnect_hook = true\n"), 0U);
}

}  // namespace
}  // namespace sluice::gateway
