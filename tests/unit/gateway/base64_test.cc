#include "gateway/base64.h"

#include <gtest/gtest.h>

namespace sluice::gateway {
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
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
}

TEST(Base64, EveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  EXPECT_EQ(base64_decode(base64_encode(bytes)), bytes);
}

TEST(Base64, Malformed) {
  for (const char* text : {"Z", "Zg", "Zg=", "Zg===", "=",
                           "====", "Zg==Zg==", "Zh==", "Zm9=", "Z-8=", "Zm 8", "Zm8=\n"})
    EXPECT_FALSE(base64_decode(text)) << text;
}

}  // namespace
}  // namespace sluice::gateway
