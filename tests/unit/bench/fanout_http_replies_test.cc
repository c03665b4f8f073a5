#include <gtest/gtest.h>

#include "bench/fanout/dialects/http_replies.h"

namespace sluice::fanout {
namespace {

std::string reply(const std::string& body, const std::string& status = "202 Accepted") {
  return "HTTP/1.1 " + status + "\r\nServer: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST(HttpReplies, CountsAtEverySplit) {
  const std::string bytes =
      reply("queued messages: 0") + reply("") + reply("HTTP/1.1 500 is text here\r\n\r\n");
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    HttpReplies replies;
    ASSERT_TRUE(replies.feed(std::string_view(bytes).substr(0, split)));
    ASSERT_TRUE(replies.feed(std::string_view(bytes).substr(split)));
    EXPECT_EQ(replies.count(), 3U) << split;
  }
}

TEST(HttpReplies, CountsAReplyWhenItsBodyIsThere) {
  HttpReplies replies;
  const std::string bytes = reply("body");
  ASSERT_TRUE(replies.feed(std::string_view(bytes).substr(0, bytes.size() - 1)));
  EXPECT_EQ(replies.count(), 0U);
  ASSERT_TRUE(replies.feed(std::string_view(bytes).substr(bytes.size() - 1)));
  EXPECT_EQ(replies.count(), 1U);
}

TEST(HttpReplies, AnErrorIsForGood) {
  HttpReplies replies;
  EXPECT_FALSE(replies.feed(reply("") + reply("", "503 Service Unavailable") + reply("")));
  EXPECT_EQ(replies.count(), 1U);
  EXPECT_FALSE(replies.feed(reply("")));
}

TEST(HttpReplies, WithoutALengthItIsNone) {
  HttpReplies replies;
  EXPECT_FALSE(replies.feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

TEST(HttpReplies, AHeadHasABound) {
  HttpReplies replies;
  EXPECT_FALSE(replies.feed("HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'x')));
}

}  // namespace
}  // namespace sluice::fanout
