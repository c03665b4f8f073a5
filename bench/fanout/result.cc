#include "bench/fanout/result.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/fanout/workload.h"

namespace sluice::fanout {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFloor = "floor-send";

std::optional<double> value_of(const Run& run, const std::string& metric) {
  if (metric == "cpu_us_per_delivery") return run.cpu_us_per_delivery;
  if (metric == "deliveries_per_second") return run.deliveries_per_second;
  if (metric == "cpu_us_per_upgrade") return run.cpu_us_per_upgrade;
  if (metric == "upgrades_per_second") return run.upgrades_per_second;
  if (metric == "idle_cpu_percent") return run.idle_cpu_percent;
  if (metric == "bytes_per_client") return run.bytes_per_client;
  if (metric == "open_p99_us") return run.open_us ? std::optional(run.open_us->p99) : std::nullopt;
  if (!run.latency_us) return std::nullopt;
  if (metric == "latency_p50_us") return run.latency_us->p50;
  if (metric == "latency_p99_us") return run.latency_us->p99;
  return run.latency_us->p999;
}

bool same_cell(const Run& a, const Run& b) {
  return a.workload == b.workload && a.variant == b.variant && a.server == b.server;
}

/// Of floor_send in the same repetition.
std::optional<double> floor_value(const std::vector<Run>& runs, const Run& of,
                                  const std::string& metric) {
  for (const Run& run : runs) {
    if (run.server == kFloor && run.workload == of.workload && run.variant == of.variant &&
        run.repetition == of.repetition)
      return value_of(run, metric);
  }
  return std::nullopt;
}

std::optional<SummaryRow> summarize_cell(const std::vector<Run>& runs, const Run& first,
                                         const std::string& metric) {
  std::vector<double> values;
  std::vector<double> ratios;
  for (const Run& run : runs) {
    if (!same_cell(run, first)) continue;
    const auto value = value_of(run, metric);
    if (!value) continue;
    values.push_back(*value);
    const auto floor = floor_value(runs, run, metric);
    if (floor && *floor > 0) ratios.push_back(*value / *floor);
  }
  if (values.empty()) return std::nullopt;
  SummaryRow row{first.workload, first.variant, first.server, metric, median(values), std::nullopt};
  if (!ratios.empty()) row.ratio_to_floor = median(ratios);
  return row;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json latency_json(const std::optional<Run::Latency>& latency) {
  if (!latency) return nullptr;
  return {{"p50", latency->p50}, {"p99", latency->p99}, {"p999", latency->p999}};
}

Json run_json(const Run& run) {
  const Faults& faults = run.faults;
  return {{"workload", run.workload},
          {"variant", run.variant},
          {"server", run.server},
          {"repetition", run.repetition},
          {"clients", run.clients},
          {"deliveries", run.deliveries},
          {"seconds", run.seconds},
          {"cpu_us_per_delivery", or_null(run.cpu_us_per_delivery)},
          {"deliveries_per_second", or_null(run.deliveries_per_second)},
          {"latency_us", latency_json(run.latency_us)},
          {"open_us", latency_json(run.open_us)},
          {"faults",
           {{"lost", faults.lost},
            {"twice", faults.twice},
            {"misordered", faults.misordered},
            {"corrupt", faults.corrupt},
            {"disconnected", faults.disconnected},
            {"refused", faults.refused}}},
          {"bytes_per_client", or_null(run.bytes_per_client)},
          {"upgrades_per_second", or_null(run.upgrades_per_second)},
          {"cpu_us_per_upgrade", or_null(run.cpu_us_per_upgrade)},
          {"idle_cpu_percent", or_null(run.idle_cpu_percent)},
          {"server_percent", run.server_percent},
          {"core0_other_percent", run.core0_other_percent},
          {"core1_busy_percent", run.core1_busy_percent},
          {"load_percent", run.load_percent},
          {"note", run.note}};
}

std::string padded(const std::string& text, std::size_t width, bool left = false) {
  const std::string space(text.size() < width ? width - text.size() : 0, ' ');
  return left ? text + space : space + text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::fabs(value) >= 100 ? "%.0f" : "%.2f", value);
  return text;
}

std::string cell_text(const SummaryRow& row) {
  std::string text = number(row.median);
  if (row.ratio_to_floor) text += " (" + number(*row.ratio_to_floor) + ")";
  return text;
}

struct RowName {
  std::string workload;
  std::string variant;
  std::string metric;
  friend bool operator==(const RowName&, const RowName&) = default;
};

/// Everything but a clean run, one line each.
std::string remarks(const std::vector<Run>& runs) {
  std::string text;
  for (const Run& run : runs) {
    const Faults& f = run.faults;
    std::string what;
    for (const auto& [count, name] :
         {std::pair{f.lost, "lost"}, std::pair{f.twice, "twice"},
          std::pair{f.misordered, "misordered"}, std::pair{f.corrupt, "corrupt"},
          std::pair{f.disconnected, "disconnected"}, std::pair{f.refused, "refused"}}) {
      if (count > 0) what += " " + std::to_string(count) + " " + name + ",";
    }
    if (what.empty() && run.note.empty()) continue;
    text += "  " + run.workload + " " + run.variant + " " + run.server + " #" +
            std::to_string(run.repetition) + ":" + what + (run.note.empty() ? "" : " " + run.note) +
            "\n";
  }
  return text;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<SummaryRow> summarize(const std::vector<Run>& runs) {
  std::vector<SummaryRow> rows;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const bool seen = std::any_of(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(i),
                                  [&](const Run& run) { return same_cell(run, runs[i]); });
    if (seen) continue;
    for (const auto& metric : metrics_of(runs[i].workload, runs[i].variant)) {
      if (auto row = summarize_cell(runs, runs[i], metric)) rows.push_back(std::move(*row));
    }
  }
  return rows;
}

std::string to_json(const Report& report) {
  Json json{{"version", 1},
            {"date", report.date},
            {"quick", report.quick},
            {"repetitions", report.repetitions},
            {"machine",
             {{"kernel", report.machine.kernel},
              {"cpus", report.machine.cpus},
              {"model", report.machine.model}}},
            {"servers", Json::array()},
            {"runs", Json::array()},
            {"summary", Json::array()}};
  for (const auto& server : report.servers) {
    json["servers"].push_back({{"name", server.name},
                               {"kind", server.kind},
                               {"title", server.title},
                               {"version", server.version}});
  }
  for (const auto& run : report.runs) json["runs"].push_back(run_json(run));
  for (const auto& row : summarize(report.runs)) {
    json["summary"].push_back({{"workload", row.workload},
                               {"variant", row.variant},
                               {"server", row.server},
                               {"metric", row.metric},
                               {"median", row.median},
                               {"ratio_to_floor", or_null(row.ratio_to_floor)}});
  }
  return json.dump(1) + "\n";
}

std::string to_table(const Report& report) {
  const auto summary = summarize(report.runs);
  std::vector<RowName> names;
  for (const auto& row : summary) {
    const RowName name{row.workload, row.variant, row.metric};
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  constexpr std::size_t kNameWidth = 40;
  constexpr std::size_t kCellWidth = 17;
  std::string text = padded("median (ratio to floor-send)", kNameWidth, true);
  for (const auto& server : report.servers) text += padded(server.name, kCellWidth);
  text += "\n";
  for (const auto& name : names) {
    text += padded(name.workload + " " + padded(name.variant, 10, true) + name.metric, kNameWidth,
                   true);
    for (const auto& server : report.servers) {
      const auto row = std::find_if(summary.begin(), summary.end(), [&](const SummaryRow& r) {
        return r.server == server.name && RowName{r.workload, r.variant, r.metric} == name;
      });
      text += padded(row == summary.end() ? "-" : cell_text(*row), kCellWidth);
    }
    text += "\n";
  }
  const std::string said = remarks(report.runs);
  return said.empty() ? text : text + "\n" + said;
}

}  // namespace sluice::fanout
