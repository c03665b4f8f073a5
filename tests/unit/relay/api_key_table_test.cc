#include "relay/api/key_table.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::relay::api {
namespace {

const std::string kOne = "0123456789abcdef";
const std::string kTwo = "fedcba9876543210xyz";

TEST(ApiKeyTable, ReadsKeysWithAndWithoutNames) {
  const auto table = KeyTable::parse("# two\n\n" + kOne + "\r\n  backend-1 : " + kTwo + "  \n");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->size(), 2U);
  EXPECT_TRUE(table->knows(kOne));
  EXPECT_TRUE(table->knows(kTwo));
}

TEST(ApiKeyTable, KnowsNothingElse) {
  const auto table = KeyTable::parse(kOne + "\n" + kTwo);
  ASSERT_TRUE(table);
  for (const std::string& key :
       {std::string(), kOne.substr(1), kOne + "x", kOne + std::string(1, '\0'), "x" + kOne,
        kOne.substr(0, 15) + "x", "x" + kOne.substr(1), kTwo.substr(0, 18),
        std::string(kKeyBytesMax + 1, 'a'), std::string("# two")}) {
    EXPECT_FALSE(table->knows(key)) << key;
  }
}

TEST(ApiKeyTable, LongestKeyCountsToItsEnd) {
  const std::string longest(kKeyBytesMax, 'a');
  const auto table = KeyTable::parse(longest);
  ASSERT_TRUE(table);
  EXPECT_TRUE(table->knows(longest));
  EXPECT_FALSE(table->knows(longest.substr(1)));
  EXPECT_FALSE(table->knows(std::string(kKeyBytesMax - 1, 'a') + "b"));
}

TEST(ApiKeyTable, RefusesWhatIsNoKeyFile) {
  for (const std::string& text :
       {std::string(), std::string("# nothing\n"), std::string("short\n"),
        std::string("with space in it 0123"), std::string("bad name!:" + kOne), ":" + kOne,
        std::string("name:"), kOne + ":short", std::string(kKeyBytesMax + 1, 'a'),
        std::string("k\xc3\xa9yk\xc3\xa9yk\xc3\xa9yk\xc3\xa9y0123")}) {
    const auto table = KeyTable::parse(text);
    EXPECT_FALSE(table) << text;
  }
  std::string many;
  for (std::size_t i = 0; i <= kKeysMax; ++i) many += "key-number-0000-" + std::to_string(i) + "\n";
  EXPECT_FALSE(KeyTable::parse(many));
}

TEST(ApiKeyTable, ErrorsNameTheLineAndNoKey) {
  const auto table = KeyTable::parse(kOne + "\nsecret:tooshort\n");
  ASSERT_FALSE(table);
  EXPECT_NE(table.error().message.find("line 2"), std::string::npos);
  EXPECT_EQ(table.error().message.find("tooshort"), std::string::npos);
  EXPECT_FALSE(KeyTable::read("/nonexistent/keys"));
  EXPECT_FALSE(KeyTable::read("/"));
}

}  // namespace
}  // namespace sluice::relay::api
