// The runner's command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/restart/record.h"

namespace sluice::restart {

struct Options {
  std::vector<Plan> plans;                    ///< one after the other
  std::string out = "bench/results/restart";  ///< "-SCENARIO.json" follows
  std::string logs;  ///< directory for the output of all programs; empty: none
  bool keepers = true;
};

/// The exit code when the runner shall not go on: 0 after --help, 2 after a line on stderr.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace sluice::restart
