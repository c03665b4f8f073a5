// The bench's command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace sluice::fanout {

struct Options {
  std::vector<std::string> workloads;  ///< "W1", or "W1/5000"; empty: all
  std::vector<std::string> servers;    ///< by name; empty: floors and Sluice, with `peers` all
  bool peers = false;
  bool quick = false;
  bool smoke = false;
  int repetitions = 0;  ///< 0: 3, quick 1
  double seconds = 0;   ///< 0: 4, quick 3
  std::string out = "bench/results/fanout.json";
  std::string logs;
};

/// The exit code when the bench shall not go on: 0 after --help, 2 after a line on stderr.
[[nodiscard]] std::optional<int> parse_options(int argc, const char* const* argv, Options& options);

/// Whether the user asked for it.
[[nodiscard]] bool wants_workload(const Options& options, const std::string& id,
                                  const std::string& variant);

}  // namespace sluice::fanout
