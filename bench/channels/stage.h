// The programs of a run: Redis, one relay, one gateway; each pinned, the server's two to one core.
#pragma once

#include <memory>
#include <string>

#include "bench/channels/record.h"
#include "bench/fanout/stage.h"
#include "tests/process/support/metrics.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::channels {

/// Counters as they stand; a phase is the difference of two.
struct Counters {
  Usage cpu_s;
  double to_relay_bytes = 0;
  double to_gateway_bytes = 0;
  double redis_commands = 0;
  double redis_sent_bytes = 0;
  double history_reads = 0;
  double ring_recoveries = 0;
  double presence_changes = 0;
  double load_cpu_s = 0;
};

class Stage {
 public:
  /// Everything is up and takes connections when the constructor returns; else HarnessError.
  explicit Stage(const Plan& plan);

  [[nodiscard]] const test::Endpoint& clients_connect_to() const { return endpoint_; }
  /// One numbered publication on each of them, by the server API. Throws when one is refused.
  void publish(const std::vector<std::string>& channels, const std::string& data);

  [[nodiscard]] Counters counters();
  [[nodiscard]] Usage resident_bytes() const;
  [[nodiscard]] std::uint64_t presence_entries() const;

 private:
  void start(const Plan& plan);
  [[nodiscard]] double redis_commands();
  [[nodiscard]] pid_t gateway() const { return programs_->counted().back(); }
  [[nodiscard]] pid_t relay() const { return programs_->counted().front(); }

  test::TempDir directory_;
  std::unique_ptr<test::RedisServer> redis_;  ///< null: the embedded broker
  test::Endpoint endpoint_;
  test::Endpoint api_;
  test::Endpoint relay_admin_;
  std::unique_ptr<fanout::Stage> programs_;
};

}  // namespace sluice::channels
