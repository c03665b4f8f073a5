// Words, conditions and sections of an HAProxy configuration, as HAProxy 2.6 reads them.
#include "ctl/haproxy_config.h"

#include <gtest/gtest.h>

#include <map>

#include "ctl/haproxy_condition.h"

namespace sluice::ctl {
namespace {

using Words = std::vector<std::string>;

std::optional<std::string> variable(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> values = {
      {"A", "one"}, {"EMPTY", ""}, {"LIST", " x  y z"}, {"_B2", "two"}};
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

Words words(std::string_view line) {
  const HaproxyWords split = split_haproxy_line(line, variable);
  EXPECT_EQ(split.problem, "") << line;
  return split.words;
}

std::string problem(std::string_view line) {
  return split_haproxy_line(line, variable).problem;
}

TEST(HaproxyWords, AreSeparatedByBlanks) {
  EXPECT_EQ(words(""), Words());
  EXPECT_EQ(words("  \t\r"), Words());
  EXPECT_EQ(words(" bind\t *:80  "), (Words{"bind", "*:80"}));
}

TEST(HaproxyWords, CommentsEndTheLine) {
  EXPECT_EQ(words("# all of it"), Words());
  EXPECT_EQ(words("log global # rest"), (Words{"log", "global"}));
  EXPECT_EQ(words("path a#rest"), (Words{"path", "a"})) << "in a word too";
  EXPECT_EQ(words("a \\#b '#c' \"#d\""), (Words{"a", "#b", "#c", "#d"}));
}

/// The manual's own examples of one and the same line.
TEST(HaproxyWords, QuotesAndEscapesSayTheSame) {
  const Words same = {"log-format", "%{+Q}o %t %s %{-Q}r"};
  EXPECT_EQ(words(R"(log-format %{+Q}o\ %t\ %s\ %{-Q}r)"), same);
  EXPECT_EQ(words(R"(log-format "%{+Q}o %t %s %{-Q}r")"), same);
  EXPECT_EQ(words(R"(log-format '%{+Q}o %t %s %{-Q}r')"), same);
  EXPECT_EQ(words(R"(log-format "%{+Q}o %t"' %s %{-Q}r')"), same);
  EXPECT_EQ(words(R"(log-format "%{+Q}o %t"' %s'\ %{-Q}r)"), same);
}

TEST(HaproxyWords, EscapesOfTheMatrix) {
  EXPECT_EQ(words(R"(\n\r\t\x41\\\'\")"), (Words{"\n\r\tA\\'\""}));
  EXPECT_EQ(words(R"("\"\\\$\x20")"), (Words{"\"\\$ "}));
  EXPECT_EQ(words(R"('a\nb$A"')"), (Words{"a\\nb$A\""})) << "nothing within strong quotes";
  EXPECT_EQ(words(R"(regsub(^/(here)(/|$),my/\1))"), (Words{R"(regsub(^/(here)(/|$),my/\1))"}));
  EXPECT_EQ(words(R"(a\)"), (Words{"a\\"})) << "at the end of the line";
}

TEST(HaproxyWords, EmptyQuotesAreAWord) {
  EXPECT_EQ(words(R"(a "" '' b)"), (Words{"a", "", "", "b"}));
}

TEST(HaproxyWords, VariablesCountInDoubleQuotesOnly) {
  EXPECT_EQ(words(R"("$A" "${A}" "x${A}y" $A '${A}')"),
            (Words{"one", "one", "xoney", "$A", "${A}"}));
  EXPECT_EQ(words(R"("$_B2!" "${NOBODY}" "${EMPTY}")"), (Words{"two!", "", ""}));
  EXPECT_EQ(words(R"("${NOBODY-127.0.0.1}:514" "${EMPTY-x}" "${A-x}")"),
            (Words{"127.0.0.1:514", "", "one"}));
  EXPECT_EQ(words(R"(bind "${LIST[*]}" z)"), (Words{"bind", "x", "y", "z", "z"}));
}

TEST(HaproxyWords, WhatHaproxyWouldRefuseIsNamed) {
  EXPECT_NE(problem("log \"abc"), "");
  EXPECT_NE(problem("log 'abc"), "");
  EXPECT_NE(problem(R"(a \x4g)"), "");
  EXPECT_NE(problem(R"(a \x4)"), "");
  EXPECT_NE(problem("\"${A\""), "");
  EXPECT_NE(problem("\"$1\""), "");
  EXPECT_NE(problem("\"${A:-x}\""), "") << "2.6 knows ${A-x}";
  EXPECT_EQ(split_haproxy_line("log global 'abc", variable).words, (Words{"log", "global", "abc"}));
}

TEST(HaproxyWords, ALineIsBounded) {
  EXPECT_EQ(problem(std::string(kHaproxyLineBytesMax, 'a')), "");
  EXPECT_NE(problem(std::string(kHaproxyLineBytesMax + 1, 'a')), "");
  std::string many;
  for (std::size_t i = 0; i <= kHaproxyWordsMax; ++i) many += "a ";
  const HaproxyWords split = split_haproxy_line(many, variable);
  EXPECT_NE(split.problem, "");
  EXPECT_EQ(split.words.size(), kHaproxyWordsMax);
}

bool holds(std::string_view condition) {
  return haproxy_condition_holds(condition, variable);
}

TEST(HaproxyCondition, NumbersAndVariables) {
  EXPECT_FALSE(holds(""));
  EXPECT_FALSE(holds("0"));
  EXPECT_TRUE(holds("1"));
  EXPECT_TRUE(holds("defined(A)"));
  EXPECT_TRUE(holds("defined(EMPTY)"));
  EXPECT_FALSE(holds("defined(NOBODY)"));
  EXPECT_TRUE(holds("streq(a,a)"));
  EXPECT_FALSE(holds("streq(a, b)"));
  EXPECT_TRUE(holds("strneq(a,b)"));
  EXPECT_FALSE(holds("strneq(,)"));
}

TEST(HaproxyCondition, AndBindsMoreThanOr) {
  EXPECT_TRUE(holds("0 && 0 || 1"));
  EXPECT_TRUE(holds("1 || 0 && 0"));
  EXPECT_FALSE(holds("(1 || 0) && 0"));
  EXPECT_TRUE(holds("!0 && !(0 || !1)"));
  EXPECT_FALSE(holds("!defined(A)"));
}

TEST(HaproxyCondition, WhatCantBeKnownIsANewHaproxyWithEveryFeature) {
  EXPECT_TRUE(holds("feature(OPENSSL)"));
  EXPECT_TRUE(holds("version_atleast(3.0)"));
  EXPECT_FALSE(holds("version_before(2.8)"));
  EXPECT_TRUE(holds("something new"));
  EXPECT_TRUE(holds(std::string(10000, '!') + "0")) << "too deep, and no stack is used up";
  EXPECT_TRUE(holds(std::string(10000, '(')));
}

HaproxyConfig parse(std::string_view text) {
  auto config = parse_haproxy_config(text, variable);
  EXPECT_TRUE(config);
  return std::move(*config);
}

TEST(HaproxyConfig, SectionsHaveKindNameAndLine) {
  const HaproxyConfig config = parse(
      "# head\nglobal\n  maxconn 1\n\ndefaults\ndefaults web from base\nfrontend \"f 1\" from web\n"
      "  bind :80 # here\nlisten x\nbackend b");
  ASSERT_EQ(config.sections.size(), 6U);
  EXPECT_EQ(config.sections[0].kind, "global");
  EXPECT_EQ(config.sections[0].line, 2U);
  ASSERT_EQ(config.sections[0].lines.size(), 1U);
  EXPECT_EQ(config.sections[0].lines[0].number, 3U);
  EXPECT_EQ(config.sections[1].name, "");
  EXPECT_EQ(config.sections[2].name, "web");
  EXPECT_EQ(config.sections[2].from, "base");
  EXPECT_EQ(config.sections[3].name, "f 1");
  EXPECT_EQ(config.sections[3].from, "web");
  EXPECT_EQ(config.sections[3].lines[0].words, (Words{"bind", ":80"}));
  EXPECT_EQ(config.sections[5].line, 10U) << "the last line needs no end";
  EXPECT_TRUE(config.faults.empty());
}

TEST(HaproxyConfig, WindowsLineEndsAreBlanks) {
  const HaproxyConfig config = parse("global\r\n  maxconn 1\r\n");
  EXPECT_EQ(config.sections[0].lines[0].words, (Words{"maxconn", "1"}));
}

TEST(HaproxyConfig, VariablesOfTheFile) {
  const HaproxyConfig config = parse(
      "global\n presetenv A other\n presetenv NEW \"<$A>\"\n setenv A three\n x \"$A\" \"$NEW\"\n"
      " unsetenv A\n x \"${A-none}\"\n resetenv _B2\n x \"$NEW$_B2$LIST\" \"${.LINE}\"\n");
  const auto& lines = config.sections[0].lines;
  EXPECT_EQ(lines[3].words, (Words{"x", "three", "<one>"}));
  EXPECT_EQ(lines[5].words, (Words{"x", "none"}));
  EXPECT_EQ(lines[7].words, (Words{"x", "two", "9"}));
}

TEST(HaproxyConfig, BlocksCountWhenTheirConditionHolds) {
  const HaproxyConfig config = parse(
      "global\n.if defined(A)\n a\n.if 0\n b\n.elif 1\n c\n.elif 1\n d\n.else\n e\n.endif\n f\n"
      ".else\n g\n.if 1\n h\n.endif\n.endif\n i\n");
  std::string seen;
  for (const HaproxyLine& line : config.sections[0].lines) seen += line.words[0];
  EXPECT_EQ(seen, "acfi");
  EXPECT_TRUE(config.faults.empty());
}

TEST(HaproxyConfig, FaultsOfFormAreKeptAndTheRestIsRead) {
  const HaproxyConfig config =
      parse("maxconn 1\nglobal\n.endif\n log \"x\n maxconn 2\n.if 1\n.if 0\n log \"y\n");
  ASSERT_EQ(config.faults.size(), 5U);
  EXPECT_EQ(config.faults[0].line, 1U);
  EXPECT_EQ(config.faults[1].line, 3U);
  EXPECT_EQ(config.faults[2].line, 4U);
  EXPECT_EQ(config.faults[3].line, 6U) << ".if without .endif";
  EXPECT_EQ(config.faults[4].line, 7U);
  EXPECT_EQ(config.sections[0].lines.back().words, (Words{"maxconn", "2"}));
}

TEST(HaproxyConfig, BoundsAreKept) {
  using namespace std::string_literals;
  EXPECT_FALSE(parse_haproxy_config("global\n\0"s, variable));
  EXPECT_FALSE(parse_haproxy_config(std::string(kHaproxyFileBytesMax + 1, '#'), variable));
  EXPECT_FALSE(parse_haproxy_config(std::string(kHaproxyLinesMax + 1, '\n'), variable));
  EXPECT_TRUE(parse_haproxy_config(std::string(kHaproxyLinesMax, '\n'), variable));
  // Each line doubles the variable: with no bound this would be 2^40 bytes.
  std::string doubling = "global\n setenv X \"0123456789\"\n";
  for (int i = 0; i < 40; ++i) doubling += " setenv X \"$X$X\"\n";
  EXPECT_TRUE(parse_haproxy_config(doubling, variable)) << "a line is bounded";
  for (int i = 0; i < 1000; ++i) doubling += " x \"$X\"\n";
  EXPECT_FALSE(parse_haproxy_config(doubling, variable)) << "and all lines together";
}

}  // namespace
}  // namespace sluice::ctl
