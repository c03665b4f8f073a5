#include "bench/restart/judge.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace sluice::restart {
namespace {

/// What follows from a kill shows within this time.
constexpr double kFollows_s = 5;
/// A publish that was under way at a kill was written no longer ago than this.
constexpr double kUnderWay_s = 1;
constexpr std::uint32_t kLateMsMax = 1000;
constexpr double kPauseMsMax = 500;
constexpr double kCpuUsPerClientMax = 60;
constexpr double kSteadyPercentMax = 5;
constexpr std::size_t kPairsMin = 6;  ///< fewer have no 95 % interval of order statistics

std::string number(double value, int digits = 1) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string count(std::uint64_t value) {
  return std::to_string(value);
}

bool is(const Record& record, const char* scenario) {
  return record.plan.scenario == scenario;
}

bool about_kills(const Record& record) {
  return is(record, "kill");
}

/// The kill that this can have come from; nothing: none.
const Restart* cause_of(const Record& record, double at_s, double before_s, double after_s) {
  for (const Restart& restart : record.restarts) {
    if (at_s >= restart.asked_s - before_s && at_s <= restart.asked_s + after_s) return &restart;
  }
  return nullptr;
}

/// A relay that was killed has a hole behind it, told as a gap.
bool in_gap(const Record& record, double published_s) {
  return std::any_of(record.restarts.begin(), record.restarts.end(), [&](const Restart& restart) {
    return published_s >= restart.asked_s - kUnderWay_s &&
           published_s <= restart.served_s + kUnderWay_s;
  });
}

std::string first_of(const Record& record, FaultKind kind) {
  for (const Fault& fault : record.faults) {
    if (fault.kind != kind) continue;
    return "; the first: serial " + count(fault.serial) + " at a " + fault.manner + " " +
           name_of(fault.who) + " at " + number(fault.at_s) + " s";
  }
  return "";
}

Criterion no_fault(const Record& record, FaultKind kind, const char* name) {
  const auto found = record.totals.faults.find(kind);
  const std::uint64_t faults = found == record.totals.faults.end() ? 0 : found->second;
  return {name, faults == 0,
          count(faults) + " of " + count(record.totals.received) + first_of(record, kind), "0"};
}

/// Beyond the first kFaultsKept nobody knows when: they count as without a cause.
Criterion lost_in_gaps_alone(const Record& record) {
  const auto found = record.totals.faults.find(FaultKind::kLost);
  std::uint64_t lost = found == record.totals.faults.end() ? 0 : found->second;
  std::uint64_t told = 0;
  for (const Fault& fault : record.faults)
    told += fault.kind == FaultKind::kLost && in_gap(record, fault.at_s) ? 1 : 0;
  lost -= told;
  return {"server to client: lost outside of the gaps told", lost == 0,
          count(lost) + ", " + count(told) + " in gaps", "0"};
}

std::string describe(const Disconnect& one) {
  return "; the first: " + one.manner + " " + name_of(one.who) + " of " +
         (one.gateway.empty() ? "an unnamed gateway" : one.gateway) + " at " + number(one.at_s) +
         " s, " +
         (one.close_code == 0 ? one.reason
                              : std::to_string(one.close_code) + " '" + one.reason + "'");
}

Criterion nobody_disconnected(const Record& record) {
  const std::size_t all = record.disconnects.size();
  return {"clients disconnected", all == 0,
          count(all) + (all == 0 ? "" : describe(record.disconnects.front())), "0"};
}

/// One at the most for each kill, of the gateway killed.
Criterion one_cut_per_kill(const Record& record) {
  std::map<const Restart*, std::uint64_t> by_kill;
  std::uint64_t without_cause = 0;
  std::string first;
  for (const Disconnect& one : record.disconnects) {
    const Restart* cause = cause_of(record, one.at_s, 0, kFollows_s);
    const bool its_gateway =
        cause != nullptr && (one.gateway.empty() || one.gateway == cause->subject);
    if (!its_gateway || ++by_kill[cause] > 1) {
      ++without_cause;
      if (first.empty()) first = describe(one);
    }
  }
  return {"clients disconnected", without_cause == 0,
          count(record.disconnects.size()) + " at " + count(record.restarts.size()) + " kills, " +
              count(without_cause) + " too many" + first,
          "at most 1 per kill"};
}

Criterion no_publish_lost(const Record& record) {
  const std::size_t lost = record.lost_publishes.size();
  std::string first;
  if (lost > 0) {
    const LostPublish& one = record.lost_publishes.front();
    first = "; the first: serial " + count(one.serial) + " of speaker " + count(one.speaker) +
            " at " + number(one.sent_s) + " s";
  }
  return {"client to server: lost", lost == 0,
          count(lost) + " of " + count(record.totals.sent_up) + first, "0"};
}

/// Only what the gateway had in its hands when it was killed: it reads one client at a time, and a
/// speaker has one message under way. What was sent on a connection that was cut is of unknown fate
/// to the client as well.
Criterion publishes_lost_in_mid_read(const Record& record) {
  std::map<const Restart*, std::uint64_t> by_kill;
  std::uint64_t cut = 0;
  std::uint64_t without_cause = 0;
  for (const LostPublish& one : record.lost_publishes) {
    if (one.cut) {
      ++cut;
      continue;
    }
    const Restart* cause = cause_of(record, one.sent_s, kUnderWay_s, 0);
    if (cause == nullptr || ++by_kill[cause] > 1) ++without_cause;
  }
  return {"client to server: lost", without_cause == 0,
          count(record.lost_publishes.size()) + " of " + count(record.totals.sent_up) + ", " +
              count(cut) + " of them with their connection, " + count(without_cause) +
              " not in mid-read",
          "only in mid-read at a kill"};
}

/// Whether a publish of unknown fate was carried, nobody can tell but the witness: what it has not
/// seen must be among those counted.
Criterion unknown_fate_counted(const Record& record) {
  const std::size_t lost = record.lost_publishes.size();
  const auto counted = static_cast<std::uint64_t>(std::llround(record.relay.unknown_fate));
  return {
      "client to server: lost, and not counted as of unknown fate", lost <= counted,
      count(lost) + " lost of " + count(record.totals.sent_up) + ", " + count(counted) + " counted",
      "none uncounted"};
}

Criterion once_each(const Record& record) {
  return {"client to server: published twice or out of order",
          record.totals.published_twice + record.totals.published_misordered == 0,
          count(record.totals.published_twice) + " twice, " +
              count(record.totals.published_misordered) + " out of order, of " +
              count(record.totals.carried_up),
          "0"};
}

Criterion newcomers_let_in(const Record& record) {
  std::uint64_t at_kills = 0;
  std::uint64_t others = 0;
  std::string first;
  for (const FailedUpgrade& one : record.failed_upgrades) {
    const bool at_kill =
        about_kills(record) &&
        std::any_of(record.restarts.begin(), record.restarts.end(), [&](const Restart& kill) {
          return one.began_s <= kill.asked_s && one.failed_s >= kill.asked_s;
        });
    if (at_kill) {
      ++at_kills;
      continue;
    }
    ++others;
    if (first.empty()) first = "; the first at " + number(one.failed_s) + " s: " + one.how;
  }
  return {"new connections that failed", others == 0,
          count(others) + " of " + count(record.totals.newcomers + others + at_kills) +
              (at_kills > 0 ? ", and " + count(at_kills) + " in their handshake at a kill" : "") +
              first,
          about_kills(record) ? "0 but between head and 101 at a kill" : "0"};
}

bool has_happened(const Restart& restart) {
  if (restart.served_s == 0) return false;
  if (restart.what == "planned" || restart.what == "kill")
    return restart.pid_after != restart.pid_before && restart.exited_s > 0;
  return restart.executed && restart.pid_after == restart.pid_before;
}

/// A planned one ends with 0: anything else was a crash on the way.
bool ended_well(const Restart& restart) {
  if (restart.exited_s == 0) return true;
  if (restart.what == "kill") return restart.exit_signal == 9;
  return restart.exit_code == 0 && restart.exit_signal == 0;
}

Criterion all_restarted(const Record& record) {
  const auto good = std::count_if(
      record.restarts.begin(), record.restarts.end(),
      [](const Restart& restart) { return has_happened(restart) && ended_well(restart); });
  const std::size_t each =
      is(record, "package") ? record.plan.rounds * (kGateways + 1) : record.plan.rounds;
  return {"restarts done", static_cast<std::size_t>(good) == each,
          std::to_string(good) + " of " + count(record.restarts.size()), count(each)};
}

Criterion everybody_there(const Record& record) {
  const std::uint64_t all =
      record.plan.clients + record.plan.speakers + (is(record, "idle") ? 1 : kGateways);
  return {"clients connected at the end", record.totals.open_at_end == all,
          count(record.totals.open_at_end), count(all)};
}

Criterion machine_kept_up(const Record& record) {
  return {"the machine kept up: clients held up", record.totals.late_ms <= kLateMsMax,
          count(record.totals.late_ms) + " ms at most",
          "at most " + count(kLateMsMax) + " ms, else the rest means little"};
}

Criterion same_subscriber(const Record& record) {
  const auto& ids = record.relay.subscriber_ids;
  const bool same = !ids.empty() && !ids.front().empty() &&
                    std::all_of(ids.begin(), ids.end(),
                                [&](const std::string& one) { return one == ids.front(); });
  return {
      "the same subscriber at Redis throughout", same,
      ids.empty() ? "none seen" : "client " + ids.front() + " at first, " + ids.back() + " at last",
      "the same"};
}

Criterion one_gap_per_channel(const Record& record) {
  const RelayFacts& relay = record.relay;
  return {"gap events", relay.gap_events == relay.gap_events_wanted && relay.gap_events_wanted > 0,
          number(relay.gap_events, 0), number(relay.gap_events_wanted, 0) + ", one per channel"};
}

Criterion short_pause(const Record& record) {
  double worst = 0;
  for (const Restart& restart : record.restarts) worst = std::max(worst, restart.pause_ms);
  return {"pause from stop to serve, " + count(record.plan.clients) + " idle clients",
          !record.restarts.empty() && worst > 0 && worst <= kPauseMsMax,
          number(worst, 0) + " ms at most", "at most " + number(kPauseMsMax, 0) + " ms"};
}

Criterion cheap_handoff(const Record& record) {
  double worst = 0;
  for (const Restart& restart : record.restarts) {
    const double ms = restart.cpu_before_ms + restart.cpu_after_ms + restart.cpu_keeper_ms;
    worst = std::max(worst, ms * 1000 / std::max(1U, record.plan.clients));
  }
  return {"CPU of a handoff per client", !record.restarts.empty() && worst <= kCpuUsPerClientMax,
          number(worst) + " µs at most", "at most " + number(kCpuUsPerClientMax, 0) + " µs"};
}

Criterion steady_cost(const Record& record) {
  const Interval cost = steady_cost_percent(record.costs);
  return {"steady cost of keeper and records, CPU per delivery",
          record.costs.size() >= kPairsMin && cost.high <= kSteadyPercentMax,
          number(cost.median) + " % (95 %: " + number(cost.low) + " to " + number(cost.high) +
              "), " + count(record.costs.size()) + " pairs",
          "upper bound at most " + number(kSteadyPercentMax, 0) + " %"};
}

void add_delivery(const Record& record, std::vector<Criterion>& all) {
  if (is(record, "relay-kill")) {
    all.push_back(lost_in_gaps_alone(record));
  } else {
    all.push_back(no_fault(record, FaultKind::kLost, "server to client: lost"));
  }
  all.push_back(no_fault(record, FaultKind::kTwice, "server to client: twice"));
  all.push_back(no_fault(record, FaultKind::kMisordered, "server to client: out of order"));
  all.push_back(no_fault(record, FaultKind::kCorrupt, "server to client: corrupt"));
  all.push_back(no_fault(record, FaultKind::kPong, "pings without their pong, in order"));
}

}  // namespace

