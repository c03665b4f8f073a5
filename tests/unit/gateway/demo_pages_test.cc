// What --demo serves, and that the files in the program are those of the tree, byte by byte.
#include "gateway/demo_pages.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "gateway/embedded_files.h"

namespace sluice::gateway {
/// tests/unit/gateway/every_byte.bin, embedded by the same rule as the page.
[[nodiscard]] std::span<const EmbeddedFile> every_byte_files();

namespace {

std::optional<PageAnswer> ask(const std::string& line, const std::string& more = "") {
  const std::string text = line + "\r\nHost: example.org\r\n" + more + "\r\n";
  HttpHead head;
  const char* problem = "";
  EXPECT_EQ(parse_head(text, head, problem), HeadStatus::kOk) << text;
  return DemoPages().answer(head);
}

std::string body_of(const std::string& reply) {
  return reply.substr(reply.find("\r\n\r\n") + 4);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

const std::filesystem::path kDemo = std::filesystem::path(SLUICE_SOURCE_DIR) / "gateway/demo";

TEST(DemoPages, EveryFileIsServedAsItIs) {
  std::set<std::string> names;
  for (const EmbeddedFile& file : demo_files()) {
    const std::string name(file.name);
    names.insert(name);
    const auto answer = ask("GET /" + (name == "index.html" ? "" : name) + " HTTP/1.1");
    ASSERT_TRUE(answer) << name;
    EXPECT_FALSE(answer->refused);
    EXPECT_TRUE(answer->reply.starts_with("HTTP/1.1 200 OK\r\n")) << name;
    EXPECT_EQ(body_of(answer->reply), read_file(kDemo / name)) << name;
    EXPECT_NE(answer->reply.find("\r\nX-Content-Type-Options: nosniff\r\n"), std::string::npos);
    EXPECT_NE(answer->reply.find("\r\nReferrer-Policy: no-referrer\r\n"), std::string::npos);
    EXPECT_NE(answer->reply.find("\r\nCache-Control: no-store\r\n"), std::string::npos);
  }
  for (const auto& entry : std::filesystem::directory_iterator(kDemo)) {
    if (entry.path().extension() == ".cmake") continue;
    EXPECT_EQ(names.count(entry.path().filename()), 1U) << entry.path();
  }
}

TEST(DemoPages, EmbeddingKeepsEveryByte) {
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every.push_back(static_cast<char>(byte));
  // Sequences that a text could trip over: semicolons, brackets, quotes, line ends, a zero at the
  // end.
  every += std::string(";;[a;b]\\\"${x}\r\n\r\n@y@\\;\0", 23);
  ASSERT_EQ(every_byte_files().size(), 1U);
  EXPECT_EQ(every_byte_files()[0].name, "every_byte.bin");
  EXPECT_EQ(every_byte_files()[0].bytes, every);
}

TEST(DemoPages, ThePolicyAllowsNothingInlineAndNothingFromElsewhere) {
  const std::string reply = ask("GET / HTTP/1.1")->reply;
  std::smatch policy;
  ASSERT_TRUE(
      std::regex_search(reply, policy, std::regex("\r\nContent-Security-Policy: ([^\r]*)\r\n")));
  const std::string text = policy[1];
  for (const char* part : {"default-src 'none'", "script-src 'self'", "style-src 'self'",
                           "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(text.find("unsafe"), std::string::npos);
  EXPECT_EQ(text.find('*'), std::string::npos);
  // The page keeps to it.
  const std::string page = read_file(kDemo / "index.html");
  EXPECT_FALSE(std::regex_search(page, std::regex("<style|\\sstyle=|\\son[a-z]+=|https?://")));
  EXPECT_FALSE(std::regex_search(page, std::regex("<script(?![^>]*\\ssrc=)")));
}

TEST(DemoPages, HeadHasTheSameHeaderAndNoBody) {
  const std::string get = ask("GET / HTTP/1.1")->reply;
  const std::string head = ask("HEAD / HTTP/1.1")->reply;
  EXPECT_EQ(head, get.substr(0, get.find("\r\n\r\n") + 4));
}

TEST(DemoPages, OtherMethodsAre405) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const auto answer = ask(std::string(method) + " /demo.js HTTP/1.1");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->refused, RefusalReason::kMethod);
    EXPECT_TRUE(answer->reply.starts_with("HTTP/1.1 405 "));
    EXPECT_NE(answer->reply.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
  }
}

TEST(DemoPages, QueryAndAbsoluteFormAreTheSamePage) {
  EXPECT_TRUE(ask("GET /?x=1 HTTP/1.1"));
  EXPECT_TRUE(ask("GET http://example.org/demo.css HTTP/1.1"));
  EXPECT_TRUE(ask("GET / HTTP/1.0"));
}

TEST(DemoPages, TheRestIsNotItsBusiness) {
  for (const char* path : {"/index.html", "/demo", "/demo/", "/demo/channel/a", "/channel/a",
                           "/demo.JS", "//", "/../demo.js", "/%64emo.js", "/embed.cmake", "*"}) {
    EXPECT_FALSE(ask(std::string("GET ") + path + " HTTP/1.1")) << path;
  }
  EXPECT_FALSE(ask("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
}

}  // namespace
}  // namespace sluice::gateway
