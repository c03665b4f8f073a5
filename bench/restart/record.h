// What a run of the restart bench has seen: what the judge judges, and what the JSON file and the
// plots say. Plain data; times are seconds since the run began.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice::restart {

/// As many as the shipped haproxy.cfg has.
inline constexpr std::size_t kGateways = 4;

struct Plan {
  std::string scenario = "planned";
  std::uint64_t seed = 1;
  std::uint32_t clients = 2000;  ///< that only listen
  std::uint32_t speakers = 200;  ///< beside them: each alone on a channel, hears itself
  double down_per_s = 20;        ///< to each listener
  double up_per_s = 50;          ///< of all speakers together
  double newcomers_per_s = 20;   ///< through HAProxy, each stays for a second
  bool hostile = true;           ///< half of all clients
  std::uint32_t rounds = 100;
  double pause_s = 2;             ///< from everything served again to the next round
  double settle_s = 3;            ///< before the first and after the last
  std::string io_uring = "auto";  ///< the gateways' flag
  bool quick = false;
};

enum class Who { kListener, kSpeaker, kPulse, kNewcomer };
[[nodiscard]] const char* name_of(Who who);

/// A connection that has ended by itself.
struct Disconnect {
  double at_s = 0;
  Who who = Who::kListener;
  std::uint32_t client = 0;
  std::string gateway;  ///< empty: it had not said its name yet
  std::string manner;
  int close_code = 0;  ///< 0: no close frame
  std::string reason;  ///< of the close frame, or errno's text, or what broke the protocol
};

struct FailedUpgrade {
  double began_s = 0;
  double failed_s = 0;
  std::string how;
};

enum class FaultKind { kLost, kTwice, kMisordered, kCorrupt, kPong };
[[nodiscard]] const char* name_of(FaultKind kind);

struct Fault {
  FaultKind kind{};
  Who who = Who::kListener;
  std::uint32_t client = 0;
  std::uint32_t serial = 0;
  double at_s = 0;  ///< kLost: when it was published; else when it came
  std::string manner;
};

/// Sent by a speaker, written to its socket to the last byte, never seen at Redis.
struct LostPublish {
  double sent_s = 0;
  std::uint32_t speaker = 0;
  std::uint32_t serial = 0;
  bool cut = false;  ///< its connection ended before it was carried
};

/// One thing done to one process.
struct Restart {
  std::string what;     ///< "planned", "kill", "upgrade"
  std::string subject;  ///< a gateway's id, or "relay"
  double asked_s = 0;
  double exited_s = 0;  ///< 0: it did not end (upgrade in place)
  double started_s = 0;
  double served_s = 0;  ///< its clients are answered again
  double pause_ms = 0;  ///< the longest that a ping waited for its pong
  int exit_code = 0;
  int exit_signal = 0;
  std::int32_t pid_before = 0;
  std::int32_t pid_after = 0;
  bool executed = false;     ///< in place: another program image under the same process id
  double cpu_before_ms = 0;  ///< of the old process, from the asking to its end
  double cpu_after_ms = 0;   ///< of the new one, until it had served for a second
  double cpu_keeper_ms = 0;
};

/// Down, of listeners that are not slow on purpose.
struct LatencyTenth {
  double at_s = 0;
  std::uint32_t messages = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

struct Totals {
  std::uint64_t published_down = 0;
  std::uint64_t received = 0;
  std::uint64_t sent_up = 0;
  std::uint64_t carried_up = 0;
  std::uint64_t heard_up = 0;
  std::uint64_t pings = 0;
  std::uint64_t pongs = 0;
  std::uint64_t pinged = 0;  ///< by the server, answered
  std::uint64_t newcomers = 0;
  std::uint64_t open_at_end = 0;  ///< listeners and speakers
  std::map<FaultKind, std::uint64_t> faults;
  std::uint64_t published_twice = 0;  ///< seen at Redis again
  std::uint64_t published_misordered = 0;
  std::uint32_t late_ms = 0;  ///< the fleet's loop was away for so long at the most
};

/// About the relay, where the scenario is about it.
struct RelayFacts {
  std::vector<std::string> subscriber_ids;  ///< of its subscriber at Redis, after each round
  double gap_events = 0;                    ///< of all gateways
  double gap_events_wanted = 0;             ///< one per channel, gateway and kill
  double unknown_fate = 0;                  ///< publishes, as the gateways count them
};

/// Steady cost: pairs of CPU per delivery without and with a keeper.
struct CostPair {
  std::string variant;  ///< "W1 1000, sluice-uring"
  double without_us = 0;
  double with_us = 0;
};

struct Record {
  Plan plan;
  Totals totals;
  std::vector<Restart> restarts;
  std::vector<Disconnect> disconnects;
  std::vector<FailedUpgrade> failed_upgrades;
  std::vector<Fault> faults;  ///< the first kFaultsKept; Totals has all
  std::vector<LostPublish> lost_publishes;
  std::vector<LatencyTenth> latency;
  std::vector<CostPair> costs;
  RelayFacts relay;
  std::map<std::string, std::string> machine;
};

/// A gap of a killed relay is as many as there are clients, and each is looked up.
inline constexpr std::size_t kFaultsKept = 200'000;

}  // namespace sluice::restart