Interval steady_cost_percent(const std::vector<CostPair>& pairs) {
  std::vector<double> values;
  for (const CostPair& pair : pairs) {
    if (pair.without_us > 0) values.push_back((pair.with_us / pair.without_us - 1) * 100);
  }
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t size = values.size();
  // How many values may lie beyond each end: P(Binomial(n, 1/2) <= k) <= 2.5 %.
  double tail = std::pow(0.5, static_cast<double>(size));
  double next = tail;
  std::size_t beyond = 0;
  while (beyond < size / 2) {
    next = next * static_cast<double>(size - beyond) / static_cast<double>(beyond + 1);
    if (tail + next > 0.025) break;
    tail += next;
    ++beyond;
  }
  const double median =
      size % 2 == 1 ? values[size / 2] : (values[size / 2 - 1] + values[size / 2]) / 2;
  return {median, values[beyond], values[size - 1 - beyond]};
}

std::vector<Criterion> judge(const Record& record) {
  if (is(record, "steady")) return {steady_cost(record)};
  std::vector<Criterion> all{all_restarted(record)};
  if (is(record, "kill")) {
    all.push_back(one_cut_per_kill(record));
  } else {
    all.push_back(nobody_disconnected(record));
  }
  all.push_back(everybody_there(record));
  if (is(record, "idle")) {
    all.push_back(short_pause(record));
    all.push_back(cheap_handoff(record));
  } else {
    add_delivery(record, all);
    if (is(record, "kill")) {
      all.push_back(publishes_lost_in_mid_read(record));
    } else if (is(record, "relay-kill")) {
      all.push_back(unknown_fate_counted(record));
      all.push_back(one_gap_per_channel(record));
    } else {
      all.push_back(no_publish_lost(record));
    }
    all.push_back(once_each(record));
    all.push_back(newcomers_let_in(record));
  }
  if (is(record, "relay-upgrade") || is(record, "package")) all.push_back(same_subscriber(record));
  if (!record.plan.quick) all.push_back(machine_kept_up(record));
  return all;
}

}  // namespace sluice::restart
