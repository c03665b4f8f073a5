// What daemons listen on, as it is written; real listening is in listen_test.cc.
#include "common/address.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(ParseAddress, TakesTcp) {
  const Address v4 = parse_address("127.0.0.1:80").value();
  EXPECT_EQ(v4.kind, Address::Kind::kTcp);
  EXPECT_EQ(v4.host, "127.0.0.1");
  EXPECT_EQ(v4.port, 80);

  const Address v6 = parse_address("[::1]:65535").value();
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.port, 65535);

  const Address all = parse_address("*:0").value();
  EXPECT_EQ(all.host, "*");
  EXPECT_EQ(all.port, 0);
}

TEST(ParseAddress, TakesUnixAndInherited) {
  const Address unix_path = parse_address("unix:/run/x.sock").value();
  EXPECT_EQ(unix_path.kind, Address::Kind::kUnix);
  EXPECT_EQ(unix_path.path, "/run/x.sock");
  EXPECT_EQ(parse_address("unix:relative:with:colons").value().path, "relative:with:colons");

  const Address inherited = parse_address("fd:3").value();
  EXPECT_EQ(inherited.kind, Address::Kind::kFd);
  EXPECT_EQ(inherited.fd, 3);
}

TEST(ParseAddress, IsWrittenAsItIsRead) {
  for (const char* text :
       {"127.0.0.1:80", "[::1]:80", "[2001:db8::1]:8080", "*:8080", "unix:/run/x.sock", "fd:3"}) {
    EXPECT_EQ(to_string(parse_address(text).value()), text);
  }
}

// A path from a TOML string may hold what the system takes for its end.
TEST(ParseAddress, RefusesAPathWithAZeroByte) {
  EXPECT_FALSE(parse_address(std::string_view("unix:/run/a\0b", 13)));
  EXPECT_FALSE(parse_address(std::string_view("unix:\0abstract", 14)));
}

TEST(ParseAddress, NamesTheRemedy) {
  for (const char* text : {"",
                           "80",
                           ":80",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:+1",
                           "127.0.0.1:80x",
                           "::1:80",
                           "[127.0.0.1]:80",
                           "[::1]",
                           "[]:80",
                           "[::1:80",
                           "localhost:80",
                           "fd:",
                           "fd:-1",
                           "fd:x",
                           "fd:1048577",
                           "tcp:127.0.0.1:80",
                           "*"}) {
    const auto parsed = parse_address(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid) << text;
    EXPECT_NE(parsed.error().message.find(std::string("'") + text + "'"), std::string::npos)
        << parsed.error().message;
    EXPECT_NE(parsed.error().message.find("unix:PATH"), std::string::npos)
        << parsed.error().message;
  }
}

TEST(ParseAddress, KeepsToTheLengthOfASocketPath) {
  EXPECT_TRUE(parse_address("unix:/" + std::string(106, 'x')));
  for (const std::string& text : {"unix:/" + std::string(107, 'x'), std::string("unix:")}) {
    const auto parsed = parse_address(text);
    ASSERT_FALSE(parsed);
    EXPECT_NE(parsed.error().message.find("1 to 107 bytes"), std::string::npos)
        << parsed.error().message;
  }
}

}  // namespace
}  // namespace sluice
