#include "gateway/hooks/hook_settings.h"

#include <gtest/gtest.h>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

TEST(HookSettings, UrlsThatAreTaken) {
  for (const char* url :
       {"http://127.0.0.1:3000/connect", "https://app.example.org/hooks/connect", "http://app",
        "http://[::1]:80/", "HTTP://app/x", "http://user:secret@app/x", "http://app/x?key=1"}) {
    const auto parsed = parse_hook_url(url);
    ASSERT_TRUE(parsed) << url << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, url);
  }
}

TEST(HookSettings, UrlsThatAreRefused) {
  for (const std::string& url :
       {std::string(), std::string("app:3000/connect"), std::string("/connect"),
        std::string("http://"), std::string("http:///connect"), std::string("http:/app/x"),
        std::string("http:app"), std::string("ftp://app/x"), std::string("file:///etc/passwd"),
        std::string("unix:/run/app"), std::string("gopher://app/x"),
        std::string("http://app:99999/x"), std::string("http://app/x y"),
        std::string("http://app/x\r\nX: 1"), std::string("http://app/\0x", 13),
        std::string("http://app/#x"), "http://app/" + std::string(kHookUrlBytesMax, 'x')}) {
    EXPECT_FALSE(parse_hook_url(url)) << url;
  }
}

TEST(HookSettings, ARefusalDoesNotRepeatCredentials) {
  const auto refused = parse_hook_url("ftp://user:secret@app/x");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("secret"), std::string::npos);
}

TEST(HookSettings, HeadersInLowerCase) {
  EXPECT_EQ(parse_hook_header("Cookie").value(), "cookie");
  EXPECT_EQ(parse_hook_header("X-Real-User_1").value(), "x-real-user_1");
  EXPECT_EQ(parse_hook_header("authorization").value(), "authorization");
}

TEST(HookSettings, HeadersThatAreRefused) {
  for (const char* name : {"", "two words", "x:", "x\r\n", "\xC3\xBC", "Content-Length", "host",
                           "Transfer-Encoding", "connection", "Content-Type", "Expect", "Upgrade",
                           "Sec-WebSocket-Key", "Proxy-Authorization"}) {
    EXPECT_FALSE(parse_hook_header(name)) << name;
  }
}

}  // namespace
}  // namespace sluice::gateway
