// The incremental check against simdjson's, for every way to cut a text.
#include "common/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/random.h"

namespace sluice {
namespace {

using namespace std::string_literals;

static_assert(sizeof(Utf8Validator) <= 8, "one per client");

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct Verdict {
  bool fed = true;
  bool complete = true;
};

Verdict in_pieces(std::string_view text, std::size_t piece) {
  Utf8Validator validator;
  Verdict verdict;
  for (std::size_t i = 0; i < text.size(); i += piece)
    verdict.fed = validator.feed(bytes(text.substr(i, piece)));
  verdict.complete = validator.complete();
  return verdict;
}

const std::vector<std::string> kValid = {
    ""s,
    "plain ASCII that is longer than one machine word"s,
    "\0 in the middle\0"s,
    "\x7F"s,
    "\xC2\x80"s,          // U+0080, first of two bytes
    "\xDF\xBF"s,          // U+07FF, last of two
    "\xE0\xA0\x80"s,      // U+0800, first of three
    "\xED\x9F\xBF"s,      // U+D7FF, before the surrogates
    "\xEE\x80\x80"s,      // U+E000, behind them
    "\xEF\xBF\xBF"s,      // U+FFFF, last of three
    "\xF0\x90\x80\x80"s,  // U+10000, first of four
    "\xF4\x8F\xBF\xBF"s,  // U+10FFFF, last of all
    "1234567\xC3\xA9 astride a word"s,
    "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80 end"s,
};

const std::vector<std::string> kInvalid = {
    "\x80"s,  // continuation alone
    "\xBF"s,
    "\xC0\x80"s,  // overlong
    "\xC1\xBF"s,
    "\xE0\x9F\xBF"s,
    "\xF0\x8F\xBF\xBF"s,
    "\xED\xA0\x80"s,  // surrogates
    "\xED\xBF\xBF"s,
    "\xF4\x90\x80\x80"s,  // above U+10FFFF
    "\xF5\x80\x80\x80"s,
    "\xFE"s,
    "\xFF"s,
    "\xC2\x41"s,  // continuation missing
    "\xE2\x82\x41"s,
    "\xF0\x9F\x98\x41"s,
    "\xE2\x82\xAC\xAC"s,  // one too many
    "12345678\xFF"s,
    "1234567\xFF"s,
};

TEST(ValidUtf8, KnowsRightFromWrong) {
  for (const auto& text : kValid)
    EXPECT_TRUE(valid_utf8(bytes(text))) << testing::PrintToString(text);
  for (const auto& text : kInvalid)
    EXPECT_FALSE(valid_utf8(bytes(text))) << testing::PrintToString(text);
  EXPECT_FALSE(valid_utf8(bytes("cut \xE2\x82")));
}

TEST(Utf8Validator, TakesValidTextHoweverItIsCut) {
  for (const auto& text : kValid) {
    for (std::size_t piece = 1; piece <= text.size() + 1; ++piece) {
      const Verdict verdict = in_pieces(text, piece);
      EXPECT_TRUE(verdict.fed && verdict.complete)
          << testing::PrintToString(text) << " by " << piece;
    }
  }
}

TEST(Utf8Validator, RefusesWrongTextHoweverItIsCut) {
  for (const auto& text : kInvalid) {
    for (std::size_t piece = 1; piece <= text.size() + 1; ++piece) {
      const Verdict verdict = in_pieces(text, piece);
      EXPECT_FALSE(verdict.fed) << testing::PrintToString(text) << " by " << piece;
      EXPECT_FALSE(verdict.complete) << testing::PrintToString(text) << " by " << piece;
    }
  }
}

TEST(Utf8Validator, KnowsWhenACharacterIsNotComplete) {
  Utf8Validator validator;
  for (const std::string_view part : {"\xF0", "\x9F", "\x98"}) {
    EXPECT_TRUE(validator.feed(bytes(part)));
    EXPECT_FALSE(validator.complete());
  }
  EXPECT_TRUE(validator.feed(bytes("\x80")));
  EXPECT_TRUE(validator.complete());
}

// RFC 6455 lets us fail fast: what no continuation can mend is refused at once.
TEST(Utf8Validator, FailsAtTheFirstByteThatCannotBeRight) {
  for (const std::string_view text : {"\xE0\x9F", "\xED\xA0", "\xF0\x8F", "\xF4\x90"}) {
    Utf8Validator validator;
    EXPECT_TRUE(validator.feed(bytes(text.substr(0, 1))));
    EXPECT_FALSE(validator.feed(bytes(text.substr(1))));
  }
  for (const std::string_view text : {"\x80", "\xC0", "\xC1", "\xF5", "\xFF"}) {
    Utf8Validator validator;
    EXPECT_FALSE(validator.feed(bytes(text)));
  }
}

TEST(Utf8Validator, StaysWrongUntilReset) {
  Utf8Validator validator;
  EXPECT_FALSE(validator.feed(bytes("\xFF")));
  EXPECT_FALSE(validator.feed(bytes("fine")));
  EXPECT_FALSE(validator.feed({}));
  EXPECT_FALSE(validator.complete());
  validator.reset();
  EXPECT_TRUE(validator.feed(bytes("fine")));
  EXPECT_TRUE(validator.complete());
}

// All sequences of two bytes, and the interesting ones of three and four, as simdjson sees them.
TEST(Utf8Validator, AgreesWithSimdjson) {
  const auto expect_same = [](std::string_view text) {
    Utf8Validator validator;
    const bool ours = validator.feed(bytes(text)) && validator.complete();
    ASSERT_EQ(ours, valid_utf8(bytes(text))) << testing::PrintToString(std::string(text));
  };
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::string two{static_cast<char>(a), static_cast<char>(b)};
      expect_same(two);
      expect_same(two + "\x80");
      expect_same(two + "\x80\xBF");
      expect_same(two + "\x41");
    }
  }
}

TEST(Utf8Validator, AgreesWithSimdjsonOnNoise) {
  SeededRandom random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t n = random.below(4) + 1; n > 0; --n) {
      text += random.below(8) == 0 ? kInvalid[random.below(kInvalid.size())]
                                   : kValid[random.below(kValid.size())];
    }
    text.resize(text.size() - std::min<std::size_t>(text.size(), random.below(3)));
    const Verdict verdict = in_pieces(text, random.below(12) + 1);
    ASSERT_EQ(verdict.fed && verdict.complete, valid_utf8(bytes(text)))
        << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace sluice
