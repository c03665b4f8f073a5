#include "common/base64.h"

#include <gtest/gtest.h>

#include <utility>

namespace sluice {
namespace {

TEST(Base64, Rfc4648Vectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
    EXPECT_EQ(decode_base64(text, Padding::kOptional), bytes);
  }
  EXPECT_EQ(decode_base64("Zg", Padding::kOptional), "f");
  EXPECT_EQ(decode_base64("Zm8", Padding::kOptional), "fo");
}

TEST(Base64, ThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes) << i;
    EXPECT_EQ(decode_base64url(encode_base64url(bytes)), bytes) << i;
    bytes += static_cast<char>(i * 7);
  }
}

TEST(Base64, TheTwoKindsDifferInTwoDigits) {
  EXPECT_EQ(encode_base64("\xfb\xff\xbf"), "+/+/");
  EXPECT_EQ(encode_base64url("\xfb\xff\xbf"), "-_-_");
  EXPECT_EQ(decode_base64("+/+/"), "\xfb\xff\xbf");
  EXPECT_EQ(decode_base64("-_-_"), std::nullopt);
  EXPECT_EQ(decode_base64url("+/+/"), std::nullopt);
}

TEST(Base64, AppendsBehindWhatIsThere) {
  std::string text = "x:";
  append_base64(text, "\xff\xfe");
  EXPECT_EQ(text, "x://4=");
}

TEST(Base64, OneTextPerValue) {
  for (const char* text : {"Z", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "=", "====", "=====", "Zg===",
                           "Z===", "Zm9v\n", "Zm8=\n", "Zm-_", "Zm 8", "Z-8="}) {
    EXPECT_FALSE(decode_base64(text)) << text;
    EXPECT_FALSE(decode_base64(text, Padding::kOptional)) << text;
  }
  for (const char* text : {"Zg", "Zm8"}) EXPECT_FALSE(decode_base64(text)) << text;
  for (const char* text : {"Zh", "Zm9"})
    EXPECT_FALSE(decode_base64(text, Padding::kOptional)) << text;
  for (const char* text : {"A", "AB", "AQ==", "AAAAA"})
    EXPECT_FALSE(decode_base64url(text)) << text;
}

}  // namespace
}  // namespace sluice
