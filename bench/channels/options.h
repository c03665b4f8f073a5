// The bench's command line.
#pragma once

#include <optional>
#include <string>

#include "bench/channels/record.h"

namespace sluice::channels {

struct Options {
  Plan plan;
  std::string out = "bench/results/channels.json";
  std::string logs;  ///< directory for the output of all programs; empty: none
};

/// The exit code when the bench shall not go on: 0 after --help, 2 after a line on stderr.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

}  // namespace sluice::channels
