// ./dev bench. Exit code 0: measured, 1: a server broke a promise (or its smoke failed), 2: wrong
// flags, 3: the bench can't run.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "bench/fanout/options.h"
#include "bench/fanout/result.h"
#include "bench/fanout/runner.h"
#include "tests/process/support/deadline.h"

namespace {

/// Thousands of clients need as many descriptors; children inherit it.
void raise_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Other people's servers may lose what they like: it is told, not judged.
bool ours_are_clean(const sluice::fanout::Report& report) {
  return std::all_of(report.runs.begin(), report.runs.end(), [&](const auto& run) {
    const auto info = std::find_if(report.servers.begin(), report.servers.end(),
                                   [&](const auto& server) { return server.name == run.server; });
    const bool peer = info != report.servers.end() && info->kind == "peer";
    const bool measured = run.cpu_us_per_delivery || run.cpu_us_per_upgrade || run.idle_cpu_percent;
    return peer || (run.faults.total() == 0 && measured);
  });
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sluice;
  fanout::Options options;
  if (const auto code = fanout::parse_options(argc, argv, options)) return *code;
  if (!options.logs.empty()) {
    std::filesystem::create_directories(options.logs);
    ::setenv("SLUICE_TEST_LOGS", options.logs.c_str(), 1);
  }
  ::signal(SIGPIPE, SIG_IGN);
  raise_descriptors();
  try {
    const fanout::Report report = fanout::run_bench(options);
    const std::filesystem::path file = options.out;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << fanout::to_json(report);
    std::cout << fanout::to_table(report) << "Written: " << file.string() << "\n";
    return ours_are_clean(report) ? 0 : 1;
  } catch (const test::HarnessError& error) {
    std::cerr << "\nbench: " << error.what() << "\n";
    return 3;
  }
}
