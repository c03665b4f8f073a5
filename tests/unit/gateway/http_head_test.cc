// The request head: found at every split, refused where two parsers could disagree.
#include "gateway/http_head.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::gateway {
namespace {

using Verdict = HeadScanner::Verdict;

constexpr std::string_view kHead =
    "GET /channel/a?x=1 HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive, Upgrade\r\n"
    "X-Empty:\r\nX-Blanks: \t a b \t\r\n\r\n";

/// What scanner and parser say together about bytes that end where the head ends.
HeadStatus parse(std::string_view text, HttpHead& head) {
  HeadScanner scanner;
  if (scanner.scan(text, kHeadBytesMax) != Verdict::kWhole) return HeadStatus::kMalformed;
  const char* problem = "";
  const HeadStatus status = parse_head(text.substr(0, scanner.end()), head, problem);
  EXPECT_EQ(status == HeadStatus::kOk, problem == nullptr);
  return status;
}

HeadStatus parse(std::string_view text) {
  HttpHead head;
  return parse(text, head);
}

std::string with_line(std::string_view line) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n";
}

TEST(HeadScanner, FindsTheEndAtEverySplit) {
  const std::string bytes = std::string(kHead) + "behind";
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    HeadScanner scanner;
    const Verdict first = scanner.scan(std::string_view(bytes).substr(0, split), kHeadBytesMax);
    ASSERT_EQ(first, split < kHead.size() ? Verdict::kMore : Verdict::kWhole) << split;
    if (first == Verdict::kMore) {
      ASSERT_EQ(scanner.scan(bytes, kHeadBytesMax), Verdict::kWhole) << split;
    }
    ASSERT_EQ(scanner.end(), kHead.size());
  }
}

TEST(HeadScanner, FindsTheEndByteByByte) {
  HeadScanner scanner;
  for (std::size_t size = 0; size < kHead.size(); ++size) {
    ASSERT_EQ(scanner.scan(kHead.substr(0, size), kHeadBytesMax), Verdict::kMore);
  }
  EXPECT_EQ(scanner.scan(kHead, kHeadBytesMax), Verdict::kWhole);
}

TEST(HeadScanner, RefusesAtTheFirstBadByte) {
  for (const char* bytes : {"\x16\x03\x01", "GET / HTTP/1.1\n", "GET / HTTP/1.1\rX", "\r\n",
                            "GET / HTTP/1.1\r\nA: b\x01", "GET\x7f"}) {
    HeadScanner scanner;
    EXPECT_EQ(scanner.scan(bytes, kHeadBytesMax), Verdict::kMalformed) << bytes;
  }
  HeadScanner scanner;
  EXPECT_EQ(scanner.scan(std::string_view("GET /\0", 6), kHeadBytesMax), Verdict::kMalformed);
}

TEST(HeadScanner, BoundIsInclusive) {
  HeadScanner exact;
  EXPECT_EQ(exact.scan(kHead, kHead.size()), Verdict::kWhole);
  HeadScanner less;
  EXPECT_EQ(less.scan(kHead, kHead.size() - 1), Verdict::kTooLarge);
  HeadScanner unfinished;
  EXPECT_EQ(unfinished.scan(kHead.substr(0, 20), 20), Verdict::kTooLarge);
}

TEST(HttpHead, TakesAHeadApart) {
  HttpHead head;
  ASSERT_EQ(parse(kHead, head), HeadStatus::kOk);
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/channel/a?x=1");
  EXPECT_EQ(head.version_minor, 1);
  ASSERT_EQ(head.headers().size(), 4U);
  EXPECT_EQ(head.headers()[0].name, "Host");
  EXPECT_EQ(head.find("HOST"), "example.org");
  EXPECT_EQ(head.find("x-empty"), "");
  EXPECT_EQ(head.find("x-blanks"), "a b");
  EXPECT_EQ(head.find("x-none"), std::nullopt);
}

TEST(HttpHead, FindsTokensInLists) {
  const std::string text = with_line("Connection: keep-alive ,,\r\nconnection:\tUPGRADE");
  HttpHead head;
  ASSERT_EQ(parse(text, head), HeadStatus::kOk);
  EXPECT_TRUE(head.has_token("connection", "upgrade"));
  EXPECT_TRUE(head.has_token("Connection", "Keep-Alive"));
  EXPECT_FALSE(head.has_token("connection", "keep"));
  EXPECT_FALSE(head.has_token("upgrade", "upgrade"));
  EXPECT_EQ(head.count("CONNECTION"), 2U);
}

TEST(HttpHead, RefusesWhatIsAmbiguous) {
  for (const char* line : {"Host: b", "X : 1", " folded", "\tfolded", ": empty", "no colon",
                           "X\xc3\xa9: 1", "A(b): 1"}) {
    EXPECT_EQ(parse(with_line(line)), HeadStatus::kMalformed) << line;
  }
  for (const char* line :
       {"GET  / HTTP/1.1", "GET / x HTTP/1.1", "GET /", "GET", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
        "G(T / HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1", "GET / http/1.1", "GET /\tHTTP/1.1"}) {
    EXPECT_EQ(parse(std::string(line) + "\r\nHost: a\r\n\r\n"), HeadStatus::kMalformed) << line;
  }
}

TEST(HttpHead, HostIsNeededOnceInHttp11) {
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n\r\n"), HeadStatus::kMalformed);
  EXPECT_EQ(parse("GET / HTTP/1.0\r\n\r\n"), HeadStatus::kOk);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), HeadStatus::kMalformed);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"), HeadStatus::kMalformed);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), HeadStatus::kOk);
}

TEST(HttpHead, OtherVersions) {
  EXPECT_EQ(parse("GET / HTTP/2.0\r\n\r\n"), HeadStatus::kUnsupportedVersion);
  EXPECT_EQ(parse("GET / HTTP/0.9\r\n\r\n"), HeadStatus::kUnsupportedVersion);
  EXPECT_EQ(parse("GET / HTTP/11\r\n\r\n"), HeadStatus::kMalformed);
}

TEST(HttpHead, CountsHeaders) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < kHeadersMax; ++i) text += "X: 1\r\n";
  EXPECT_EQ(parse(text + "\r\n"), HeadStatus::kOk);
  EXPECT_EQ(parse(text + "X: 1\r\n\r\n"), HeadStatus::kTooManyHeaders);
}

}  // namespace
}  // namespace sluice::gateway
