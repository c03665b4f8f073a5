// ./dev bench restart. Exit code 0: every promise kept; 1: one broken, or there is no handoff to
// judge; 2: wrong flags; 3: a program did not start or did not come back.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "bench/restart/judge.h"
#include "bench/restart/options.h"
#include "bench/restart/report.h"
#include "bench/restart/scenario.h"
#include "bench/restart/stage.h"

namespace {

using namespace sluice;

/// True: every promise kept.
bool run_one(const restart::Plan& plan, const restart::Options& options) {
  restart::RunOptions run;
  run.plan = plan;
  run.keepers = options.keepers;
  run.progress = [](const std::string& line) { std::cerr << line << "\n"; };
  const restart::Record record = restart::run_scenario(run);
  const auto criteria = restart::judge(record);
  const std::filesystem::path file = options.out + "-" + plan.scenario + ".json";
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << restart::to_json(record, criteria);
  std::cout << restart::to_table(record, criteria) << "Written: " << file.string() << "\n\n"
            << std::flush;
  return bench::all_passed(criteria);
}

}  // namespace

int main(int argc, char** argv) {
  restart::Options options;
  if (const auto code = restart::parse_options(argc, argv, options)) return *code;
  if (!options.logs.empty()) {
    std::filesystem::create_directories(options.logs);
    ::setenv("SLUICE_TEST_LOGS", options.logs.c_str(), 1);
  }
  ::signal(SIGPIPE, SIG_IGN);
  if (const auto reason = restart::handoff_missing(); reason && options.keepers) {
    std::cerr << "restart: " << *reason << "\n";
    return 1;
  }
  bool kept = true;
  try {
    for (const restart::Plan& plan : options.plans) kept = run_one(plan, options) && kept;
  } catch (const test::HarnessError& error) {
    std::cerr << "restart: " << error.what() << "\n";
    return 3;
  }
  return kept ? 0 : 1;
}
