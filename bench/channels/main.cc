// ./dev bench channels. Exit code 0: every promise kept; 1: one broken; 2: wrong flags; 3: a
// program did not start, did not end, or broke its protocol.
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "bench/channels/options.h"
#include "bench/channels/report.h"
#include "bench/channels/scenario.h"
#include "tests/process/support/deadline.h"

namespace {

/// Thousands of clients need as many descriptors; children inherit it.
void raise_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sluice;
  channels::Options options;
  if (const auto code = channels::parse_options(argc, argv, options)) return *code;
  if (!options.logs.empty()) {
    std::filesystem::create_directories(options.logs);
    ::setenv("SLUICE_TEST_LOGS", options.logs.c_str(), 1);
  }
  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptors();
  try {
    const channels::Record record = channels::run_scenario(options.plan);
    const auto promises = channels::judge(record);
    const std::filesystem::path file = options.out;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << channels::to_json(record, promises);
    std::cout << channels::to_table(record, promises) << "Written: " << file.string() << "\n";
    return channels::all_kept(promises) ? 0 : 1;
  } catch (const test::HarnessError& error) {
    std::cerr << "\nchannels: " << error.what() << "\n";
    return 3;
  }
}
