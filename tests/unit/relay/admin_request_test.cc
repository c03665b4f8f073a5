#include "relay/admin_request.h"

#include <gtest/gtest.h>

#include <string>

#include "relay/limits.h"

namespace sluice::relay {
namespace {

int status_of(std::string_view bytes) {
  return parse_admin_request(bytes).status;
}

TEST(AdminRequest, WholeOnlyWithTheEmptyLine) {
  const std::string bytes = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_EQ(status_of(bytes.substr(0, size)), 0) << size;
  }
  const AdminRequest request = parse_admin_request(bytes);
  EXPECT_EQ(request.status, 200);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/metrics?x=1");
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\n\r\nbody"), 200);
}

TEST(AdminRequest, NonsenseIsRefusedAtItsFirstLine) {
  for (const char* bytes : {"nonsense\r\n", "GET /\r\n", "GET  HTTP/1.1\r\n", " / HTTP/1.1\r\n",
                            "GET a HTTP/1.1\r\n", "GET / a HTTP/1.1\r\n", "GET / FTP/1.1\r\n",
                            "G@T / HTTP/1.1\r\n", "\r\n", "GET /\x7f HTTP/1.1\r\n"}) {
    EXPECT_EQ(status_of(bytes), 400) << bytes;
  }
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

TEST(AdminRequest, WhoSpeaksTlsIsNotWaitedFor) {
  EXPECT_EQ(status_of(std::string("\x16\x03\x01\x02\x00", 5)), 400);
  EXPECT_EQ(status_of(std::string("\0", 1)), 400);
}

TEST(AdminRequest, HeadIsBounded) {
  const std::string line = "GET / HTTP/1.1\r\nX: ";
  EXPECT_EQ(status_of(line + std::string(kAdminHeadBytesMax - line.size() - 1, 'x')), 0);
  EXPECT_EQ(status_of(line + std::string(kAdminHeadBytesMax - line.size(), 'x')), 431);
  EXPECT_EQ(status_of(std::string(kAdminHeadBytesMax, 'x')), 431);
  EXPECT_EQ(status_of(line + std::string(kAdminHeadBytesMax, 'x') + "\r\n\r\n"), 431);
}

}  // namespace
}  // namespace sluice::relay
