#include "bench/fanout/runner.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>

#include "bench/fanout/load.h"
#include "bench/fanout/servers.h"
#include "bench/fanout/session.h"
#include "bench/fanout/usage.h"

namespace sluice::fanout {
namespace {

constexpr const char* kFloor = "floor-send";
constexpr double kLatencyShare = 0.5;  ///< W7: of floor_send's saturation
constexpr double kCalibration_s = 2;

const char* kind_name(ServerKind kind) {
  if (kind == ServerKind::kOurs) return "ours";
  return kind == ServerKind::kFloor ? "floor" : "peer";
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

Machine this_machine() {
  Machine machine;
  utsname name{};
  if (::uname(&name) == 0) machine.kernel = name.release;
  machine.cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN));
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    machine.model = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  return machine;
}

class Runner {
 public:
  explicit Runner(const Options& options) : options_(options) {
    report_.date = date_now();
    report_.quick = options.quick;
    report_.repetitions = options.repetitions;
    report_.machine = this_machine();
    choose_servers();
    choose_workloads();
  }

  Report run() {
    total_ = 0;
    for (const auto& workload : workloads_)
      total_ += (workload.mode == Mode::kLinks ? 1 : servers_.size()) *
                static_cast<std::size_t>(options_.repetitions);
    start_ns_ = now_ns();
    for (const auto& workload : workloads_) {
      for (int repetition = 1; repetition <= options_.repetitions; ++repetition)
        run_all(workload, repetition);
    }
    std::fprintf(stderr, "\r%-100s\r", "");
    return std::move(report_);
  }

 private:
  void choose_servers() {
    auto left = options_.servers;
    for (auto& server : make_servers()) {
      const ServerIdentity identity = server->identity();
      const bool usual = !identity.hidden && (options_.peers || identity.kind != ServerKind::kPeer);
      const bool named = std::erase(left, identity.name) > 0;
      if (!(options_.servers.empty() ? usual : named)) continue;
      if (const auto reason = server->missing()) {
        std::fprintf(stderr, "bench: without %s: %s\n", identity.name.c_str(), reason->c_str());
        continue;
      }
      report_.servers.push_back(
          {identity.name, kind_name(identity.kind), identity.title, server->version()});
      servers_.push_back(std::move(server));
    }
    if (!left.empty()) throw test::HarnessError("no server is named " + left.front());
    if (servers_.empty()) throw test::HarnessError("no server to measure");
  }

  void choose_workloads() {
    if (options_.smoke) {
      workloads_ = {smoke_workload()};
      return;
    }
    for (auto& workload : all_workloads(options_.quick)) {
      if (wants_workload(options_, workload.id, workload.variant))
        workloads_.push_back(std::move(workload));
    }
    if (workloads_.empty()) throw test::HarnessError("no such workload");
  }

  void run_all(Workload workload, int repetition) {
    if (workload.mode == Mode::kLinks) {
      // Which way the gateway sends is nothing to the relay: it stands under Sluice's first name.
      Run run = run_one(*relay_, workload, repetition);
      const auto ours = std::find_if(report_.servers.begin(), report_.servers.end(),
                                     [](const ServerInfo& info) { return info.kind == "ours"; });
      if (ours != report_.servers.end()) run.server = ours->name;
      report_.runs.push_back(std::move(run));
      return;
    }
    if (workload.mode == Mode::kLatency)
      workload.traffic.per_second = latency_rate(workload, repetition);
    for (const auto& server : servers_)
      report_.runs.push_back(run_one(*server, workload, repetition));
  }

  /// Messages per second that are half of what floor_send can deliver, as measured in this
  /// repetition of W2 or else now.
  double latency_rate(const Workload& workload, int repetition) {
    for (const Run& run : report_.runs) {
      if (run.workload == "W2" && run.clients == workload.clients && run.server == kFloor &&
          run.repetition == repetition && run.deliveries_per_second)
        return rate_of(*run.deliveries_per_second, workload);
    }
    Workload calibration = workload;
    calibration.mode = Mode::kFanOut;
    calibration.traffic = {TrafficPlan::Kind::kWindow, 0, 0, kWindow};
    calibration.seconds = kCalibration_s;
    const auto all = make_servers();
    const Run run = run_session(*all.front(), calibration, redis_, {kCalibration_s, 0.5, ++runs_});
    if (!run.deliveries_per_second) throw test::HarnessError("floor_send: " + run.note);
    return rate_of(*run.deliveries_per_second, workload);
  }

  static double rate_of(double deliveries_per_second, const Workload& workload) {
    return deliveries_per_second * kLatencyShare / static_cast<double>(workload.clients);
  }

  Run run_one(const ServerUnderTest& server, const Workload& workload, int repetition) {
    progress(workload, server, repetition);
    SessionOptions options;
    options.seconds = options_.seconds;
    options.run = ++runs_;
    Run run = run_session(server, workload, redis_, options);
    run.repetition = repetition;
    ++done_;
    return run;
  }

  void progress(const Workload& workload, const ServerUnderTest& server, int repetition) const {
    const auto elapsed = static_cast<double>(now_ns() - start_ns_) / 1e9;
    const double left =
        done_ == 0 ? 0 : elapsed / static_cast<double>(done_) * static_cast<double>(total_ - done_);
    const std::string what = workload.id + " " + workload.variant + ", " + server.identity().name +
                             ", repetition " + std::to_string(repetition);
    std::fprintf(
        stderr, "\r%-100s",
        ("[" + std::to_string(done_ + 1) + "/" + std::to_string(total_) + "] " + what + "   " +
         clock(elapsed) + " elapsed, " + (done_ == 0 ? "?" : "about " + clock(left)) + " left")
            .c_str());
    if (::isatty(STDERR_FILENO) == 0) std::fputc('\n', stderr);
  }

  static std::string clock(double seconds) {
    const auto whole = static_cast<long>(seconds);
    const std::string rest = std::to_string(whole % 60);
    return std::to_string(whole / 60) + (rest.size() < 2 ? ":0" : ":") + rest;
  }

  const Options& options_;
  Report report_;
  test::TempDir directory_;
  test::RedisServer redis_{directory_};
  std::vector<std::unique_ptr<ServerUnderTest>> servers_;
  std::unique_ptr<ServerUnderTest> relay_ = make_relay_alone();
  std::vector<Workload> workloads_;
  std::uint32_t runs_ = 0;
  std::size_t total_ = 0;
  std::size_t done_ = 0;
  std::uint64_t start_ns_ = 0;
};

}  // namespace

Report run_bench(const Options& options) {
  if (core_count() < 2)
    throw test::HarnessError("two cores are needed: one for the server, one for the load");
  // Redis, started by the runner, stays on this core too.
  pin_self(kLoadCore);
  return Runner(options).run();
}

}  // namespace sluice::fanout
