#include "ctl/text.h"

#include <gtest/gtest.h>

#include <string>

namespace sluice::ctl {
namespace {

using namespace std::string_literals;

TEST(Visible, WhatIsHarmlessStaysAsItIs) {
  EXPECT_EQ(visible("hello, world ~!\"\\"), "hello, world ~!\"\\");
  EXPECT_EQ(visible("äöü € 漢字 😀"), "äöü € 漢字 😀");
  EXPECT_EQ(visible(""), "");
}

TEST(Visible, ControlCharactersNeverPass) {
  EXPECT_EQ(visible("a\n\r\tb"), "a\\n\\r\\tb");
  EXPECT_EQ(visible("\x1b[31mred\x1b]0;title\x07"), "\\x1b[31mred\\x1b]0;title\\x07");
  EXPECT_EQ(visible("\0\x7f"s), "\\x00\\x7f");
  // The C1 control characters are an escape sequence in one character: U+009B is CSI.
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m"),
            "\\u{9b}31m");
}

TEST(Visible, NoByteAndNoPairOfBytesReachesATerminalAsAControl) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string bytes{static_cast<char>(a), static_cast<char>(b)};
      const std::string shown = visible(bytes);
      for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto c = static_cast<unsigned char>(shown[i]);
        ASSERT_FALSE(c < 0x20 || c == 0x7F) << a << " " << b;
        const bool c1 =
            c == 0xC2 && i + 1 < shown.size() && static_cast<unsigned char>(shown[i + 1]) < 0xA0;
        ASSERT_FALSE(c1) << a << " " << b;
      }
    }
  }
}

TEST(Visible, WhatTurnsTextRoundOrHidesItIsNamed) {
  EXPECT_EQ(visible("abc\u202Edcba"), "abc\\u{202e}dcba");
  EXPECT_EQ(visible("\u2066x\u2069"), "\\u{2066}x\\u{2069}");
  EXPECT_EQ(visible("a\u200Bb"), "a\\u{200b}b");
  EXPECT_EQ(visible("\uFEFF"), "\\u{feff}");
  EXPECT_EQ(visible("\u2028"), "\\u{2028}");
  EXPECT_EQ(visible("\U000E0041"), "\\u{e0041}");
}

TEST(Visible, BytesThatAreNotUtf8AreShownAsTheyAre) {
  EXPECT_EQ(visible("\xFF\xFE"), "\\xff\\xfe");
  EXPECT_EQ(visible("a\xC3"), "a\\xc3") << "cut in the middle of a character";
  EXPECT_EQ(visible("\xE2\x82 x"), "\\xe2\\x82 x");
  EXPECT_EQ(visible("\xED\xA0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(visible("\xC0\xAF"), "\\xc0\\xaf") << "an overlong form";
}

TEST(Columns, CountAsATerminalDoes) {
  EXPECT_EQ(columns_of("abc"), 3U);
  EXPECT_EQ(columns_of("äöü"), 3U);
  EXPECT_EQ(columns_of("漢字"), 4U);
  EXPECT_EQ(columns_of("e\u0301"), 1U) << "a combining accent";
}

TEST(CutTo, KeepsTheWidth) {
  EXPECT_EQ(cut_to("abcdef", 6), "abcdef");
  EXPECT_EQ(cut_to("abcdef", 5), "abcd…");
  EXPECT_EQ(cut_to("abcdef", 1), "…");
  EXPECT_EQ(cut_to("abcdef", 0), "");
  EXPECT_EQ(cut_to("漢字漢字", 5), "漢字…");
  EXPECT_EQ(cut_to("漢字漢字", 4), "漢…") << "a wide one does not fit half";
}

TEST(Figures, HaveUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1 KiB");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(bytes_text(64U << 20U), "64 MiB");
  EXPECT_EQ(bytes_text((1U << 20U) - 1), "1 MiB");
  EXPECT_EQ(bytes_text(150 * 1024 + 300), "150 KiB");
  EXPECT_EQ(bytes_text(~std::uint64_t{0}), "16777216 TiB");
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "gap", "gaps"), "1 gap");
  EXPECT_EQ(counted(0, "gap", "gaps"), "0 gaps");
}

TEST(Figures, SecondsInTheTwoLargestUnits) {
  EXPECT_EQ(seconds_text(0), "0s");
  EXPECT_EQ(seconds_text(59.9), "59s");
  EXPECT_EQ(seconds_text(60), "1m 00s");
  EXPECT_EQ(seconds_text(125), "2m 05s");
  EXPECT_EQ(seconds_text(3 * 3600 + 12 * 60), "3h 12m");
  EXPECT_EQ(seconds_text(5 * 86400 + 4 * 3600), "5d 04h");
  EXPECT_EQ(seconds_text(-1), "0s");
}

TEST(Styled, OnlyWithColours) {
  EXPECT_EQ(styled("x", Style::kGood, false), "x");
  EXPECT_EQ(styled("x", Style::kGood, true), "\x1b[32mx\x1b[0m");
  EXPECT_EQ(styled("x", Style::kPlain, true), "x");
}

}  // namespace
}  // namespace sluice::ctl
