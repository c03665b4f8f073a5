// The rules of haproxy-lint over files with one fault each (haproxy_lint/faults) and files without
// (haproxy_lint/good). A file says by itself what is expected: `# expect RULE` at the end of the
// line that a finding must name, `# expect-at LINE RULE` where a comment can't stand, and in its
// first line
// `# options …` what the command line says.
#include "ctl/haproxy_lint/lint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "common/units.h"

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;

/// (line, rule) in the order of lines.
using Expected = std::vector<std::pair<std::size_t, std::string>>;

std::vector<fs::path> files_in(const std::string& directory) {
  std::vector<fs::path> files;
  const fs::path root = fs::path(SLUICE_SOURCE_DIR) / "tests/unit/ctl/haproxy_lint" / directory;
  for (const auto& entry : fs::directory_iterator(root)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::optional<std::string> nothing_set(std::string_view) {
  return std::nullopt;
}

Expected expected_in(const std::string& text) {
  Expected expected;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (const std::size_t at = line.find("# expect "); at != std::string::npos)
      expected.emplace_back(number, line.substr(at + 9));
    if (const std::size_t at = line.find("# expect-at "); at != std::string::npos) {
      std::istringstream words(line.substr(at + 12));
      auto& [where, rule] = expected.emplace_back();
      words >> where >> rule;
    }
  }
  return expected;
}

LintOptions options_in(const std::string& text) {
  LintOptions options;
  std::istringstream words(text.substr(0, text.find('\n')));
  std::string word;
  words >> word >> word;
  if (word != "options") return options;
  while (words >> word) {
    std::string value;
    words >> value;
    if (word == "ping-interval") options.ping_interval = parse_duration(value).value();
    if (word == "max-connection-age") options.max_connection_age = parse_duration(value).value();
    if (word == "gateway") {
      std::string answers;
      words >> answers;
      options.gateway = GatewayAnswers{value, answers == "plain", answers == "proxied"};
    }
  }
  return options;
}

LintResult lint_text_of(const std::string& text, const LintOptions& options = {},
                        const std::vector<std::string>& only = {}) {
  const auto config = parse_haproxy_config(text, nothing_set);
  EXPECT_TRUE(config) << config.error().message;
  auto result = lint(*config, options, only);
  EXPECT_TRUE(result);
  return std::move(*result);
}

Expected found_in(const LintResult& result) {
  Expected found;
  for (const Finding& finding : result.findings) found.emplace_back(finding.line, finding.rule);
  return found;
}

std::string test_name(const ::testing::TestParamInfo<fs::path>& info) {
  std::string name = info.param.stem().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class Fault : public ::testing::TestWithParam<fs::path> {};

TEST_P(Fault, IsFoundAtItsLineAndNothingElseIs) {
  const std::string text = read(GetParam());
  const Expected expected = expected_in(text);
  ASSERT_EQ(expected.size(), 1U) << GetParam() << ": one fault each";
  const LintResult result = lint_text_of(text, options_in(text));
  EXPECT_EQ(found_in(result), expected) << GetParam();
  EXPECT_GT(result.judged, 0U);
  for (const Finding& finding : result.findings) {
    EXPECT_GT(finding.message.size(), 30U) << "says what happens";
    EXPECT_FALSE(finding.fix.empty());
  }
}

INSTANTIATE_TEST_SUITE_P(HaproxyLint, Fault, ::testing::ValuesIn(files_in("faults")), test_name);

class Good : public ::testing::TestWithParam<fs::path> {};

TEST_P(Good, HasNoFinding) {
  const std::string text = read(GetParam());
  const LintResult result = lint_text_of(text, options_in(text));
  EXPECT_EQ(found_in(result), Expected()) << GetParam();
  EXPECT_GT(result.judged, 0U) << "it carries WebSockets";
}

INSTANTIATE_TEST_SUITE_P(HaproxyLint, Good, ::testing::ValuesIn(files_in("good")), test_name);

TEST(HaproxyLint, EveryRuleHasAFileWithItsFault) {
  std::set<std::string> met;
  for (const fs::path& file : files_in("faults")) {
    for (const auto& [line, rule] : expected_in(read(file))) met.insert(rule);
  }
  for (const std::string& rule : rule_ids()) EXPECT_TRUE(met.contains(rule)) << rule;
  EXPECT_GE(files_in("faults").size(), 24U);
}

TEST(HaproxyLint, EveryRuleIsInTheDocumentation) {
  const std::string page = read(fs::path(SLUICE_SOURCE_DIR) / "haproxy/README.md");
  const std::string table = page.substr(page.find("| rule |"));
  for (const std::string& rule : rule_ids())
    EXPECT_NE(table.find("`" + rule + "`"), std::string::npos) << rule;
}

TEST(HaproxyLint, TheShippedFilesAreClean) {
  std::size_t files = 0;
  for (const char* directory : {"haproxy", "compose/haproxy"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(SLUICE_SOURCE_DIR) / directory)) {
      if (entry.path().extension() != ".cfg") continue;
      const LintResult result = lint_text_of(read(entry.path()));
      EXPECT_EQ(found_in(result), Expected()) << entry.path();
      EXPECT_GE(result.judged, 2U) << entry.path();
      ASSERT_EQ(result.skipped.size(), 1U) << entry.path();
      EXPECT_NE(result.skipped[0].find("--max-connection-age"), std::string::npos);
      ++files;
    }
  }
  EXPECT_GE(files, 2U);
}

/// With the limits per address switched on, exactly those are found: the file says why they are
/// off.
TEST(HaproxyLint, TheLimitsThatAreOffOnPurposeAreFoundWhenTheyAreOn) {
  std::string text = read(fs::path(SLUICE_SOURCE_DIR) / "haproxy/haproxy.cfg");
  for (const char* word : {"stick-table", "http-request"}) {
    for (std::size_t at = 0; (at = text.find(std::string("  # ") + word, at)) != std::string::npos;)
      text.replace(at, 4, "  ");
  }
  const LintResult result = lint_text_of(text);
  ASSERT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.findings[0].rule, "nat-limit");
}

