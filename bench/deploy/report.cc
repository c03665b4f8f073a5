#include "bench/deploy/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

namespace sluice::bench {
namespace {

using nlohmann::json;

double rounded(double value, double steps = 1000) {
  return std::round(value * steps) / steps;
}

json plan_json(const Plan& plan) {
  return {{"scenario", plan.scenario},
          {"seed", plan.seed},
          {"clients", plan.clients},
          {"short_per_s", plan.short_per_s},
          {"short_life_s", plan.short_life_s},
          {"session_s", plan.session_s},
          {"publish_every_s", plan.publish_every_s},
          {"room", plan.room},
          {"ramp_per_s", plan.ramp_per_s},
          {"baseline_s", plan.baseline_s},
          {"pause_s", plan.pause_s},
          {"settle_s", plan.settle_s},
          {"balance_at_s", plan.balance_at_s},
          {"balance_tolerance", plan.balance_tolerance},
          {"drain_rate", plan.drain_rate},
          {"connection_age_s", plan.connection_age_s},
          {"hard_stop_s", plan.hard_stop_s},
          {"quick", plan.quick}};
}

/// One array per figure, one element per second.
json seconds_json(const std::vector<ClientSecond>& seconds) {
  json made;
  for (const char* plain :
       {"open_long", "connects", "reconnects", "short_opened", "connect_errors", "timeouts", "sent",
        "received", "missing", "repeated", "misplaced", "foreign", "late_ms"}) {
    made[plain] = json::array();
  }
  std::set<int> statuses;
  for (const ClientSecond& second : seconds) {
    for (const auto& entry : second.refused) statuses.insert(entry.first);
  }
  made["refused"] = json::object();
  for (const ClientSecond& second : seconds) {
    for (std::size_t g = 0; g < kGatewaysAndUnknown; ++g) {
      made["open"][gateway_name(g)].push_back(second.open.at(g));
      made["closes"][gateway_name(g)].push_back(second.closes.at(g));
      made["cuts"][gateway_name(g)].push_back(second.cuts.at(g));
    }
    for (const int status : statuses) {
      const auto found = second.refused.find(status);
      made["refused"][std::to_string(status)].push_back(
          found == second.refused.end() ? 0 : found->second);
    }
    made["open_long"].push_back(second.open_long);
    made["connects"].push_back(second.connects);
    made["reconnects"].push_back(second.reconnects);
    made["short_opened"].push_back(second.short_opened);
    made["connect_errors"].push_back(second.connect_errors);
    made["timeouts"].push_back(second.timeouts);
    made["sent"].push_back(second.sent);
    made["received"].push_back(second.received);
    made["missing"].push_back(second.missing);
    made["repeated"].push_back(second.repeated);
    made["misplaced"].push_back(second.misplaced);
    made["foreign"].push_back(second.foreign);
    made["late_ms"].push_back(second.late_ms);
  }
  return made;
}

json row_json(const BalancerRow& row) {
  return {{"status", row.status},
          {"weight", row.weight},
          {"sessions", row.sessions},
          {"queued", row.queued},
          {"queued_max", row.queued_max},
          {"queue_ms_max", row.queue_ms_max},
          {"retries", row.retries},
          {"redispatches", row.redispatches},
          {"connect_errors", row.connect_errors},
          {"answers_4xx", row.answers_4xx},
          {"answers_5xx", row.answers_5xx}};
}

json sample_json(const Sample& sample) {
  json made{{"at_s", rounded(sample.at_s)}, {"balancer_answered", sample.balancer_answered}};
  for (std::size_t g = 0; g < kGateways; ++g) {
    made["connections"][gateway_name(g)] = sample.connections.at(g);
    made["haproxy"][gateway_name(g)] = row_json(sample.rows.at(g));
  }
  made["haproxy"]["backend"] = row_json(sample.rows.at(kGateways));
  made["cpu_percent"] = json::object();
  for (const auto& [program, percent] : sample.cpu_percent) {
    made["cpu_percent"][program] = rounded(percent, 10);
  }
  return made;
}

json totals_json(const Record& record) {
  json codes = json::object();
  for (const auto& [code, count] : record.totals.close_codes) codes[std::to_string(code)] = count;
  return {{"carried", record.totals.carried},
          {"carried_twice", record.totals.carried_twice},
          {"lost_publishes", record.totals.lost_publishes},
          {"unknown_publishes", record.totals.unknown_publishes},
          {"close_codes", codes},
          {"closes_in_fullest_window", busiest_window(record)},
          {"long_open_at_end", record.totals.long_open_at_end},
          {"long_away_at_end", record.totals.long_away_at_end}};
}

/// Connections some seconds after `back`: how steeply the load returns.
std::string ramp(const Record& record, std::size_t gateway, double back) {
  std::string text;
  for (const int later : {2, 5, 10, 20}) {
    const auto second = static_cast<std::size_t>(back) + static_cast<std::size_t>(later);
    if (second >= record.seconds.size()) break;
    text += (text.empty() ? "; connections after 2, 5, 10, 20 s: " : ", ") +
            std::to_string(record.seconds[second].open.at(gateway));
  }
  return text;
}

/// "1111: SIGTERM at 26.0 s, exit after 8.3 s, back after 9.0 s; connections after 2, 5, …"
std::string restarts(const Record& record) {
  std::string text;
  for (std::size_t g = 0; g < kGateways; ++g) {
    std::map<std::string, double> at;
    for (const Event& event : record.events) {
      if (event.subject == gateway_name(g)) at[event.what] = event.at_s;
    }
    if (!at.contains("back")) continue;
    const bool drained = at.contains("drain");
    const double began = drained ? at["drain"] : at["kill"];
    char line[160];
    std::snprintf(line, sizeof line, "  %s: %s at %.1f s, %s after %.1f s, back after %.1f s",
                  gateway_name(g).c_str(), drained ? "SIGTERM" : "SIGKILL", began,
                  drained ? "exit" : "marked down", at[drained ? "exited" : "down"] - began,
                  at["back"] - began);
    text += line + ramp(record, g, at["back"]) + "\n";
  }
  return text;
}

/// What HAProxy had to do for it, and who else was on the machine: not judged, worth knowing.
std::string circumstances(const Record& record) {
  std::int64_t retries = 0;
  std::int64_t redispatches = 0;
  std::int64_t errors = 0;
  for (const Sample& sample : record.samples) {
    retries = std::max(retries, sample.rows.at(kGateways).retries);
    redispatches = std::max(redispatches, sample.rows.at(kGateways).redispatches);
    errors = std::max(errors, sample.rows.at(kGateways).connect_errors);
  }
  double others = 0;
  double others_max = 0;
  for (const Sample& sample : record.samples) {
    const auto found = sample.cpu_percent.find("others");
    if (found == sample.cpu_percent.end()) continue;
    others += found->second / static_cast<double>(record.samples.size());
    others_max = std::max(others_max, found->second);
  }
  return "  HAProxy: " + std::to_string(retries) + " retries, " + std::to_string(redispatches) +
         " to another gateway, " + std::to_string(errors) +
         " connection errors\n  Everything else on this machine: " +
         std::to_string(std::lround(others)) + " % of a core on average, " +
         std::to_string(std::lround(others_max)) + " % at most\n";
}

}  // namespace

std::string to_json(const Record& record, const std::vector<Criterion>& criteria) {
  json made{{"plan", plan_json(record.plan)}, {"machine", record.machine}};
  made["passed"] = all_passed(criteria);
  for (const Criterion& criterion : criteria) {
    made["criteria"].push_back({{"name", criterion.name},
                                {"passed", criterion.passed},
                                {"measured", criterion.measured},
                                {"wanted", criterion.wanted}});
  }
  made["totals"] = totals_json(record);
  made["events"] = json::array();
  for (const Event& event : record.events) {
    made["events"].push_back({{"at_s", rounded(event.at_s)},
                              {"what", event.what},
                              {"subject", event.subject},
                              {"value", event.value}});
  }
  made["seconds"] = seconds_json(record.seconds);
  made["samples"] = json::array();
  for (const Sample& sample : record.samples) made["samples"].push_back(sample_json(sample));
  return made.dump() + "\n";
}

std::string to_table(const Record& record, const std::vector<Criterion>& criteria) {
  std::string text = "\n" + record.plan.scenario + ": " + std::to_string(record.plan.clients) +
                     " clients, seed " + std::to_string(record.plan.seed) + ", " +
                     std::to_string(record.seconds.size()) + " s, " +
                     std::to_string(record.totals.carried) + " messages through Redis\n" +
                     restarts(record) + circumstances(record) + "\n";
  std::size_t width = 0;
  for (const Criterion& criterion : criteria) width = std::max(width, criterion.name.size());
  for (const Criterion& criterion : criteria) {
    text += criterion.passed ? "  pass  " : "  FAIL  ";
    text += criterion.name + std::string(width - criterion.name.size() + 2, ' ');
    text += criterion.measured;
    if (!criterion.passed) text += "   (wanted: " + criterion.wanted + ")";
    text += "\n";
  }
  text += all_passed(criteria) ? "\nEvery promise kept.\n" : "\nNOT every promise kept.\n";
  return text;
}

}  // namespace sluice::bench
