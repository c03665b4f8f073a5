#include "relay/brokers/redis_handshake.h"

#include <gtest/gtest.h>

#include <memory>

namespace sluice::relay {
namespace {

using Said = RedisHandshake::Verdict;

struct ReplyFree {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using ReplyPtr = std::unique_ptr<redisReply, ReplyFree>;

/// What hiredis makes of these bytes.
ReplyPtr parse(std::string_view bytes) {
  redisReader* reader = redisReaderCreate();
  redisReaderFeed(reader, bytes.data(), bytes.size());
  void* reply = nullptr;
  redisReaderGetReply(reader, &reply);
  redisReaderFree(reader);
  return ReplyPtr(static_cast<redisReply*>(reply));
}

constexpr std::string_view kMaster = "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n";
constexpr std::string_view kReplica =
    "*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$7\r\nconnect\r\n:0\r\n";

std::string joined(const RedisHandshake& handshake) {
  std::string out;
  for (const auto& words : handshake.commands()) {
    for (const auto& word : words) out += word + " ";
    out += "|";
  }
  return out;
}

/// The verdict on the last of them.
Said feed(RedisHandshake& handshake, std::initializer_list<std::string_view> replies) {
  Said verdict = Said::kMore;
  for (const std::string_view bytes : replies) {
    EXPECT_EQ(verdict, Said::kMore);
    verdict = handshake.answer(*parse(bytes));
  }
  return verdict;
}

RedisHandshake::Settings named() {
  return {.user = {}, .password = std::nullopt, .db = 0, .client_name = "n"};
}

TEST(RedisHandshake, Commands) {
  EXPECT_EQ(joined(RedisHandshake(named())), "CLIENT SETNAME n |ROLE |INFO server |PING |");
  EXPECT_EQ(joined(RedisHandshake({"u", "p", 3, "n"})),
            "AUTH u p |SELECT 3 |CLIENT SETNAME n |ROLE |INFO server |PING |");
  EXPECT_EQ(joined(RedisHandshake({"", "p", 0, "n"})),
            "AUTH p |CLIENT SETNAME n |ROLE |INFO server |PING |");
}

TEST(RedisHandshake, Done) {
  RedisHandshake handshake({"", "p", 1, "n"});
  EXPECT_EQ(feed(handshake, {"+OK\r\n", "+OK\r\n", "+OK\r\n", kMaster,
                             "$24\r\n# Server\r\nrun_id:abc\r\nx\r\n\r\n", "+PONG\r\n"}),
            Said::kDone);
  EXPECT_EQ(handshake.server_id(), "abc");
  EXPECT_TRUE(handshake.role_known());
}

TEST(RedisHandshake, Authentication) {
  RedisHandshake wrong({"", "p", 0, "n"});
  EXPECT_EQ(feed(wrong, {"-WRONGPASS invalid username-password pair\r\n"}), Said::kFailed);
  EXPECT_EQ(wrong.loss().reason, "authentication failed (check --broker-password-file)");
  RedisHandshake none(named());
  EXPECT_EQ(feed(none, {"-NOAUTH Authentication required.\r\n"}), Said::kFailed);
  EXPECT_EQ(none.loss().reason, "authentication failed (check --broker-password-file)");
  RedisHandshake full({"", "p", 0, "n"});
  EXPECT_EQ(feed(full, {"-ERR max number of clients reached\r\n"}), Said::kFailed);
  EXPECT_EQ(full.loss().reason, "Redis says: ERR max number of clients reached");
}

TEST(RedisHandshake, ReplicaIsNotConnected) {
  RedisHandshake handshake(named());
  EXPECT_EQ(feed(handshake, {"+OK\r\n", kReplica}), Said::kFailed);
  EXPECT_EQ(handshake.loss().reason, "Redis is a replica, not a master");
  EXPECT_TRUE(handshake.loss().wrong_role);
}

TEST(RedisHandshake, LoadingIsNotConnected) {
  RedisHandshake handshake(named());
  EXPECT_EQ(feed(handshake, {"+OK\r\n", kMaster, "$-1\r\n", "-LOADING Redis is loading\r\n"}),
            Said::kFailed);
  EXPECT_FALSE(handshake.loss().wrong_role);
}

TEST(RedisHandshake, GoesOnWithoutWhatItMayNotAsk) {
  RedisHandshake handshake(named());
  EXPECT_EQ(
      feed(handshake, {"-NOPERM no\r\n", "-NOPERM no\r\n", "-NOPERM no\r\n", "-NOPERM no\r\n"}),
      Said::kDone);
  EXPECT_FALSE(handshake.role_known());
  EXPECT_TRUE(handshake.server_id().empty());
}

TEST(RedisHandshake, UnknownDatabase) {
  RedisHandshake handshake({"", std::nullopt, 99, "n"});
  EXPECT_EQ(feed(handshake, {"-ERR DB index is out of range\r\n"}), Said::kFailed);
  EXPECT_EQ(handshake.loss().reason, "Redis says: ERR DB index is out of range");
}

TEST(RedisRole, Sentinel) {
  EXPECT_FALSE(judge_role(*parse("*2\r\n$8\r\nsentinel\r\n*0\r\n")).usable);
  EXPECT_FALSE(judge_role(*parse("*0\r\n")).usable);
  EXPECT_FALSE(judge_role(*parse("+what\r\n")).usable);
}

}  // namespace
}  // namespace sluice::relay
