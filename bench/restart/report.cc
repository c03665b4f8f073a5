#include "bench/restart/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace sluice::restart {
namespace {

using nlohmann::json;

double rounded(double value, double steps = 1000) {
  return std::round(value * steps) / steps;
}

json plan_json(const Plan& plan) {
  return {{"scenario", plan.scenario},
          {"seed", plan.seed},
          {"clients", plan.clients},
          {"speakers", plan.speakers},
          {"down_per_s", plan.down_per_s},
          {"up_per_s", plan.up_per_s},
          {"newcomers_per_s", plan.newcomers_per_s},
          {"hostile", plan.hostile},
          {"rounds", plan.rounds},
          {"pause_s", plan.pause_s},
          {"settle_s", plan.settle_s},
          {"io_uring", plan.io_uring},
          {"quick", plan.quick}};
}

json totals_json(const Totals& totals) {
  json made{{"published_down", totals.published_down},
            {"received", totals.received},
            {"sent_up", totals.sent_up},
            {"carried_up", totals.carried_up},
            {"heard_up", totals.heard_up},
            {"pings", totals.pings},
            {"pongs", totals.pongs},
            {"pinged", totals.pinged},
            {"newcomers", totals.newcomers},
            {"open_at_end", totals.open_at_end},
            {"published_twice", totals.published_twice},
            {"published_misordered", totals.published_misordered},
            {"late_ms", totals.late_ms}};
  for (const FaultKind kind : {FaultKind::kLost, FaultKind::kTwice, FaultKind::kMisordered,
                               FaultKind::kCorrupt, FaultKind::kPong}) {
    const auto found = totals.faults.find(kind);
    made["faults"][name_of(kind)] = found == totals.faults.end() ? 0 : found->second;
  }
  return made;
}

json restart_json(const Restart& restart) {
  return {{"what", restart.what},
          {"subject", restart.subject},
          {"asked_s", rounded(restart.asked_s)},
          {"exited_s", rounded(restart.exited_s)},
          {"started_s", rounded(restart.started_s)},
          {"served_s", rounded(restart.served_s)},
          {"pause_ms", rounded(restart.pause_ms)},
          {"exit_code", restart.exit_code},
          {"exit_signal", restart.exit_signal},
          {"pid_before", restart.pid_before},
          {"pid_after", restart.pid_after},
          {"executed", restart.executed},
          {"cpu_before_ms", rounded(restart.cpu_before_ms)},
          {"cpu_after_ms", rounded(restart.cpu_after_ms)},
          {"cpu_keeper_ms", rounded(restart.cpu_keeper_ms)}};
}

json disconnect_json(const Disconnect& one) {
  return {{"at_s", rounded(one.at_s)}, {"who", name_of(one.who)}, {"client", one.client},
          {"gateway", one.gateway},    {"manner", one.manner},    {"close_code", one.close_code},
          {"reason", one.reason}};
}

json fault_json(const Fault& fault) {
  return {{"kind", name_of(fault.kind)}, {"who", name_of(fault.who)},   {"client", fault.client},
          {"serial", fault.serial},      {"at_s", rounded(fault.at_s)}, {"manner", fault.manner}};
}

/// The first of them: what is wrong thousands of times is told by the totals.
template <typename T, typename Make>
json list_json(const std::vector<T>& all, Make make) {
  constexpr std::size_t kToldMax = 2000;
  json made = json::array();
  for (std::size_t i = 0; i < std::min(all.size(), kToldMax); ++i) made.push_back(make(all[i]));
  return made;
}

/// One array per figure.
json latency_json(const std::vector<LatencyTenth>& tenths) {
  json made{{"at_s", json::array()},
            {"messages", json::array()},
            {"p50_ms", json::array()},
            {"p99_ms", json::array()},
            {"max_ms", json::array()}};
  for (const LatencyTenth& tenth : tenths) {
    made["at_s"].push_back(rounded(tenth.at_s));
    made["messages"].push_back(tenth.messages);
    made["p50_ms"].push_back(rounded(tenth.p50_ms));
    made["p99_ms"].push_back(rounded(tenth.p99_ms));
    made["max_ms"].push_back(rounded(tenth.max_ms));
  }
  return made;
}

json costs_json(const Record& record) {
  const Interval cost = steady_cost_percent(record.costs);
  return {{"pairs", list_json(record.costs,
                              [](const CostPair& pair) {
                                return json{{"variant", pair.variant},
                                            {"without_us", pair.without_us},
                                            {"with_us", pair.with_us}};
                              })},
          {"median_percent", rounded(cost.median)},
          {"low_percent", rounded(cost.low)},
          {"high_percent", rounded(cost.high)}};
}

std::string pauses(const std::vector<Restart>& restarts) {
  std::vector<double> values;
  values.reserve(restarts.size());
  for (const Restart& restart : restarts) values.push_back(restart.pause_ms);
  if (values.empty()) return "";
  std::sort(values.begin(), values.end());
  char text[128];
  std::snprintf(text, sizeof text, "Pauses: median %.0f ms, longest %.0f ms, of %zu restarts.\n",
                values[values.size() / 2], values.back(), values.size());
  return text;
}

/// Characters, not bytes: some have two.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & '\xC0') != '\x80'; }));
}

