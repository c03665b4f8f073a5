// ./dev bench deploy. Exit code 0: every promise kept; 1: one broken; 2: wrong flags; 3: a program
// did not start, did not end, or broke its protocol.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "bench/deploy/options.h"
#include "bench/deploy/report.h"
#include "bench/deploy/scenario.h"
#include "tests/process/support/deadline.h"

int main(int argc, char** argv) {
  using namespace sluice;
  bench::Options options;
  if (const auto code = bench::parse_options(argc, argv, options)) return *code;
  if (!options.logs.empty()) {
    std::filesystem::create_directories(options.logs);
    ::setenv("SLUICE_TEST_LOGS", options.logs.c_str(), 1);
  }
  try {
    const bench::Record record = bench::run_scenario(options.plan);
    const auto criteria = bench::judge(record);
    const std::filesystem::path file = options.out + ".json";
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << bench::to_json(record, criteria);
    std::cout << bench::to_table(record, criteria) << "Written: " << file.string() << "\n";
    return bench::all_passed(criteria) ? 0 : 1;
  } catch (const test::HarnessError& error) {
    std::cerr << "\ndeploy: " << error.what() << "\n";
    return 3;
  }
}
