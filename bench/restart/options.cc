#include "bench/restart/options.h"

#include <CLI/CLI.hpp>

#include "bench/restart/scenario.h"

namespace sluice::restart {

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  CLI::App app("Restarts everything under load, and judges what hostile clients saw");
  app.name("restart");
  std::vector<std::string> wanted;
  bool quick = false;
  bool without_keeper = false;
  std::optional<std::uint32_t> clients;
  std::optional<std::uint32_t> rounds;
  std::uint64_t seed = 1;
  std::string io_uring = "auto";
  app.add_option("--scenario", wanted, "Which, separated by commas; all if none")
      ->delimiter(',')
      ->check(CLI::IsMember(scenarios()));
  app.add_flag("--quick", quick, "100 clients, 4 rounds each");
  app.add_option("--clients", clients, "Clients that listen")->check(CLI::Range(1, 10000));
  app.add_option("--rounds", rounds, "Restarts")->check(CLI::Range(1, 10000));
  app.add_option("--seed", seed, "Of all that is random");
  app.add_option("--io-uring", io_uring, "The gateways' flag")
      ->check(CLI::IsMember({"auto", "on", "off"}));
  app.add_flag("--without-keeper", without_keeper,
               "Gateways that hand nothing over: what does the judge say of them?");
  app.add_option("--out", options.out, "Where the results go: OUT-SCENARIO.json");
  app.add_option("--logs", options.logs, "Directory for the output of all programs");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.keepers = !without_keeper;
  for (const std::string& scenario : wanted.empty() ? scenarios() : wanted) {
    Plan plan = plan_of(scenario, quick);
    plan.clients = clients.value_or(plan.clients);
    plan.rounds = rounds.value_or(plan.rounds);
    plan.seed = seed;
    plan.io_uring = io_uring;
    options.plans.push_back(plan);
  }
  return std::nullopt;
}

}  // namespace sluice::restart
