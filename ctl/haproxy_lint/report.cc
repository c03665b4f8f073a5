#include "ctl/haproxy_lint/report.h"

#include <nlohmann/json.hpp>

#include "ctl/text.h"

namespace sluice::ctl {

std::string lint_text(const std::string& file, const LintResult& result, bool colours) {
  const std::string name = visible(file);
  std::string text;
  for (const Finding& finding : result.findings) {
    text += styled(name + ":" + std::to_string(finding.line) + ":", Style::kBold, colours) + " " +
            styled(finding.rule + ":", Style::kWarn, colours) + " " + visible(finding.message) +
            "\n  " + styled("fix:", Style::kGood, colours) + " " + visible(finding.fix) + "\n";
  }
  if (result.findings.empty()) {
    text += name + ": no findings\n";
  } else {
    text += name + ": " + counted(result.findings.size(), "finding", "findings") + "\n";
  }
  for (const std::string& skipped : result.skipped)
    text += styled("not judged:", Style::kDim, colours) + " " + visible(skipped) + "\n";
  return text;
}

std::string lint_json(const LintResult& result) {
  auto array = nlohmann::ordered_json::array();
  for (const Finding& finding : result.findings) {
    array.push_back({{"line", finding.line},
                     {"rule", finding.rule},
                     {"message", finding.message},
                     {"fix", finding.fix}});
  }
  return array.dump(2, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::ctl
