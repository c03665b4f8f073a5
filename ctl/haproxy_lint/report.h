// Findings as a person or a program reads them. Pure.
#pragma once

#include <string>

#include "ctl/haproxy_lint/lint.h"

namespace sluice::ctl {

/// `FILE:LINE: rule: message`, the fix below it, and a summary.
[[nodiscard]] std::string lint_text(const std::string& file, const LintResult& result,
                                    bool colours);

/// An array of {"line":N,"rule":…,"message":…,"fix":…}.
[[nodiscard]] std::string lint_json(const LintResult& result);

}  // namespace sluice::ctl
