// HAProxy configurations (ctl/haproxy_words, haproxy_condition, haproxy_config) and what
// haproxy-lint makes of them. Promises:
//  - words, lines and sections stay inside their bounds, lines have their numbers in order;
//  - words written out again, each byte escaped, are read as the same words;
//  - every finding names a line of the file, a rule, what happens and what mends it, in the order
//  of
//    lines;
//  - neither a file nor what haproxy says reaches a terminal raw, and JSON stays JSON.
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "common/check.h"
#include "ctl/haproxy_config.h"
#include "ctl/haproxy_lint/haproxy_output.h"
#include "ctl/haproxy_lint/lint.h"
#include "ctl/haproxy_lint/report.h"
#include "tests/fuzz/input.h"

namespace sluice::ctl {
namespace {

std::optional<std::string> variable(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> values = {
      {"A", "1s"}, {"B", " x y "}, {"C", ""}};
  const auto found = values.find(name);
  if (found == values.end()) return std::nullopt;
  return found->second;
}

std::string escaped(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    line += word.empty() ? " ''" : " ";
    for (const char c : word) {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(c)));
      line += hex;
    }
  }
  return line;
}

void check_words(const HaproxyLine& line) {
  CHECK(!line.words.empty() && line.words.size() <= kHaproxyWordsMax);
  std::size_t bytes = 0;
  for (const std::string& word : line.words) bytes += word.size();
  CHECK(bytes <= kHaproxyLineBytesMax);
  const HaproxyWords again = split_haproxy_line(escaped(line.words), variable);
  CHECK(again.problem.empty() && again.words == line.words);
}

void check_config(const HaproxyConfig& config, std::size_t lines) {
  std::size_t last = 0;
  for (const HaproxySection& section : config.sections) {
    CHECK(section.line > last && !section.kind.empty());
    last = section.line;
    for (const HaproxyLine& line : section.lines) {
      CHECK(line.number > last);
      last = line.number;
      check_words(line);
    }
  }
  CHECK(last <= lines);
  for (const HaproxyFault& fault : config.faults)
    CHECK(fault.line >= 1 && fault.line <= lines && !fault.problem.empty());
}

void check_findings(const LintResult& result, std::size_t lines) {
  std::size_t last = 1;
  for (const Finding& finding : result.findings) {
    CHECK(finding.line >= last && finding.line <= std::max<std::size_t>(lines, 1));
    CHECK(!finding.rule.empty() && !finding.message.empty() && !finding.fix.empty());
    last = finding.line;
  }
}

void check_report(const LintResult& result, const std::string& name) {
  for (const char c : lint_text(name, result, false)) {
    const auto byte = static_cast<unsigned char>(c);
    CHECK(byte == '\n' || (byte >= 0x20 && byte != 0x7F));
  }
  const auto json = nlohmann::json::parse(lint_json(result));
  CHECK(json.size() == result.findings.size());
}

}  // namespace
}  // namespace sluice::ctl

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::ctl;
  fuzz::Input input(data, size);
  LintOptions options;
  const std::uint8_t flags = input.byte();
  if ((flags & 1U) != 0) options.max_connection_age = std::chrono::seconds(flags);
  if ((flags & 2U) != 0)
    options.gateway = GatewayAnswers{"127.0.0.1:1111", (flags & 4U) != 0, (flags & 8U) != 0};
  const std::string text(fuzz::as_text(input.rest()));
  const auto config = parse_haproxy_config(text, variable);
  if (!config) {
    CHECK(!config.error().message.empty());
    return 0;
  }
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  check_config(*config, lines);
  auto linted = lint(*config, options, {});
  CHECK(linted);  // inputs are far below its bounds
  LintResult& result = *linted;
  check_findings(result, lines);
  check_report(result, text.substr(0, 100));
  join_haproxy(findings_of_haproxy(text, *config), result.findings);
  check_report(result, "x");
  return 0;
}
