// Presence on a real, private redis-server.
#include <gtest/gtest.h>

#include <algorithm>

#include "relay/brokers/redis_limits.h"
#include "tests/unit/relay/redis_broker_world.h"

namespace sluice::relay::test {
namespace {

class RedisPresence : public RedisBrokerTest {
 protected:
  static PresenceChange here(const std::string& channel, const std::string& client,
                             const std::string& user, const std::string& info = "") {
    return {channel, {client, user, info}, true};
  }
  static PresenceChange gone(const std::string& channel, const std::string& client) {
    return {channel, {client, {}, {}}, false};
  }
  void update(const std::vector<PresenceChange>& changes) {
    ASSERT_TRUE(broker_->update_presence(changes));
  }
  PresenceAnswer ask(const std::string& channel, bool counts_only = false) {
    const QueryId id = ++last_query_;
    broker_->presence(id, channel, counts_only);
    EXPECT_TRUE(loop_.run_until(5s, [&] { return events_.presences.contains(id); }));
    PresenceAnswer answer = events_.presences[id];
    std::sort(answer.entries.begin(), answer.entries.end(),
              [](const auto& one, const auto& other) { return one.client < other.client; });
    return answer;
  }

  QueryId last_query_ = 0;
};

TEST_F(RedisPresence, WhoIsThere) {
  open();
  const std::string binary("\0:\r\n", 4);
  update({here("a", "c1", "alice", binary), here("a", "c2", "alice"), here("b", "c1", "bob"),
          here("a", "c3", "7:colon", "info"), here("a", "c4", "")});
  const PresenceAnswer answer = ask("a");
  EXPECT_EQ(answer.error, "");
  EXPECT_EQ(answer.clients, 4U);
  EXPECT_EQ(answer.users, 3U);  // the anonymous are one
  ASSERT_EQ(answer.entries.size(), 4U);
  EXPECT_EQ(answer.entries[0].user, "alice");
  EXPECT_EQ(answer.entries[0].info, binary);
  EXPECT_EQ(answer.entries[2].user, "7:colon");
  EXPECT_EQ(answer.entries[2].info, "info");
  EXPECT_EQ(ask("b").clients, 1U);
  const PresenceAnswer counts = ask("a", true);
  EXPECT_EQ(counts.clients, 4U);
  EXPECT_EQ(counts.users, 3U);
  EXPECT_TRUE(counts.entries.empty());
  EXPECT_EQ(ask("nobody").clients, 0U);
}

TEST_F(RedisPresence, SetAgainChangedAndCleared) {
  open();
  update({here("a", "c1", "alice", "1"), here("a", "c2", "alice")});
  update({here("a", "c1", "alice", "1")});
  EXPECT_EQ(ask("a").users, 1U);
  update({here("a", "c1", "alice", "2")});
  EXPECT_EQ(ask("a").entries[0].info, "2");
  update({here("a", "c1", "bob")});
  EXPECT_EQ(ask("a").users, 2U);
  update({gone("a", "c2"), gone("a", "c2"), gone("a", "never")});
  EXPECT_EQ(ask("a").clients, 1U);
  EXPECT_EQ(ask("a").users, 1U);
  // In order, within a batch as well.
  update({gone("a", "c1"), here("a", "c1", "eve"), here("a", "c9", "eve"), gone("a", "c9")});
  EXPECT_EQ(ask("a").entries[0].user, "eve");
  EXPECT_EQ(ask("a").clients, 1U);
  update({gone("a", "c1")});
  EXPECT_EQ(ask("a").clients, 0U);
  EXPECT_EQ(ask("a").users, 0U);
  EXPECT_EQ(server_.command({"KEYS", "sluice:*"}), "");
}

TEST_F(RedisPresence, EntriesExpire) {
  open();
  update({here("a", "c1", "alice"), here("a", "c2", "bob")});
  EXPECT_EQ(ask("a").clients, 2U);
  const int ttl = std::stoi(server_.command({"TTL", "sluice:{a}:presence"}));
  EXPECT_GT(ttl, 50);
  EXPECT_LE(ttl, 60);
  // As if it had been set a minute ago.
  (void)server_.command({"ZADD", "sluice:{a}:presence-expiry", "1", "c1"});
  const PresenceAnswer answer = ask("a");
  EXPECT_EQ(answer.clients, 1U);
  EXPECT_EQ(answer.users, 1U);
  ASSERT_EQ(answer.entries.size(), 1U);
  EXPECT_EQ(answer.entries[0].client, "c2");
  EXPECT_EQ(server_.command({"HLEN", "sluice:{a}:presence"}), "1");
}

TEST_F(RedisPresence, ThousandsInBatchesAndABoundedAnswer) {
  open();
  const std::string info(1000, 'i');
  std::vector<PresenceChange> changes;
  for (int i = 0; i < 6000; ++i) {
    changes.push_back(here("a", "client-" + std::to_string(i), std::to_string(i % 10), info));
  }
  for (std::size_t begin = 0; begin < changes.size(); begin += 500) {
    ASSERT_TRUE(broker_->update_presence(std::span(changes).subspan(begin, 500)));
  }
  const PresenceAnswer answer = ask("a");
  EXPECT_EQ(answer.clients, 6000U);
  EXPECT_EQ(answer.users, 10U);
  EXPECT_GT(answer.entries.size(), 1000U);
  EXPECT_LE(answer.entries.size() * 1000, kPresenceReplyBytesMax + (1U << 20U));
  EXPECT_EQ(broker_->stats().presence_updates_failed, 0U);
}

TEST_F(RedisPresence, ForgottenScriptsAreLoadedAgain) {
  open();
  (void)server_.command({"SCRIPT", "FLUSH"});
  update({here("a", "c1", "alice")});
  EXPECT_EQ(ask("a").clients, 1U);
}

TEST_F(RedisPresence, WhatStrangersPutThereDoesNoHarm) {
  open();
  update({here("a", "c1", "alice")});
  (void)server_.command({"HSET", "sluice:{a}:presence", "x", "no colon", "y", "99:short", "z", ""});
  (void)server_.command({"ZADD", "sluice:{a}:presence-expiry", "99999999999999", "x",
                         "99999999999999", "y", "99999999999999", "z"});
  const PresenceAnswer answer = ask("a");
  EXPECT_EQ(answer.error, "");
  ASSERT_EQ(answer.entries.size(), 4U);
  EXPECT_EQ(answer.entries[1].user, "");
  update({gone("a", "x"), gone("a", "y"), gone("a", "z")});
  EXPECT_EQ(ask("a").users, 1U);
}

}  // namespace
}  // namespace sluice::relay::test
