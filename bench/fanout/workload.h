// The workloads: sizes and rates, nothing of how they are done. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/fanout/traffic.h"

namespace sluice::fanout {

enum class Mode : std::uint8_t {
  kFanOut,    ///< messages to clients
  kLinks,     ///< messages to gateways' links: the relay alone
  kUpgrades,  ///< connect, upgrade, close
  kChurn,     ///< messages while clients come and go
  kLatency,   ///< at half of what floor_send can do
  kIdle,      ///< pings only
  kFairness,  ///< a huge channel at its limit; a small one and newcomers beside it
};

struct Workload {
  std::string id;       ///< "W1"
  std::string variant;  ///< "1000"
  std::string title;
  Mode mode = Mode::kFanOut;
  std::size_t clients = 0;
  std::size_t channels = 1;
  TrafficPlan traffic{};
  std::size_t kept_max = 4096;  ///< messages of one channel under way, at most; a power of two
  double seconds = 0;           ///< 0: the run's
  int ping_interval_s = 3600;
};

inline constexpr std::size_t kWindow = 64;            ///< W2: messages outstanding
inline constexpr std::size_t kChannelsWindow = 1000;  ///< W4, saturated
inline constexpr std::size_t kLinksWindow = 2048;     ///< W5
inline constexpr std::size_t kLinks = 8;              ///< W5: gateways at one relay
inline constexpr std::size_t kUpgradesInFlight = 64;  ///< W6
inline constexpr double kChurnShare = 0.5;            ///< W6: of the clients
inline constexpr double kChurnSeconds = 5;            ///< are replaced in that time
inline constexpr std::size_t kBesides = 10;           ///< W9: clients of the small channel
inline constexpr double kBesidesRate = 50;            ///< W9: its messages per second
inline constexpr int kIdlePings_s = 25;               ///< W8
inline constexpr int kIdlePingsQuick_s = 5;

/// All of them in order, or with `quick` the smallest of each kind.
[[nodiscard]] std::vector<Workload> all_workloads(bool quick);
/// 50 clients for a second.
[[nodiscard]] Workload smoke_workload();

/// What of a workload's runs is told in the table, the first being the one that has the ratio.
[[nodiscard]] std::vector<std::string> metrics_of(const std::string& workload,
                                                  const std::string& variant);

}  // namespace sluice::fanout
