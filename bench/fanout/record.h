// What a run has shown. Plain data; result.h makes JSON and table of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/fanout/verifier.h"

namespace sluice::fanout {

struct Run {
  std::string workload;
  std::string variant;
  std::string server;
  int repetition = 1;
  std::size_t clients = 0;
  std::uint64_t deliveries = 0;
  double seconds = 0;
  std::optional<double> cpu_us_per_delivery;
  std::optional<double> deliveries_per_second;
  struct Latency {
    double p50 = 0;
    double p99 = 0;
    double p999 = 0;
  };
  std::optional<Latency> latency_us;  ///< publish to receipt; W9: of the small channel
  std::optional<Latency> open_us;     ///< W9: connect to 101
  Faults faults;
  std::optional<double> bytes_per_client;
  std::optional<double> upgrades_per_second;
  std::optional<double> cpu_us_per_upgrade;
  std::optional<double> idle_cpu_percent;
  double core0_other_percent = 0;  ///< of the server's core, used by somebody else
  double server_percent = 0;       ///< of core 0, used by the server
  double core1_busy_percent = 0;   ///< by whomever
  double load_percent = 0;         ///< of core 1, used by generator and Redis
  std::string note;
};

struct ServerInfo {
  std::string name;
  std::string kind;
  std::string title;
  std::string version;
};

struct Machine {
  std::string kernel;
  int cpus = 0;
  std::string model;
};

struct Report {
  std::string date;
  bool quick = false;
  int repetitions = 1;
  Machine machine;
  std::vector<ServerInfo> servers;
  std::vector<Run> runs;
};

}  // namespace sluice::fanout