std::string padded(const std::string& text, std::size_t width) {
  const std::size_t has = width_of(text);
  return text + std::string(has < width ? width - has : 0, ' ');
}

}  // namespace

std::string to_json(const Record& record, const std::vector<Criterion>& criteria) {
  json made{{"version", 1},
            {"plan", plan_json(record.plan)},
            {"machine", record.machine},
            {"passed", bench::all_passed(criteria)},
            {"totals", totals_json(record.totals)},
            {"restarts", list_json(record.restarts, restart_json)},
            {"disconnects", list_json(record.disconnects, disconnect_json)},
            {"faults", list_json(record.faults, fault_json)},
            {"latency", latency_json(record.latency)},
            {"costs", costs_json(record)}};
  made["criteria"] = list_json(criteria, [](const Criterion& criterion) {
    return json{{"name", criterion.name},
                {"passed", criterion.passed},
                {"measured", criterion.measured},
                {"wanted", criterion.wanted}};
  });
  made["failed_upgrades"] = list_json(record.failed_upgrades, [](const FailedUpgrade& one) {
    return json{
        {"began_s", rounded(one.began_s)}, {"failed_s", rounded(one.failed_s)}, {"how", one.how}};
  });
  made["lost_publishes"] = list_json(record.lost_publishes, [](const LostPublish& one) {
    return json{{"sent_s", rounded(one.sent_s)},
                {"speaker", one.speaker},
                {"serial", one.serial},
                {"cut", one.cut}};
  });
  made["relay"] = {{"subscriber_ids", record.relay.subscriber_ids},
                   {"gap_events", record.relay.gap_events},
                   {"gap_events_wanted", record.relay.gap_events_wanted},
                   {"unknown_fate", record.relay.unknown_fate}};
  // A close reason may hold any bytes.
  return made.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string to_table(const Record& record, const std::vector<Criterion>& criteria) {
  std::size_t name_width = 0;
  for (const Criterion& criterion : criteria)
    name_width = std::max(name_width, width_of(criterion.name));
  std::string text = record.plan.scenario + "\n";
  for (const Criterion& criterion : criteria) {
    text += std::string(criterion.passed ? "  kept    " : "  BROKEN  ") +
            padded(criterion.name, name_width + 2) + criterion.measured +
            (criterion.passed ? "" : "  (wanted: " + criterion.wanted + ")") + "\n";
  }
  text += pauses(record.restarts);
  return text +
         (bench::all_passed(criteria) ? "Every promise kept.\n" : "NOT every promise kept.\n");
}

}  // namespace sluice::restart
