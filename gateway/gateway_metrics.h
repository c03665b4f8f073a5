// The gateway's /metrics page. docs/METRICS.md lists every name; a test compares.
#pragma once

#include <string>

namespace sluice::gateway {

class Gateway;

[[nodiscard]] std::string metrics_text(const Gateway& gateway);

}  // namespace sluice::gateway
