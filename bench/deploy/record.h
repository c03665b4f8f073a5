// What a run has seen, second by second: what the judge judges, and what the JSON file and the
// plots say. Plain data.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice::bench {

/// As many as the shipped haproxy.cfg has.
inline constexpr std::size_t kGateways = 4;
/// Behind the gateways' own: clients of whom nobody knows the gateway as yet.
inline constexpr std::size_t kUnknownGateway = kGateways;
inline constexpr std::size_t kGatewaysAndUnknown = kGateways + 1;

template <typename T>
using PerGateway = std::array<T, kGatewaysAndUnknown>;

/// As the clients saw it.
struct ClientSecond {
  PerGateway<std::uint32_t> open{};    ///< at its end
  std::uint32_t open_long = 0;         ///< those of them that stay
  PerGateway<std::uint32_t> closes{};  ///< closed by the server, with a close frame
  PerGateway<std::uint32_t> cuts{};    ///< ended by the other side without one
  std::uint32_t connects = 0;          ///< first connections of clients that stay
  std::uint32_t reconnects = 0;        ///< later ones
  std::uint32_t short_opened = 0;
  std::map<int, std::uint32_t> refused;  ///< upgrades answered with another status than 101
  std::uint32_t connect_errors = 0;      ///< refused or reset by TCP, or ended before an answer
  std::uint32_t timeouts = 0;            ///< no answer to the upgrade in time
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  std::uint64_t missing = 0;
  std::uint64_t repeated = 0;
  std::uint64_t misplaced = 0;
  std::uint64_t foreign = 0;
  /// The clients' loop was away for so long at a time. Closes are counted by when they reached the
  /// socket; all else as much too late.
  std::uint32_t late_ms = 0;
};

/// What HAProxy says of a server, or (index kGateways) of the backend.
struct BalancerRow {
  std::string status;
  std::int64_t weight = 0;
  std::int64_t sessions = 0;
  std::int64_t queued = 0;
  std::int64_t queued_max = 0;
  std::int64_t queue_ms_max = 0;
  std::int64_t retries = 0;
  std::int64_t redispatches = 0;
  std::int64_t connect_errors = 0;
  std::int64_t answers_4xx = 0;
  std::int64_t answers_5xx = 0;
};

/// As the outside saw it: taken about once a second.
struct Sample {
  double at_s = 0;
  PerGateway<BalancerRow> rows{};  ///< the last: the backend
  bool balancer_answered = false;
  std::array<std::int64_t, kGateways> connections{};  ///< the gateway's own figure, -1: no answer
  std::map<std::string, double> cpu_percent;          ///< of one core, by program
};

struct Event {
  double at_s = 0;
  std::string what;        ///< "drain", "exited", "started", "back", "kill", "reload", …
  std::string subject;     ///< a gateway's id, or a program
  std::int64_t value = 0;  ///< exit code, where there is one
};

/// One close frame of the server: for windows that do not begin at a full second.
struct Close {
  double at_s = 0;
  std::size_t gateway = kUnknownGateway;
};

struct Plan {
  std::string scenario = "rolling";
  std::uint64_t seed = 1;
  std::uint32_t clients = 4000;
  double short_per_s = 50;
  double short_life_s = 10;
  double session_s = 300;  ///< mean time until a client loses its connection by itself, 0: never
  double publish_every_s = 60;  ///< per client that stays
  std::uint32_t room = 50;      ///< clients that stay per channel
  double ramp_per_s = 250;      ///< first connections per second
  double baseline_s = 10;
  double pause_s = 20;       ///< from a gateway's return to the next drain: haproxy.cfg's slowstart
  double settle_s = 65;      ///< from the last gateway's return to the end
  double balance_at_s = 60;  ///< after the last return; 0: not judged
  double balance_tolerance = 0.2;
  double drain_rate = 200;      ///< the gateways' --drain-rate, clients per second
  double connection_age_s = 0;  ///< the gateways' --max-connection-age, 0: none
  double hard_stop_s = 0;       ///< HAProxy's hard-stop-after in `reload`
  bool quick = false;
};

/// A client's first wait is 1.5 s at the most.
inline constexpr double kBackWithin_s = 5;

struct Totals {
  std::uint64_t carried = 0;  ///< messages that Redis carried
  std::uint64_t carried_twice = 0;
  std::uint64_t lost_publishes =
      0;  ///< sent on a connection that was closed in order, never carried
  std::uint64_t unknown_publishes =
      0;  ///< sent on a connection that was cut soon after, never carried
  std::map<int, std::uint64_t> close_codes;  ///< of the server's closes
  std::uint32_t long_open_at_end = 0;
  std::uint32_t long_away_at_end = 0;  ///< of those that stay: away for longer than kBackWithin_s
};

struct Record {
  Plan plan;
  std::vector<ClientSecond> seconds;
  std::vector<Sample> samples;
  std::vector<Event> events;
  std::vector<Close> closes;
  Totals totals;
  std::map<std::string, std::string> machine;  ///< cores, kernel, versions
};

[[nodiscard]] std::string gateway_name(std::size_t index);

}  // namespace sluice::bench
