// The daemons of a soak, with a proxy in every link between them, and what can be done to them.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/process/support/daemons.h"
#include "tests/process/support/fault_proxy.h"
#include "tests/process/support/redis_server.h"
#include "tests/soak/ledger.h"
#include "tests/soak/schedule.h"

namespace sluice::soak {

/// What a gateway has logged about the gaps of a channel.
struct GapTally {
  std::uint64_t lines = 0;
  std::uint64_t unknown = 0;   ///< lines without a number
  std::uint64_t messages = 0;  ///< sum of the numbers
};

/// One process of a gateway, from its start to its end; outlives it in the records of its clients.
struct GatewayLife {
  std::size_t gateway = 0;
  bool killed = false;
  bool draining = false;
  bool closes_on_gap = false;
  std::map<std::string, GapTally> gaps;  ///< by channel
  std::uint64_t lost_publishes = 0;      ///< of its open clients, seen nowhere
  std::size_t log_mark = 0;
};

class Stage {
 public:
  Stage();
  ~Stage();

  void apply(const Action& action);
  void undo(const Action& action);
  /// Starts what has drained. Call often. Throws Violation when a daemon ended unasked or a drain
  /// takes for ever.
  void tend();
  /// Reads the gateways' new log lines.
  void harvest();

  [[nodiscard]] bool accepts(std::size_t gateway) const {
    return !lives_[gateway]->killed && !lives_[gateway]->draining;
  }
  [[nodiscard]] std::shared_ptr<GatewayLife> life(std::size_t gateway) const {
    return lives_[gateway];
  }
  [[nodiscard]] bool redis_answers() const { return redis_state_ == State::kUp; }
  [[nodiscard]] bool draining() const;
  test::Gateway& gateway(std::size_t index) { return *gateways_[index]; }
  test::Relay& relay() { return *relay_; }
  test::RedisServer& redis() { return *redis_; }

 private:
  enum class State { kUp, kStopped, kDown };

  void start_gateway(std::size_t index);
  void kill_gateway(std::size_t index);
  void harvest(std::size_t index);
  void tend_drain(std::size_t index);
  [[nodiscard]] test::GatewaySettings settings_of(std::size_t index) const;

  test::TempDir directory_;
  std::unique_ptr<test::RedisServer> redis_;
  std::unique_ptr<test::FaultProxy> broker_proxy_;
  std::unique_ptr<test::Relay> relay_;
  std::array<std::unique_ptr<test::FaultProxy>, kGateways> links_;
  std::array<std::unique_ptr<test::Gateway>, kGateways> gateways_;
  std::array<std::shared_ptr<GatewayLife>, kGateways> lives_;
  std::array<SteadyClock::time_point, kGateways> drain_began_{};
  State redis_state_ = State::kUp;
  State relay_state_ = State::kUp;
};

}  // namespace sluice::soak
