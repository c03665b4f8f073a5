// The gateway registers itself at HAProxy (--haproxy-socket): one registration and one connection
// at a time per HAProxy, on the gateway's loop. What is done when, and why, is
// RuntimeRegistration's.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "gateway/event_loop.h"
#include "gateway/haproxy_socket.h"
#include "gateway/runtime_registration.h"

namespace sluice::gateway {

class RuntimeApi {
 public:
  /// `state` is asked before every command.
  RuntimeApi(EventLoop& loop, const std::vector<Address>& sockets, const ServerPlan& plan,
             std::function<ServingState()> state, const TimeSource& time, Random& random);
  ~RuntimeApi();

  /// The gateway may get clients. Cheap to call again.
  void start();
  /// The gateway ends, its clients have gone: it is removed everywhere. `left` of the drain's time
  /// bounds that, inside kHaproxyLeaveMin and kHaproxyLeaveMax. Cheap to call again.
  void leave(Duration left);
  /// After leave(): the process may end. True at the latest when its time has passed.
  [[nodiscard]] bool gone() const;

  // For the metrics page.
  [[nodiscard]] std::size_t registered() const;
  [[nodiscard]] RegistrationStats stats() const;

 private:
  struct Balancer;

  void pump(Balancer& balancer);
  void answered(Balancer& balancer, const Result<std::string>& reply);

  std::function<ServingState()> state_;
  const TimeSource& time_;
  std::vector<std::unique_ptr<Balancer>> balancers_;
  bool started_ = false;
  bool leaving_ = false;
  TimePoint deadline_{};
};

}  // namespace sluice::gateway
