// What `haproxy -c` said, joined with our findings, and how all of it is shown.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ctl/haproxy_lint/haproxy_output.h"
#include "ctl/haproxy_lint/report.h"

namespace sluice::ctl {
namespace {

HaproxyConfig config() {
  return *parse_haproxy_config("global\n\nfrontend f\n bind :1\nbackend b\n",
                               [](auto) { return std::optional<std::string>(); });
}

/// As HAProxy 2.6.12 wrote it.
constexpr const char* kOutput = R"([NOTICE]   (26461) : haproxy version is 2.6.12-1+deb12u4
[NOTICE]   (26461) : path to executable is /usr/sbin/haproxy
[WARNING]  (26461) : config : missing timeouts for frontend 'f'.
   | While not properly invalid, you will certainly encounter various problems
[ALERT]    (26461) : config : [/tmp/c:d/unres.cfg:7] : 'server b/s1' : could not resolve address 'x.invalid'.
[ALERT]    (26461) : config : Failed to initialize server(s) addr.
[ALERT]    (26463) : config : parsing [/tmp/badkw.cfg:2] : unknown keyword 'foo' in 'global' section
[ALERT]    (26469) : config : Proxy 'b': unable to find required default_backend: 'bb'.
[ALERT]    (26467) : config : parsing [quote.cfg:4]: unmatched quote at position 6:
  log "abc
      ^
[ALERT]    (26467) : config : Error(s) found in configuration file : quote.cfg
[ALERT]    (26467) : config : Fatal errors found in configuration.
[WARNING]  (1) : config : something of no place
)";

TEST(HaproxyOutput, AlertsAndWarningsBecomeFindings) {
  const auto findings = findings_of_haproxy(kOutput, config());
  ASSERT_EQ(findings.size(), 6U);
  EXPECT_EQ(findings[0].line, 3U) << "of the frontend that it names";
  EXPECT_EQ(findings[0].message, "haproxy -c warns: missing timeouts for frontend 'f'.");
  EXPECT_EQ(findings[1].line, 7U);
  EXPECT_EQ(findings[1].message,
            "haproxy -c refuses the file: 'server b/s1' : could not resolve address 'x.invalid'.");
  EXPECT_EQ(findings[2].line, 2U);
  EXPECT_EQ(findings[3].line, 5U);
  EXPECT_EQ(findings[4].line, 4U);
  EXPECT_EQ(findings[4].message, "haproxy -c refuses the file: unmatched quote at position 6");
  EXPECT_EQ(findings[5].line, 1U);
  for (const Finding& finding : findings) EXPECT_EQ(finding.rule, "haproxy");
}

TEST(HaproxyOutput, NothingOfItIsTrusted) {
  EXPECT_TRUE(findings_of_haproxy("", config()).empty());
  EXPECT_EQ(findings_of_haproxy("[ALERT]", config()).size(), 1U);
  EXPECT_EQ(
      findings_of_haproxy("[ALERT] : [:] x\n[ALERT] [a:99999999999999999999]", config()).size(),
      2U);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "[ALERT]    (1) : config : x\n";
  EXPECT_EQ(findings_of_haproxy(many, config()).size(), 200U);
}

TEST(HaproxyOutput, AFaultOfFormIsToldOnce) {
  std::vector<Finding> findings = {{4, "syntax", "ours", ""}, {5, "balance", "ours", ""}};
  join_haproxy({{4, "haproxy", "theirs", ""}, {5, "haproxy", "theirs", ""}}, findings);
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].rule, "haproxy");
  EXPECT_EQ(findings[1].rule, "balance");
  EXPECT_EQ(findings[2].rule, "haproxy");
}

TEST(LintReport, TextHasFileLineRuleMessageAndFix) {
  LintResult result;
  result.findings = {{3, "balance", "what happens", "what mends it"}};
  EXPECT_EQ(lint_text("a.cfg", result, false),
            "a.cfg:3: balance: what happens\n  fix: what mends it\na.cfg: 1 finding\n");
  result.findings.clear();
  result.skipped = {"this"};
  EXPECT_EQ(lint_text("a.cfg", result, false), "a.cfg: no findings\nnot judged: this\n");
}

TEST(LintReport, NothingFromTheFileReachesATerminalRaw) {
  LintResult result;
  result.findings = {{3, "balance", "'\x1b[31m'", "x"}};
  EXPECT_EQ(lint_text("a\nb", result, false).substr(0, 27), "a\\nb:3: balance: '\\x1b[31m'");
}

TEST(LintReport, JsonIsAnArrayOfTheFourFields) {
  LintResult result;
  EXPECT_EQ(lint_json(result), "[]\n");
  result.findings = {{3, "balance", "bad byte \xff", "fix"}};
  const auto json = nlohmann::json::parse(lint_json(result));
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0].size(), 4U);
  EXPECT_EQ(json[0]["line"], 3);
  EXPECT_EQ(json[0]["rule"], "balance");
  EXPECT_EQ(json[0]["fix"], "fix");
  EXPECT_TRUE(json[0]["message"].is_string());
}

}  // namespace
}  // namespace sluice::ctl
