// What the rules make of a channel at the broker.
#include "relay/rules_policy.h"

#include <gtest/gtest.h>

#include "proto/names.h"

namespace sluice::relay {
namespace {

Rules parsed(std::string_view toml) {
  auto rules = Rules::parse(toml, "test.toml");
  EXPECT_TRUE(rules) << rules.error().message;
  return *std::move(rules);
}

TEST(RulesPolicy, AChannelIsAsItsNamespaceSays) {
  RulesStore store(parsed(R"(
[namespaces.chat]
subscribe = "users"
history_size = 7
history_ttl = "90s"
[namespaces.signed]
subscribe = "users"
publisher_info = true
[namespaces.bare]
subscribe = "users"
)"));
  const RulesPolicy policy(store);
  const ChannelOptions chat = policy.options("chat:1");
  EXPECT_EQ(chat.history_size, 7U);
  EXPECT_EQ(chat.history_ttl, std::chrono::seconds(90));
  EXPECT_TRUE(chat.envelope) << "implied by the history";
  const ChannelOptions with_info = policy.options("signed:1");
  EXPECT_FALSE(with_info.history());
  EXPECT_TRUE(with_info.envelope);
  EXPECT_EQ(policy.options("bare:1"), ChannelOptions{});
  EXPECT_EQ(policy.options("unknown:1"), ChannelOptions{});
}

TEST(RulesPolicy, WhatIsInForceCounts) {
  RulesStore store(parsed("[channels]\nsubscribe = \"everyone\"\n"));
  const RulesPolicy policy(store);
  EXPECT_FALSE(policy.options("c").history());
  store.replace(Rules::open_access());
  EXPECT_EQ(policy.options("c").history_size, 100U);
  EXPECT_EQ(policy.options("c").history_ttl, std::chrono::minutes(10));
}

TEST(RulesPolicy, InternalChannelsHaveNeither) {
  RulesStore store(Rules::open_access());
  const RulesPolicy policy(store);
  EXPECT_EQ(policy.options(proto::kControlChannel), ChannelOptions{});
  EXPECT_EQ(policy.options(proto::members_channel("c")), ChannelOptions{});
}

}  // namespace
}  // namespace sluice::relay
