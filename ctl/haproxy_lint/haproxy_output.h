// What `haproxy -c` says, as findings. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ctl/haproxy_config.h"
#include "ctl/haproxy_lint/lint.h"

namespace sluice::ctl {

/// Its ALERT and WARNING messages, rule "haproxy". One that names no line gets that of the proxy
/// that it names, else 1.
[[nodiscard]] std::vector<Finding> findings_of_haproxy(std::string_view output,
                                                       const HaproxyConfig& config);

/// Adds them. What is a fault of form for both is told once, in HAProxy's words.
void join_haproxy(std::vector<Finding> haproxy, std::vector<Finding>& findings);

}  // namespace sluice::ctl
