// What is restarted: Redis, relay, gateways each with a keeper, HAProxy with the shipped file. Real
// programs under supervisors that start them again at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/restart/fleet.h"
#include "bench/restart/record.h"
#include "tests/process/support/haproxy.h"
#include "tests/process/support/redis_server.h"
#include "tests/process/support/supervisor.h"

namespace sluice::restart {

/// Why no gateway of this build can be restarted without its clients noticing; nothing: it can.
[[nodiscard]] std::optional<std::string> handoff_missing();

struct StageSettings {
  std::size_t gateways = kGateways;  ///< with a balancer kGateways
  bool balancer = true;
  bool keepers = true;
  std::string io_uring = "auto";
  std::uint32_t connections_max = 10000;  ///< of each gateway
};

class Stage {
 public:
  /// Everything is up when the constructor returns.
  explicit Stage(StageSettings settings);

  [[nodiscard]] std::size_t size() const { return gateways_.size(); }
  [[nodiscard]] const test::GatewayAddresses& addresses(std::size_t index) const {
    return gateways_.at(index).addresses;
  }
  [[nodiscard]] test::Supervisor& gateway(std::size_t index) {
    return *gateways_.at(index).gateway;
  }
  [[nodiscard]] test::Supervisor& relay() { return *relay_; }
  [[nodiscard]] test::RedisServer& redis() { return *redis_; }
  [[nodiscard]] test::Haproxy& balancer() { return *balancer_; }
  /// 0: there is none.
  [[nodiscard]] pid_t keeper_pid(std::size_t index);
  [[nodiscard]] std::string relay_address() const { return "unix:" + relay_socket_; }
  /// Sum over all gateways.
  [[nodiscard]] double metric(const std::string& name, const std::string& label = "") const;

  /// For a fleet.
  [[nodiscard]] Targets targets() const;
  /// Waits until this gateway's /readyz says 200.
  void wait_ready(std::size_t index) const;
  /// `sluice upgrade WHAT`, WHAT being a gateway's id or "relay". Throws when it fails.
  void upgrade(const std::string& what) const;

 private:
  struct Place {
    test::GatewayAddresses addresses;
    std::unique_ptr<test::Supervisor> keeper;
    std::unique_ptr<test::Supervisor> gateway;
  };
  void start_relay();
  void start_keeper(Place& place);
  void start_gateway(Place& place);

  StageSettings settings_;
  test::TempDir directory_;
  std::string relay_socket_;
  std::unique_ptr<test::RedisServer> redis_;
  std::unique_ptr<test::Supervisor> relay_;
  std::vector<Place> gateways_;
  std::unique_ptr<test::Haproxy> balancer_;
};

}  // namespace sluice::restart
