// What is asked of a run and what it has shown. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::channels {

struct Plan {
  std::size_t clients = 19000;
  std::size_t per_client = 10;  ///< channels of each: one is everybody's, the rest are of the pool
  std::size_t pool = 5000;      ///< channels beside the shared one
  std::size_t recover = 5000;   ///< clients that are cut, and come back
  double idle_s = 25;
  bool protobuf = false;
  bool memory_broker = false;
  bool history = true;
  bool presence = true;
  bool io_uring = true;
  bool quick = false;

  [[nodiscard]] std::uint64_t subscriptions() const { return clients * per_client; }
};

/// CPU and resident memory of each program.
struct Usage {
  double gateway = 0;
  double relay = 0;
  double redis = 0;
};

/// Between two moments.
struct Phase {
  std::string name;  ///< "subscribe"
  std::string title;
  double seconds = 0;  ///< until the last client had what it waited for
  Usage cpu_s;
  Usage resident_bytes;  ///< at its end
  double to_relay_bytes = 0;
  double to_gateway_bytes = 0;
  double redis_commands = 0;    ///< of clients and of scripts
  double redis_sent_bytes = 0;  ///< to Redis
  double history_reads = 0;     ///< questions for a history that reached the broker
  double ring_recoveries = 0;
  double presence_changes = 0;     ///< set, cleared or set again
  std::uint64_t publications = 0;  ///< received by clients
  double load_cpu_s = 0;           ///< the clients' own
};

struct Faults {
  std::uint64_t missing = 0;
  std::uint64_t repeated = 0;
  std::uint64_t other = 0;        ///< before the subscribe reply, foreign, unasked, misnumbered
  std::uint64_t unrecovered = 0;  ///< told `recovered: false`
};

struct Record {
  Plan plan;
  std::string date;
  std::string kernel;
  Usage empty_bytes;  ///< resident, before the first client
  std::vector<Phase> phases;
  Faults faults;
  std::uint64_t presence_entries = 0;  ///< as the relay says, everybody being there
  std::string stopped;                 ///< why it ended before its time; empty: it did not
};

/// Null: the run did not come so far.
[[nodiscard]] const Phase* find_phase(const Record& record, const std::string& name);

}  // namespace sluice::channels
