#include "ctl/haproxy_lint/haproxy_output.h"

#include <algorithm>
#include <array>
#include <optional>

#include "ctl/haproxy_lint/settings.h"

namespace sluice::ctl {
namespace {

/// Said behind others, about nothing of their own.
constexpr std::array<std::string_view, 3> kSummaries = {"Error(s) found in configuration file",
                                                        "Fatal errors found in configuration",
                                                        "Failed to initialize server(s) addr"};
constexpr std::size_t kFindingsMax = 200;

/// "[ALERT]    (123) : config : TEXT": TEXT.
std::string_view text_of(std::string_view line) {
  const std::size_t pid = line.find(") : ");
  if (pid != std::string_view::npos) line.remove_prefix(pid + 4);
  if (line.starts_with("config : ")) line.remove_prefix(9);
  return line;
}

/// Takes "[FILE:12] : " or "parsing [FILE:12]: " off the front; the line number, or none.
std::optional<std::size_t> take_place(std::string_view& text) {
  std::string_view rest = text;
  if (rest.starts_with("parsing ")) rest.remove_prefix(8);
  if (!rest.starts_with('[')) return std::nullopt;
  const std::size_t close = rest.find(']');
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t colon = rest.rfind(':', close);
  if (colon == std::string_view::npos) return std::nullopt;
  const auto number = parse_haproxy_number(rest.substr(colon + 1, close - colon - 1));
  if (!number) return std::nullopt;
  rest.remove_prefix(close + 1);
  const std::size_t begin = rest.find_first_not_of(" :");
  text = begin == std::string_view::npos ? std::string_view() : rest.substr(begin);
  return static_cast<std::size_t>(*number);
}

/// Of the section that "frontend 'NAME'" or "Proxy 'NAME'" means.
std::size_t named_line(std::string_view text, const HaproxyConfig& config) {
  for (const HaproxySection& section : config.sections) {
    const std::string quoted = " '" + section.name + "'";
    const bool of_kind = text.find(section.kind + quoted) != std::string_view::npos;
    const bool of_any = text.find("roxy" + quoted) != std::string_view::npos;
    if (!section.name.empty() && (of_kind || of_any)) return section.line;
  }
  return 1;
}

}  // namespace

std::vector<Finding> findings_of_haproxy(std::string_view output, const HaproxyConfig& config) {
  std::vector<Finding> findings;
  while (!output.empty() && findings.size() < kFindingsMax) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    const std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    const bool alert = line.starts_with("[ALERT]");
    if (!alert && !line.starts_with("[WARNING]")) continue;
    std::string_view text = text_of(line);
    const bool summary = std::any_of(kSummaries.begin(), kSummaries.end(),
                                     [&](auto known) { return text.starts_with(known); });
    if (summary) continue;
    const std::optional<std::size_t> place = take_place(text);
    while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.remove_suffix(1);
    findings.push_back(
        {place.value_or(named_line(text, config)), "haproxy",
         (alert ? "haproxy -c refuses the file: " : "haproxy -c warns: ") + std::string(text),
         alert ? "as HAProxy says: it does not start with this line" : "as HAProxy says"});
  }
  return findings;
}

void join_haproxy(std::vector<Finding> haproxy, std::vector<Finding>& findings) {
  const auto told = [&](const Finding& finding) {
    return finding.rule == "syntax" &&
           std::any_of(haproxy.begin(), haproxy.end(),
                       [&](const Finding& other) { return other.line == finding.line; });
  };
  findings.erase(std::remove_if(findings.begin(), findings.end(), told), findings.end());
  findings.insert(findings.end(), haproxy.begin(), haproxy.end());
  sort_findings(findings);
}

}  // namespace sluice::ctl
