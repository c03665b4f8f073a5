// soak --minutes N [--seed S] [--clients N] [--logs DIR]. Exit code 0: every promise kept; 1: one
// broken, the logs are kept and what happened is printed; 2: wrong flags.
#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <random>

#include "tests/soak/soak.h"

namespace {

using namespace sluice;

void print(const soak::SoakResult& result) {
  const soak::FleetCounts& counts = result.counts;
  std::cout << result.storms << " storms, " << result.faults << " faults, " << counts.came
            << " clients came, " << counts.closed << " were closed by the server\n"
            << counts.sent << " messages sent by clients, " << counts.published_directly
            << " at Redis, " << counts.received << " received\n"
            << counts.holes << " holes of " << counts.missing << " messages, each told; "
            << counts.unknown_fate << " messages of unknown fate that never came\n"
            << result.resources;
}

void print_failure(const soak::SoakResult& result, const std::string& replay,
                   const std::string& logs) {
  std::cout << "\nVIOLATION: " << result.violation << "\n\nLast faults:\n";
  for (const auto& action : result.last_actions) std::cout << "  " << action << "\n";
  std::cout << "\nLogs of all processes: " << logs << "\nThe same faults again: " << replay << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  double minutes = 1;
  std::uint64_t seed = std::random_device{}();
  std::size_t clients = 80;
  std::string logs = "soak-logs";
  std::string replay = "./dev soak";
  CLI::App app("Random clients and faults against the real programs, every promise checked");
  app.add_option("--minutes", minutes, "How long")->check(CLI::Range(0.1, 1e5));
  app.add_option("--seed", seed, "Of all that is random");
  app.add_option("--clients", clients, "Connected at the same time, about")
      ->check(CLI::Range(1, 2000));
  app.add_option("--logs", logs, "Directory for the logs of all processes");
  app.add_option("--replay-command", replay, "What to print as the command that replays")
      ->group("");
  CLI11_PARSE(app, argc, argv);

  std::filesystem::remove_all(logs);
  std::filesystem::create_directories(logs);
  ::setenv("SLUICE_TEST_LOGS", logs.c_str(), 1);
  soak::SoakOptions options;
  options.seed = seed;
  options.lasts = soak::Millis(static_cast<std::int64_t>(minutes * 60000));
  options.clients = clients;
  options.progress = soak::Progress::fitting();
  std::ostringstream command;
  command << replay << " --minutes " << minutes << " --seed " << seed << " --clients " << clients;
  std::cout << "seed " << seed << "\n" << std::flush;
  const soak::SoakResult result = soak::Soak(options).run();
  print(result);
  if (result.violation.empty()) {
    std::filesystem::remove_all(logs);
    std::cout << "clean; seed " << seed << "\n";
    return 0;
  }
  print_failure(result, command.str(), logs);
  return 1;
}
