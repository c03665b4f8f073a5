// The runner's command line.
#pragma once

#include <optional>
#include <string>

#include "bench/deploy/record.h"

namespace sluice::bench {

struct Options {
  Plan plan;
  std::string out = "bench/results/deploy-rolling";  ///< path without the ending
  std::string logs;  ///< directory for the output of all programs; empty: none
};

/// The exit code when the runner shall not go on: 0 after --help, 2 after a line on stderr.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace sluice::bench