/// What the article has: a frontend and a backend, four names, times of 1000 s, and nothing more.
constexpr const char* kArticle = R"(frontend http
  bind *:8080
  mode http
  timeout client 1000s
  use_backend all
backend all
  mode http
  timeout server 1000s
  timeout connect 1000s
  server s1 ws1:8080
  server s2 ws2:8080
  server s3 ws3:8080
  server s4 ws4:8080
)";

TEST(HaproxyLint, TheArticlesFileHasItsFaults) {
  const LintResult result = lint_text_of(kArticle);
  const Expected expected = {{1, "timeout-http-request"},
                             {1, "global-maxconn"},
                             {1, "no-log"},
                             {1, "stats-socket"},
                             {1, "hard-stop-missing"},
                             {4, "timeout-client"},
                             {6, "timeout-tunnel"},
                             {6, "timeout-server-fin"},
                             {6, "redispatch"},
                             {6, "retry-on"},
                             {6, "balance"},
                             {8, "timeout-server"},
                             {9, "timeout-connect"},
                             {10, "no-check"},
                             {10, "server-name"},
                             {10, "client-address"}};
  EXPECT_EQ(found_in(result), expected);
  const Finding& check = result.findings[13];
  EXPECT_EQ(check.message.substr(0, 35), "'s1', 's2', 's3' and 's4' without c") << "one, not four";
}

TEST(HaproxyLint, OnlyTheNamedBackendIsJudged) {
  const std::string text = read(files_in("good").front()) + R"(
backend other
  server o1 127.0.0.1:99
)";
  EXPECT_FALSE(lint_text_of(text).findings.empty());
  EXPECT_TRUE(lint_text_of(text, {}, {"gateways"}).findings.empty());
}

TEST(HaproxyLint, NothingThatCarriesWebSocketsIsSaid) {
  const LintResult result = lint_text_of("listen stats\n  bind :8404\n  stats enable\n");
  EXPECT_TRUE(result.findings.empty());
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_NE(result.skipped[0].find("no frontend or backend"), std::string::npos);
}

TEST(HaproxyLint, ResolversAloneLetHaproxyStart) {
  std::string text = kArticle;
  for (const char* name : {"ws1:8080", "ws2:8080", "ws3:8080", "ws4:8080"})
    text.insert(text.find(name) + 8, " resolvers names");
  for (const Finding& finding : lint_text_of(text).findings) {
    EXPECT_NE(finding.rule, "server-name");
    EXPECT_NE(finding.rule, "server-name-stale");
  }
}

TEST(HaproxyLint, ALineOfDefaultsIsToldOnceForAllThatInheritIt) {
  const std::string text =
      "defaults\n  mode http\n  timeout tunnel 1s\nbackend a\n  server s 127.0.0.1:1\n"
      "backend b\n  server s 127.0.0.1:2\n";
  const LintResult result = lint_text_of(text);
  EXPECT_EQ(std::count_if(result.findings.begin(), result.findings.end(),
                          [](const auto& f) { return f.rule == "timeout-tunnel"; }),
            1);
}

TEST(HaproxyLint, ATimeSetByARuleCounts) {
  std::string text = kArticle;
  text.insert(text.find("  use_backend"), "  http-request set-timeout tunnel 1h\n");
  for (const Finding& finding : lint_text_of(text).findings)
    EXPECT_NE(finding.rule, "timeout-tunnel");
}

TEST(HaproxyLint, BoundsAreKept) {
  const auto bounded = [](const std::string& text) {
    const auto config = parse_haproxy_config(text, nothing_set);
    EXPECT_TRUE(config);
    return lint(*config, {}, {}).has_value();
  };
  const auto many = [](const char* line, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += line;
    return text;
  };
  EXPECT_TRUE(bounded(many("backend b\n", kProxiesMax)));
  EXPECT_FALSE(bounded(many("backend b\n", kProxiesMax + 1)));
  const std::string defaults = "defaults\n" + many("acl a b c\n", 20'000);
  EXPECT_TRUE(bounded(defaults + many("backend b\n", 25)));
  EXPECT_FALSE(bounded(defaults + many("backend b\n", 26)));
}

TEST(HaproxyLint, OnlyTheServerThatWasAskedIsComparedWithTheGateway) {
  const std::string text =
      read(fs::path(SLUICE_SOURCE_DIR) / "tests/unit/ctl/haproxy_lint/good/recommended.cfg") +
      "  server g3 127.0.0.1:3333 port 3334 no-send-proxy-v2\n";
  LintOptions options;
  const auto mismatches = [&](const std::string& address, bool plain, bool proxied) {
    options.gateway = GatewayAnswers{address, plain, proxied};
    const LintResult result = lint_text_of(text, options);
    return std::count_if(result.findings.begin(), result.findings.end(),
                         [](const auto& f) { return f.rule == "proxy-mismatch"; });
  };
  EXPECT_EQ(mismatches("127.0.0.1:1111", false, true), 0);
  EXPECT_EQ(mismatches("127.0.0.1:3333", false, true), 1);
  EXPECT_EQ(mismatches("127.0.0.1:3333", true, false), 0);
  EXPECT_EQ(mismatches("127.0.0.1:1111", true, true), 0) << "optional";
  EXPECT_EQ(mismatches("127.0.0.1:9999", false, true), 1) << "none has that address: all";
}

}  // namespace
}  // namespace sluice::ctl
