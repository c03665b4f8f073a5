#include "relay/brokers/redis_command.h"

#include <gtest/gtest.h>

#include <vector>

namespace sluice::relay {
namespace {

std::string written(const std::vector<std::string_view>& words, std::string out = {}) {
  append_redis_command(out, words);
  return out;
}

TEST(RedisCommand, IsAnArrayOfStrings) {
  EXPECT_EQ(written({"PING"}), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(written({"PUBLISH", "a", "hello"}),
            "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$5\r\nhello\r\n");
}

TEST(RedisCommand, WordsAreBytes) {
  EXPECT_EQ(written({"PUBLISH", std::string_view("\0\r\n", 3), ""}),
            std::string("*3\r\n$7\r\nPUBLISH\r\n$3\r\n\0\r\n\r\n$0\r\n\r\n", 32));
}

TEST(RedisCommand, ComesBehindWhatIsThere) {
  EXPECT_EQ(written({"ROLE"}, "before"), "before*1\r\n$4\r\nROLE\r\n");
}

TEST(RedisCommand, LengthsOfSeveralDigits) {
  const std::string large(123456, 'x');
  EXPECT_EQ(written({large}), "*1\r\n$123456\r\n" + large + "\r\n");
  const std::vector<std::string_view> many(1001, "n");
  EXPECT_TRUE(written(many).starts_with("*1001\r\n$1\r\nn\r\n"));
}

}  // namespace
}  // namespace sluice::relay
