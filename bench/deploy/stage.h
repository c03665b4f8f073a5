// What a deploy is done to: Redis, relay, four gateways, HAProxy with the shipped file. Real
// programs, flags as users have them but for what the plan says.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "bench/deploy/record.h"
#include "bench/deploy/witness.h"
#include "tests/process/support/haproxy.h"
#include "tests/process/support/redis_server.h"

namespace sluice::bench {

class Stage {
 public:
  /// Everything is up when the constructor returns.
  explicit Stage(const Plan& plan);
  ~Stage();

  [[nodiscard]] test::Gateway& gateway(std::size_t index) { return stack_->gateway(index); }
  [[nodiscard]] test::Haproxy& balancer() { return *balancer_; }
  [[nodiscard]] Witness& witness() { return *witness_; }

  /// Starts the gateway again on its ports and waits until it says that it is ready.
  void start_gateway(std::size_t index);

  // For a thread that only looks:
  [[nodiscard]] pid_t gateway_pid(std::size_t index) const { return pids_.at(index); }
  [[nodiscard]] const test::Endpoint& admin(std::size_t index) const { return admins_.at(index); }
  [[nodiscard]] pid_t relay_pid() const { return relay_pid_; }
  [[nodiscard]] pid_t redis_pid() const { return redis_pid_; }
  [[nodiscard]] pid_t balancer_pid() const { return balancer_pid_; }

 private:
  test::TempDir directory_;
  std::unique_ptr<test::RedisServer> redis_;
  std::unique_ptr<test::Stack> stack_;
  std::unique_ptr<test::Haproxy> balancer_;
  std::unique_ptr<Witness> witness_;
  std::array<std::atomic<pid_t>, kGateways> pids_{};
  std::array<test::Endpoint, kGateways> admins_;
  pid_t relay_pid_ = 0;
  pid_t redis_pid_ = 0;
  pid_t balancer_pid_ = 0;
};

}  // namespace sluice::bench
