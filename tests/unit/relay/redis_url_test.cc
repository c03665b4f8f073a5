#include "relay/brokers/redis_url.h"

#include <gtest/gtest.h>

#include "relay/brokers/redis_error.h"

namespace sluice::relay {
namespace {

TEST(RedisUrl, HostPortAndDatabase) {
  const auto options = parse_redis_url("redis://redis.example:6380/3");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->host, "redis.example");
  EXPECT_EQ(options->port, 6380);
  EXPECT_EQ(options->db, 3U);
  EXPECT_TRUE(options->user.empty());
  EXPECT_EQ(describe(*options), "redis://redis.example:6380/3");
}

TEST(RedisUrl, Defaults) {
  for (const char* url : {"redis://h", "redis://h/", "redis://h:6379", "redis://h:6379/0"}) {
    const auto options = parse_redis_url(url);
    ASSERT_TRUE(options) << url;
    EXPECT_EQ(describe(*options), "redis://h:6379/0");
  }
}

TEST(RedisUrl, User) {
  const auto options = parse_redis_url("redis://a%40b%3Ac@h");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->user, "a@b:c");
  EXPECT_EQ(describe(*options), "redis://a%40b%3Ac@h:6379/0");
}

TEST(RedisUrl, Ipv6) {
  const auto options = parse_redis_url("redis://[::1]:7000");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->host, "::1");
  EXPECT_EQ(options->port, 7000);
  EXPECT_EQ(describe(*options), "redis://[::1]:7000/0");
}

TEST(RedisUrl, UnixSocket) {
  const auto plain = parse_redis_url("redis+unix:///run/a@b.sock");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->unix_path, "/run/a@b.sock");
  EXPECT_EQ(describe(*plain), "redis+unix:///run/a@b.sock");
  const auto full = parse_redis_url("redis+unix://me@/run/r.sock?db=2");
  ASSERT_TRUE(full);
  EXPECT_EQ(full->unix_path, "/run/r.sock");
  EXPECT_EQ(full->user, "me");
  EXPECT_EQ(full->db, 2U);
  EXPECT_EQ(describe(*full), "redis+unix://me@/run/r.sock?db=2");
}

TEST(RedisUrl, PasswordIsRefusedAndNotRepeated) {
  for (const char* url : {"redis://u:s3cret@h", "redis://:s3cret@h:1/0", "redis://:s3/c@ret@h",
                          "redis://:s3cret%40@h/5", "redis+unix://u:s3cret@/run/r.sock"}) {
    const auto options = parse_redis_url(url);
    ASSERT_FALSE(options) << url;
    EXPECT_NE(options.error().message.find("--broker-password-file"), std::string::npos) << url;
    EXPECT_EQ(options.error().message.find("s3"), std::string::npos) << url;
  }
}

TEST(RedisUrl, TlsIsRefusedByName) {
  const auto options = parse_redis_url("rediss://h:6379");
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().message.find("TLS to Redis is not supported yet"), std::string::npos);
}

TEST(RedisUrl, Malformed) {
  for (const char* url : {"",
                          "redis",
                          "http://h",
                          "redis://",
                          "redis://:6379",
                          "redis://h:",
                          "redis://h:0",
                          "redis://h:65536",
                          "redis://h:x",
                          "redis://h/x",
                          "redis://h/-1",
                          "redis://h/1/2",
                          "redis://@h",
                          "redis://a%4@h",
                          "redis://a%zz@h",
                          "redis://::1:6379",
                          "redis://[::1",
                          "redis://[::1]x",
                          "redis://a b",
                          "redis://h\n",
                          "redis://h?db=1",
                          "redis+unix://",
                          "redis+unix://host/path",
                          "redis+unix:///",
                          "redis+unix:///p?db=",
                          "redis+unix:///p?x=1"}) {
    EXPECT_FALSE(parse_redis_url(url)) << url;
  }
  EXPECT_FALSE(parse_redis_url("redis+unix:///" + std::string(107, 'a')));
  EXPECT_TRUE(parse_redis_url("redis+unix:///" + std::string(106, 'a')));
}

TEST(RedisError, Kinds) {
  using Kind = RedisErrorKind;
  EXPECT_EQ(classify_redis_error("NOAUTH Authentication required."), Kind::kAuthentication);
  EXPECT_EQ(classify_redis_error("WRONGPASS invalid username-password pair"),
            Kind::kAuthentication);
  EXPECT_EQ(classify_redis_error("LOADING Redis is loading"), Kind::kNotServing);
  EXPECT_EQ(classify_redis_error("READONLY You can't write"), Kind::kNotServing);
  EXPECT_EQ(classify_redis_error("NOPERM this user"), Kind::kNotPermitted);
  EXPECT_EQ(classify_redis_error("ERR unknown command 'ROLE'"), Kind::kNotPermitted);
  EXPECT_EQ(classify_redis_error("MISCONF Redis is configured"), Kind::kOther);
}

TEST(RedisError, Texts) {
  EXPECT_EQ(reason_of_error("WRONGPASS x"), "authentication failed (check --broker-password-file)");
  EXPECT_EQ(reason_of_error("LOADING x"), "Redis says: LOADING x");
  EXPECT_EQ(printable("a\nb\x7f"), "a?b?");
  EXPECT_EQ(printable(std::string(500, 'x')).size(), 203U);
}

}  // namespace
}  // namespace sluice::relay
