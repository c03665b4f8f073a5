// Medians, ratios to floor_send, JSON and table. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/fanout/record.h"

namespace sluice::fanout {

struct SummaryRow {
  std::string workload;
  std::string variant;
  std::string server;
  std::string metric;
  double median = 0;
  std::optional<double> ratio_to_floor;  ///< median of the repetitions' ratios
};

[[nodiscard]] std::vector<SummaryRow> summarize(const std::vector<Run>& runs);
[[nodiscard]] double median(std::vector<double> values);

[[nodiscard]] std::string to_json(const Report& report);
[[nodiscard]] std::string to_table(const Report& report);

}  // namespace sluice::fanout
