#include "bench/fanout/stage.h"

#include <algorithm>

#include "bench/fanout/usage.h"

namespace sluice::fanout {
namespace {

constexpr const char* kTaskset = "/usr/bin/taskset";  // util-linux, always there

bool takes_connections(const test::Endpoint& to) {
  try {
    (void)test::Socket::connect(to, test::Millis(1000));
    return true;
  } catch (const test::HarnessError&) {
    return false;
  }
}

}  // namespace

Stage::Stage(const ServerPlan& plan) {
  for (const auto& spec : plan.processes) start(spec);
}

/// Pinned before it runs its first instruction: threads and children inherit it.
void Stage::start(const ProcessSpec& spec) {
  test::SpawnOptions options;
  options.args = {kTaskset, "-c", std::to_string(spec.core)};
  options.args.insert(options.args.end(), spec.args.begin(), spec.args.end());
  options.env = spec.env;
  options.fds = spec.fds;
  options.nofile = spec.nofile;
  options.directory = spec.directory;
  processes_.push_back(std::make_unique<test::Process>(std::move(options)));
  test::Process& process = *processes_.back();
  if (spec.counts) counted_.push_back(process.pid());
  if (!spec.ready_line.empty()) process.wait_line(spec.ready_line, spec.ready_within);
  if (spec.ready_at.port == 0 && spec.ready_at.path.empty()) return;
  const bool up = test::eventually(
      spec.ready_within, [&] { return !process.running() || takes_connections(spec.ready_at); });
  if (!up || !process.running())
    throw test::HarnessError(spec.name + " did not start: " + process.output());
}

std::vector<pid_t> Stage::counted() const {
  return with_descendants(counted_);
}

bool Stage::all_running() {
  return std::all_of(processes_.begin(), processes_.end(),
                     [](const auto& process) { return process->running(); });
}

}  // namespace sluice::fanout
