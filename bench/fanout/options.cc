#include "bench/fanout/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace sluice::fanout {

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  constexpr double kSeconds = 4;
  constexpr double kQuickSeconds = 3;
  constexpr int kRepetitions = 3;
  CLI::App app("Fan-out: what a delivery costs a server, against the cheapest loop there is");
  app.name("bench");
  app.add_option("workloads", options.workloads, "W1 to W9, or one variant as W1/5000; all if none")
      ->check([](const std::string& text) {
        const bool good = text.size() >= 2 && text[0] == 'W' && text[1] >= '1' && text[1] <= '9' &&
                          (text.size() == 2 || text[2] == '/');
        return good ? std::string() : text + " is no workload: W1 to W9, W1/5000";
      });
  app.add_flag("--peers", options.peers, "Other people's servers too");
  app.add_flag("--quick", options.quick, "Smallest sizes, once");
  app.add_flag("--smoke", options.smoke, "50 clients for a second: does it still work?");
  app.add_option("--reps", options.repetitions, "Repetitions")->check(CLI::Range(1, 99));
  app.add_option("--seconds", options.seconds, "Measured per run")->check(CLI::Range(0.2, 600.0));
  app.add_option("--servers", options.servers, "Only these, separated by commas")->delimiter(',');
  app.add_option("--out", options.out, "Where the results go");
  app.add_option("--logs", options.logs, "Directory for the output of all programs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const bool once = options.quick || options.smoke;
  if (options.repetitions == 0) options.repetitions = once ? 1 : kRepetitions;
  if (options.seconds == 0) options.seconds = once ? kQuickSeconds : kSeconds;
  return std::nullopt;
}

bool wants_workload(const Options& options, const std::string& id, const std::string& variant) {
  const auto& wanted = options.workloads;
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), id) != wanted.end() ||
         std::find(wanted.begin(), wanted.end(), id + "/" + variant) != wanted.end();
}

}  // namespace sluice::fanout
