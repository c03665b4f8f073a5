// Judges an HAProxy configuration: all rules over all proxies that carry WebSockets. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ctl/haproxy_config.h"
#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {

struct Finding {
  std::size_t line = 0;
  std::string rule;
  std::string message;  ///< what happens
  std::string fix;
};

struct LintResult {
  std::vector<Finding> findings;     ///< by line
  std::vector<std::string> skipped;  ///< what could not be judged, a sentence each
  std::size_t judged = 0;            ///< proxies that carry WebSockets
};

/// `only`: names of backends; none: all that may carry WebSockets (ctl/haproxy_lint/traffic.h).
/// Fails when the file is over a bound.
[[nodiscard]] Result<LintResult> lint(const HaproxyConfig& config, const LintOptions& options,
                                      const std::vector<std::string>& only);

/// In the order of lines, findings of one line in the order in which they came; none twice.
void sort_findings(std::vector<Finding>& findings);

/// Ids of all rules, for tests and documentation.
[[nodiscard]] std::vector<std::string> rule_ids();

}  // namespace sluice::ctl
