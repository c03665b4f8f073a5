#include "gateway/http_reply.h"

#include <gtest/gtest.h>

#include <set>

#include "gateway/refusal.h"

namespace sluice::gateway {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(HttpReply, IsBuiltWhole) {
  Reply reply;
  reply.status = 404;
  reply.body = "gone\n";
  reply.headers.push_back({"X-A", "b"});
  EXPECT_EQ(build_reply(reply),
            "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 5\r\nCache-Control: no-store\r\nConnection: close\r\nX-A: b\r\n\r\n"
            "gone\n");
}

TEST(HttpReply, HeadHasLengthAndNoBody) {
  Reply reply;
  reply.body = "gone\n";
  reply.omit_body = true;
  const std::string bytes = build_reply(reply);
  EXPECT_TRUE(contains(bytes, "Content-Length: 5\r\n"));
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n"));
}

TEST(HttpReplyDeathTest, HeaderValuesCannotEndTheirLine) {
  Reply reply;
  reply.headers.push_back({"X", "a\r\nSet-Cookie: b"});
  EXPECT_DEATH({ auto bytes = build_reply(reply); }, "CHECK|find_first_of");
}

TEST(Refusal, CarriesWhatItsReasonAsksFor) {
  const std::string method = build_refusal({RefusalReason::kMethod, 405, "t"});
  EXPECT_TRUE(contains(method, "HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_TRUE(contains(method, "\r\nAllow: GET\r\n"));
  const std::string upgrade = build_refusal({RefusalReason::kNotUpgrade, 426, "t"});
  EXPECT_TRUE(contains(upgrade, "\r\nUpgrade: websocket\r\n"));
  EXPECT_TRUE(contains(upgrade, "\r\nConnection: close, Upgrade\r\n"));
  EXPECT_FALSE(contains(upgrade, "Sec-WebSocket-Version"));
  const std::string version = build_refusal({RefusalReason::kWebSocketVersion, 426, "t"});
  EXPECT_TRUE(contains(version, "\r\nSec-WebSocket-Version: 13\r\n"));
  EXPECT_TRUE(contains(version, "\r\nUpgrade: websocket\r\n"));
  const std::string full = build_refusal({RefusalReason::kProcessFull, 503, "t"});
  EXPECT_TRUE(contains(full, "\r\nRetry-After: 1\r\n"));
  EXPECT_TRUE(full.ends_with("\r\n\r\nt\n"));
  EXPECT_TRUE(contains(build_refusal({RefusalReason::kAddressFull, 429, "t"}), "Retry-After: 1"));
}

TEST(Refusal, NamesAreDistinctLabels) {
  std::set<std::string_view> names;
  for (const RefusalReason reason : all_refusal_reasons()) names.insert(to_string(reason));
  EXPECT_EQ(names.size(), kRefusalReasons);
}

}  // namespace
}  // namespace sluice::gateway
