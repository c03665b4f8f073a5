#include "relay/api/http_head.h"

#include <gtest/gtest.h>

#include <string>

#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

const std::string kRequest =
    "POST /api/publish?x=1 HTTP/1.1\r\nHost: a\r\nX-API-Key: secret\r\nContent-Length: 2\r\n\r\n{}";

int status_of(const std::string& fields, const std::string& line = "POST /api/info HTTP/1.1") {
  return parse_http_head(line + "\r\n" + fields + "\r\n").status;
}

TEST(ApiHttpHead, WholeOnlyWithTheEmptyLine) {
  for (std::size_t size = 0; size < kRequest.size() - 2; ++size)
    ASSERT_EQ(parse_http_head(kRequest.substr(0, size)).status, 0) << size;
  const HttpHead head = parse_http_head(kRequest);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.bytes, kRequest.size() - 2);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/api/publish");
  EXPECT_EQ(head.body_bytes, 2U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expects_continue);
  EXPECT_EQ(head.key, "secret");
}

TEST(ApiHttpHead, KeepsAliveAsTheVersionAndTheFieldSay) {
  const auto keeps = [](const std::string& version, const std::string& fields) {
    return parse_http_head("POST / HTTP/" + version + "\r\nHost: a\r\n" + fields + "\r\n")
        .keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("1.1", "Connection: foo , Close\r\n"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
}

TEST(ApiHttpHead, TakesTheKeyFromEitherField) {
  const auto key = [](const std::string& fields) {
    return std::string(parse_http_head("POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n\r\n").key);
  };
  EXPECT_EQ(key("x-api-KEY:  abc "), "abc");
  EXPECT_EQ(key("Authorization: ApiKey abc"), "abc");
  EXPECT_EQ(key("Authorization: Bearer abc"), "");
  EXPECT_EQ(key("X-Other: abc"), "");
}

TEST(ApiHttpHead, WhatCouldBeReadInTwoWaysIsRefused) {
  EXPECT_EQ(status_of("Host: a\r\n"), 200);
  for (const char* fields :
       {"", "Host: a\r\nHost: b\r\n", "Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "Host: a\r\nContent-Length: 1, 1\r\n", "Host: a\r\nContent-Length: +1\r\n",
        "Host: a\r\nContent-Length: -1\r\n", "Host: a\r\nContent-Length:\r\n",
        "Host: a\r\nContent-Length: 0x1\r\n", "Host: a\r\nContent-Length : 1\r\n",
        "Host: a\r\n folded\r\n", "Host: a\r\nno colon\r\n", "Host: a\r\n: empty\r\n",
        "Host: a\r\nX: a\nb\r\n", "Host: a\r\nX: a\rb\r\n",
        "Host: a\r\nX-API-Key: a\r\nX-API-Key: b\r\n",
        "Host: a\r\nX-API-Key: a\r\nAuthorization: apikey b\r\n",
        "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(status_of(fields), 400) << fields;
  }
  EXPECT_EQ(status_of(std::string("Host: a\r\nX: a\0b\r\n", 17)), 400);
  for (const char* line : {"POST /", "POST  HTTP/1.1", "POST / x HTTP/1.1", "PO(T / HTTP/1.1",
                           " / HTTP/1.1", "POST / FTP/1.1", "POST /\x7f HTTP/1.1"}) {
    EXPECT_EQ(status_of("Host: a\r\n", line), 400) << line;
  }
}

TEST(ApiHttpHead, OtherRefusalsSayWhatIsWrong) {
  EXPECT_EQ(status_of("Host: a\r\nTransfer-Encoding: chunked\r\n"), 411);
  EXPECT_EQ(status_of("Host: a\r\nExpect: something\r\n"), 417);
  EXPECT_EQ(status_of("Host: a\r\n", "POST / HTTP/2.0"), 505);
  const std::string at_most = std::to_string(kBodyBytesMax);
  EXPECT_EQ(status_of("Host: a\r\nContent-Length: " + at_most + "\r\n"), 200);
  EXPECT_EQ(status_of("Host: a\r\nContent-Length: " + std::to_string(kBodyBytesMax + 1) + "\r\n"),
            413);
  EXPECT_EQ(status_of("Host: a\r\nContent-Length: 99999999999999999999999\r\n"), 413);
}

TEST(ApiHttpHead, ExpectsContinueOnlyInHttp11) {
  EXPECT_TRUE(parse_http_head("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n")
                  .expects_continue);
  EXPECT_FALSE(parse_http_head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

TEST(ApiHttpHead, IsBounded) {
  const std::string begin = "POST / HTTP/1.1\r\nX: ";
  EXPECT_EQ(parse_http_head(begin + std::string(kHeadBytesMax - begin.size() - 1, 'x')).status, 0);
  EXPECT_EQ(parse_http_head(begin + std::string(kHeadBytesMax - begin.size(), 'x')).status, 431);
  EXPECT_EQ(parse_http_head(begin + std::string(kHeadBytesMax, 'x') + "\r\n\r\n").status, 431);
}

TEST(ApiHttpHead, WhoSpeaksTlsIsNotWaitedFor) {
  EXPECT_EQ(parse_http_head(std::string("\x16\x03\x01", 3)).status, 400);
}

}  // namespace
}  // namespace sluice::relay::api
