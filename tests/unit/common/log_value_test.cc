#include "common/log_value.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(LogValue, PlainTextStaysAsItIs) {
  for (const char* text : {"a", "TLSv1.3", "chat.example.org", "http/1.1", "*.example.org",
                           "10.0.0.1:80", "user@example.org", "7F000001:C822_0A"}) {
    EXPECT_EQ(log_value(text), text);
  }
}

TEST(LogValue, AnythingElseIsQuotedAndEscaped) {
  EXPECT_EQ(log_value(""), "\"\"");
  EXPECT_EQ(log_value("a b"), "\"a b\"");
  EXPECT_EQ(log_value("a=b"), "\"a=b\"");
  EXPECT_EQ(log_value("say \"hi\" \\"), "\"say \\\"hi\\\" \\\\\"");
  EXPECT_EQ(log_value(std::string_view("\0\r\n\t\x7f", 5)), "\"\\x00\\x0d\\x0a\\x09\\x7f\"");
  EXPECT_EQ(log_value("J\xc3\xbcrgen"), "\"J\\xc3\\xbcrgen\"");
}

TEST(LogValue, NoByteGetsOutOfTheLine) {
  for (int byte = 0; byte < 256; ++byte) {
    for (const char c : log_value(std::string("x") + static_cast<char>(byte))) {
      EXPECT_TRUE(c >= 0x20 && c < 0x7f) << byte;
    }
  }
}

TEST(LogValue, LongTextIsCut) {
  const std::string fits(kLogValueBytesMax, 'x');
  EXPECT_EQ(log_value(fits), fits);
  EXPECT_EQ(log_value(fits + "y"), "\"" + fits + "...\"");
  EXPECT_LE(log_value(std::string(100'000, '\n')).size(), 4 * kLogValueBytesMax + 5);
}

}  // namespace
}  // namespace sluice
