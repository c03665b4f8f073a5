#include "bench/deploy/judge.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <numeric>

namespace sluice::bench {
namespace {

/// HAProxy's `inter 1s fall 3`, refused connections answered at once.
constexpr double kMarkedDownWithin = 3.0;

/// Held up for longer, the clients can't tell what is late from what is lost.
constexpr std::uint32_t kLateMsMax = 1000;

std::string number(double value, int digits = 1) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

template <typename Array>
std::uint64_t sum(const Array& values) {
  return std::accumulate(values.begin(), values.end(), std::uint64_t{0});
}

void add(std::string& list, const std::string& part) {
  if (!list.empty()) list += ", ";
  list += part;
}

Criterion no_failed_upgrade(const Record& record) {
  std::map<int, std::uint64_t> by_status;
  std::uint64_t errors = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t good = 0;
  std::string when;
  for (std::size_t s = 0; s < record.seconds.size(); ++s) {
    const ClientSecond& second = record.seconds[s];
    for (const auto& [status, count] : second.refused) by_status[status] += count;
    errors += second.connect_errors;
    timeouts += second.timeouts;
    good += second.connects + second.reconnects + second.short_opened;
    const bool bad = !second.refused.empty() || second.connect_errors + second.timeouts > 0;
    if (bad && when.empty()) when = ", the first in second " + std::to_string(s);
  }
  std::string failed;
  for (const auto& [status, count] : by_status)
    add(failed, std::to_string(count) + " × " + std::to_string(status));
  if (errors > 0) add(failed, std::to_string(errors) + " connection errors");
  if (timeouts > 0) add(failed, std::to_string(timeouts) + " without an answer");
  return {"failed upgrades", failed.empty(),
          failed.empty() ? "0 of " + std::to_string(good)
                         : failed + when + "; " + std::to_string(good) + " good ones",
          "0"};
}

Criterion closes_at_the_rate(const Record& record) {
  const BusiestSecond busiest = busiest_second(record);
  const double rate = record.plan.drain_rate;
  return {"closes per second and gateway", busiest.closes <= rate,
          std::to_string(busiest.closes) + " (second " + std::to_string(busiest.second) + ", " +
              gateway_name(busiest.gateway) + "); " + std::to_string(busiest_window(record)) +
              " in the fullest window of 1 s",
          "at most " + number(rate, 0)};
}

Criterion machine_kept_up(const Record& record) {
  std::uint32_t late = 0;
  std::size_t when = 0;
  for (std::size_t s = 0; s < record.seconds.size(); ++s) {
    if (record.seconds[s].late_ms <= late) continue;
    late = record.seconds[s].late_ms;
    when = s;
  }
  return {"the machine kept up: clients held up", late <= kLateMsMax,
          std::to_string(late) + " ms at most (second " + std::to_string(when) + ")",
          "at most " + std::to_string(kLateMsMax) + " ms, else the rest means little"};
}

/// With a connection age there is always somebody on the way back.
Criterion everybody_back(const Record& record) {
  const Totals& totals = record.totals;
  const bool ages = record.plan.connection_age_s > 0;
  const std::string all = std::to_string(record.plan.clients);
  return {"clients connected at the end",
          totals.long_away_at_end == 0 && (ages || totals.long_open_at_end == record.plan.clients),
          std::to_string(totals.long_open_at_end) + " of " + all + ", " +
              std::to_string(totals.long_away_at_end) + " away for more than " +
              number(kBackWithin_s, 0) + " s",
          ages ? "0 away for longer" : all};
}

Criterion balanced(const Record& record) {
  Criterion result{"each gateway's share after " + number(record.plan.balance_at_s, 0) + " s",
                   false, "", "within " + number(record.plan.balance_tolerance * 100, 0) + " %"};
  const auto back = last_event(record, "back");
  const auto at = back ? static_cast<std::size_t>(std::lround(*back + record.plan.balance_at_s))
                       : record.seconds.size();
  if (at >= record.seconds.size()) {
    result.measured = back ? "the run ended before" : "no gateway came back";
    return result;
  }
  const auto& open = record.seconds[at].open;
  const double share = static_cast<double>(sum(open)) / static_cast<double>(kGateways);
  double worst = 0;
  for (std::size_t g = 0; g < kGateways; ++g) {
    add(result.measured, gateway_name(g) + " " + std::to_string(open.at(g)));
    worst = std::max(worst, share > 0 ? std::abs(open.at(g) / share - 1) : 1);
  }
  result.measured += " of " + number(share, 0) + " each: " + number(worst * 100) + " % off";
  result.passed = worst <= record.plan.balance_tolerance;
  return result;
}

Criterion nobody_queued(const Record& record) {
  std::int64_t most = 0;
  std::int64_t longest = 0;
  std::size_t answers = 0;
  for (const Sample& sample : record.samples) {
    if (!sample.balancer_answered) continue;
    ++answers;
    for (const BalancerRow& row : sample.rows) {
      most = std::max({most, row.queued, row.queued_max});
      longest = std::max(longest, row.queue_ms_max);
    }
  }
  return {"queued at HAProxy (slowstart, maxconn)", answers > 0 && most == 0,
          answers == 0 ? "HAProxy did not answer"
                       : std::to_string(most) + " at most, " + std::to_string(longest) + " ms",
          "0"};
}

Criterion delivered(const Record& record) {
  std::uint64_t missing = 0;
  std::uint64_t repeated = record.totals.carried_twice;
  std::uint64_t misplaced = 0;
  std::uint64_t foreign = 0;
  std::uint64_t received = 0;
  for (const ClientSecond& second : record.seconds) {
    missing += second.missing;
    repeated += second.repeated;
    misplaced += second.misplaced;
    foreign += second.foreign;
    received += second.received;
  }
  return {"messages missing, repeated, misplaced, foreign",
          received > 0 && missing + repeated + misplaced + foreign == 0,
          std::to_string(missing) + ", " + std::to_string(repeated) + ", " +
              std::to_string(misplaced) + ", " + std::to_string(foreign) + " of " +
              std::to_string(received) + " received",
          "0, 0, 0, 0"};
}

Criterion published(const Record& record) {
  std::uint64_t sent = 0;
  for (const ClientSecond& second : record.seconds) sent += second.sent;
  std::string measured =
      std::to_string(record.totals.lost_publishes) + " of " + std::to_string(sent) + " sent";
  if (record.totals.unknown_publishes > 0) {
    measured +=
        "; " + std::to_string(record.totals.unknown_publishes) + " on connections cut soon after";
  }
  return {"clients' messages that Redis never carried",
          sent > 0 && record.totals.lost_publishes == 0, measured, "0"};
}

Criterion nobody_cut(const Record& record) {
  std::uint64_t cuts = 0;
  std::string when;
  for (std::size_t s = 0; s < record.seconds.size(); ++s) {
    const std::uint64_t here = sum(record.seconds[s].cuts);
    if (here > 0 && cuts == 0) when = ", the first in second " + std::to_string(s);
    cuts += here;
  }
  return {"connections cut without a close frame", cuts == 0, std::to_string(cuts) + when, "0"};
}

Criterion going_away(const Record& record) {
  std::string codes;
  std::uint64_t other = 0;
  std::uint64_t all = 0;
  for (const auto& [code, count] : record.totals.close_codes) {
    add(codes, std::to_string(count) + " × " + std::to_string(code));
    all += count;
    if (code != 1001) other += count;
  }
  return {"close codes of the gateways", all > 0 && other == 0, codes.empty() ? "none" : codes,
          "1001 alone"};
}

Criterion exits_clean(const Record& record) {
  std::size_t exits = 0;
  std::string bad;
  for (const Event& event : record.events) {
    if (event.what != "exited") continue;
    ++exits;
    if (event.value != 0) add(bad, event.subject + " " + std::to_string(event.value));
  }
  return {"gateways restarted, exit code 0", exits == kGateways && bad.empty(),
          std::to_string(exits) + (bad.empty() ? "" : ", but " + bad), std::to_string(kGateways)};
}

Criterion old_worker_gone(const Record& record) {
  const auto reloaded = last_event(record, "reload");
  const auto ended = last_event(record, "old worker ended");
  Criterion result{"old HAProxy worker ends by itself", false, "it did not end",
                   "before hard-stop-after " + number(record.plan.hard_stop_s, 0) + " s"};
  if (!reloaded || !ended) return result;
  const double took = *ended - *reloaded;
  result.measured = "after " + number(took) + " s";
  result.passed = took < record.plan.hard_stop_s;
  return result;
}

/// The killed one's clients were cut, nobody else's. One that had got its 101 from it and not yet
/// its greeting can't say whose it was: within two seconds of the kill it counts as its own.
Criterion cut_alone(const Record& record) {
  const auto killed = std::find_if(record.events.begin(), record.events.end(),
                                   [](const Event& event) { return event.what == "kill"; });
  std::uint64_t own = 0;
  std::uint64_t others = 0;
  for (std::size_t s = 0; s < record.seconds.size() && killed != record.events.end(); ++s) {
    const auto at = static_cast<std::size_t>(killed->at_s);
    for (std::size_t g = 0; g < kGatewaysAndUnknown; ++g) {
      const bool just_killed = s == at || s == at + 1;
      const bool its = gateway_name(g) == killed->subject || (g == kUnknownGateway && just_killed);
      (its ? own : others) += record.seconds[s].cuts.at(g);
    }
  }
  return {"connections cut: of the killed gateway, of others", own > 0 && others == 0,
          std::to_string(own) + ", " + std::to_string(others), "all of its own, 0"};
}

Criterion marked_down(const Record& record) {
  const auto killed = last_event(record, "kill");
  const auto down = last_event(record, "down");
  Criterion result{"marked down by HAProxy", false, "it was not",
                   "within " + number(kMarkedDownWithin) + " s"};
  if (!killed || !down) return result;
  result.measured = "after " + number(*down - *killed, 2) + " s";
  result.passed = *down - *killed <= kMarkedDownWithin;
  return result;
}

}  // namespace

BusiestSecond busiest_second(const Record& record) {
  BusiestSecond busiest;
  for (std::size_t s = 0; s < record.seconds.size(); ++s) {
    const auto& closes = record.seconds[s].closes;
    for (std::size_t g = 0; g < closes.size(); ++g) {
      if (closes.at(g) > busiest.closes) busiest = {closes.at(g), s, g};
    }
  }
  return busiest;
}

std::uint32_t busiest_window(const Record& record) {
  PerGateway<std::deque<double>> windows;
  std::size_t most = 0;
  for (const Close& close : record.closes) {
    auto& window = windows.at(close.gateway);
    while (!window.empty() && window.front() <= close.at_s - 1) window.pop_front();
    window.push_back(close.at_s);
    most = std::max(most, window.size());
  }
  return static_cast<std::uint32_t>(most);
}

std::optional<double> last_event(const Record& record, const std::string& what) {
  std::optional<double> at;
  for (const Event& event : record.events) {
    if (event.what == what) at = event.at_s;
  }
  return at;
}

std::vector<Criterion> judge(const Record& record) {
  const std::string& scenario = record.plan.scenario;
  std::vector<Criterion> criteria{no_failed_upgrade(record)};
  if (scenario != "kill") criteria.push_back(closes_at_the_rate(record));
  if (scenario == "kill") {
    criteria.push_back(cut_alone(record));
    criteria.push_back(marked_down(record));
  } else {
    criteria.push_back(nobody_cut(record));
    criteria.push_back(going_away(record));
  }
  criteria.push_back(everybody_back(record));
  if (scenario != "reload" && record.plan.balance_at_s > 0) criteria.push_back(balanced(record));
  criteria.push_back(nobody_queued(record));
  criteria.push_back(delivered(record));
  criteria.push_back(published(record));
  if (scenario == "rolling") criteria.push_back(exits_clean(record));
  if (scenario == "reload") criteria.push_back(old_worker_gone(record));
  if (!record.plan.quick) criteria.push_back(machine_kept_up(record));
  return criteria;
}

bool all_passed(const std::vector<Criterion>& criteria) {
  return std::all_of(criteria.begin(), criteria.end(),
                     [](const Criterion& criterion) { return criterion.passed; });
}

std::string gateway_name(std::size_t index) {
  return index < kGateways ? std::string(4, static_cast<char>('1' + index)) : "unknown";
}

}  // namespace sluice::bench
