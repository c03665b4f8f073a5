#include "relay/brokers/redis_reply_reader.h"

#include <gtest/gtest.h>

namespace sluice::relay {
namespace {

TEST(RedisReplyReader, AWholeIntegerIsTakenOff) {
  RedisReplyReader reader;
  std::string_view bytes = ":0\r\n:123456789012345678\r\n:7\r\n+OK\r\n";
  EXPECT_TRUE(reader.take_integer(bytes));
  EXPECT_TRUE(reader.take_integer(bytes));
  EXPECT_TRUE(reader.take_integer(bytes));
  EXPECT_EQ(bytes, "+OK\r\n");
  EXPECT_FALSE(reader.take_integer(bytes));
  const RedisReplyPtr ok = reader.next(bytes);
  ASSERT_TRUE(ok);
  EXPECT_EQ(ok->type, REDIS_REPLY_STATUS);
}

TEST(RedisReplyReader, WhatIsNoWholeIntegerIsLeftAsItIs) {
  for (const std::string_view text :
       {"", ":", ":1", ":1\r", ":\r\n", ":x\r\n", ":-1\r\n", ":1\n\n", ":1x\r\n", "-ERR\r\n",
        "*1\r\n:1\r\n", ":1234567890123456789\r\n"}) {
    RedisReplyReader reader;
    std::string_view bytes = text;
    EXPECT_FALSE(reader.take_integer(bytes)) << text;
    EXPECT_EQ(bytes, text);
  }
}

TEST(RedisReplyReader, AnIntegerInsideAnotherReplyIsNotTakenOff) {
  RedisReplyReader reader;
  std::string_view bytes = "*2\r\n";
  EXPECT_FALSE(reader.next(bytes));
  EXPECT_TRUE(reader.rest().empty());  // between two elements nothing is held back
  bytes = ":1\r\n";
  EXPECT_FALSE(reader.take_integer(bytes));
  EXPECT_FALSE(reader.next(bytes));
  bytes = ":2\r\n:3\r\n";
  EXPECT_FALSE(reader.take_integer(bytes));
  const RedisReplyPtr both = reader.next(bytes);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->elements, 2U);
}

TEST(RedisReplyReader, ASplitIntegerIsAReply) {
  RedisReplyReader reader;
  std::string_view bytes = ":1";
  EXPECT_FALSE(reader.take_integer(bytes));
  EXPECT_FALSE(reader.next(bytes));
  bytes = "2\r\n:3\r\n";
  EXPECT_FALSE(reader.take_integer(bytes));
  const RedisReplyPtr twelve = reader.next(bytes);
  ASSERT_TRUE(twelve);
  EXPECT_EQ(twelve->integer, 12);
}

TEST(RedisReplyReader, TakesNothingBehindAFault) {
  RedisReplyReader reader;
  std::string_view bytes = "?what\r\n";
  EXPECT_FALSE(reader.next(bytes));
  EXPECT_FALSE(reader.problem().empty());
  bytes = ":1\r\n";
  EXPECT_FALSE(reader.take_integer(bytes));
}

}  // namespace
}  // namespace sluice::relay
