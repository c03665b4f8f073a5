// Delivery latency in tenths of a second. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "bench/fanout/latency.h"
#include "bench/restart/record.h"

namespace sluice::restart {

class LatencyLog {
 public:
  /// `at_s` may go back, but counts as now then.
  void add(double at_s, std::uint64_t latency_ns) {
    constexpr double kPerSecond = 10;
    const auto tenth = static_cast<std::uint64_t>(at_s * kPerSecond);
    if (tenth > tenth_) close(tenth);
    present_.add(latency_ns);
    most_ns_ = std::max(most_ns_, latency_ns);
  }
  [[nodiscard]] std::vector<LatencyTenth> take() {
    close(tenth_ + 1);
    return std::move(closed_);
  }

 private:
  void close(std::uint64_t next) {
    constexpr double kPerMs = 1e6;
    if (present_.count() > 0) {
      closed_.push_back({static_cast<double>(tenth_) / 10,
                         static_cast<std::uint32_t>(present_.count()),
                         static_cast<double>(present_.percentile_ns(0.5)) / kPerMs,
                         static_cast<double>(present_.percentile_ns(0.99)) / kPerMs,
                         static_cast<double>(most_ns_) / kPerMs});
      present_.clear();
      most_ns_ = 0;
    }
    tenth_ = next;
  }

  std::uint64_t tenth_ = 0;
  fanout::Latencies present_;
  std::uint64_t most_ns_ = 0;
  std::vector<LatencyTenth> closed_;
};

}  // namespace sluice::restart
