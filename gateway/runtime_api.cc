#include "gateway/runtime_api.h"

#include <algorithm>

#include "common/log.h"
#include "gateway/limits.h"

namespace sluice::gateway {

struct RuntimeApi::Balancer {
  Balancer(RuntimeApi& api, EventLoop& loop, const Address& address, const ServerPlan& plan,
           Random& random)
      : socket(loop, address),
        registration(plan, random,
                     [name = to_string(address)](LogLevel level, const std::string& line) {
                       log_at(level, "haproxy {}: {}", name, line);
                     }),
        timer(loop, [this, &api] { api.pump(*this); }) {}

  HaproxySocket socket;
  RuntimeRegistration registration;
  Timer timer;
};

RuntimeApi::RuntimeApi(EventLoop& loop, const std::vector<Address>& sockets, const ServerPlan& plan,
                       std::function<ServingState()> state, const TimeSource& time, Random& random)
    : state_(std::move(state)), time_(time) {
  for (const Address& address : sockets)
    balancers_.push_back(std::make_unique<Balancer>(*this, loop, address, plan, random));
}

RuntimeApi::~RuntimeApi() = default;

void RuntimeApi::start() {
  if (std::exchange(started_, true)) return;
  for (const auto& balancer : balancers_) {
    balancer->registration.start(time_.now());
    pump(*balancer);
  }
}

void RuntimeApi::leave(Duration left) {
  if (std::exchange(leaving_, true)) return;
  deadline_ = time_.now() + std::clamp(left, kHaproxyLeaveMin, kHaproxyLeaveMax);
  for (const auto& balancer : balancers_) {
    balancer->registration.leave(time_.now(), deadline_);
    pump(*balancer);
  }
}

bool RuntimeApi::gone() const {
  if (leaving_ && time_.now() >= deadline_) return true;
  return std::all_of(balancers_.begin(), balancers_.end(),
                     [](const auto& balancer) { return balancer->registration.gone(); });
}

std::size_t RuntimeApi::registered() const {
  return static_cast<std::size_t>(
      std::count_if(balancers_.begin(), balancers_.end(),
                    [](const auto& balancer) { return balancer->registration.registered(); }));
}

RegistrationStats RuntimeApi::stats() const {
  RegistrationStats sum;
  for (const auto& balancer : balancers_) {
    const RegistrationStats& one = balancer->registration.stats();
    sum.commands += one.commands;
    sum.registrations += one.registrations;
    sum.failures += one.failures;
    for (std::size_t i = 0; i < sum.refusals.size(); ++i) sum.refusals[i] += one.refusals[i];
  }
  return sum;
}

void RuntimeApi::pump(Balancer& balancer) {
  if (balancer.socket.busy() || balancer.registration.gone()) return;
  const TimePoint now = time_.now();
  if (const auto command = balancer.registration.next_command(now, state_())) {
    balancer.socket.run(
        *command, kHaproxyReplyWait,
        [this, &balancer](const Result<std::string>& reply) { answered(balancer, reply); });
    return;
  }
  if (!balancer.registration.gone())
    balancer.timer.start_once(std::max(Duration::zero(), balancer.registration.wake() - now));
}

void RuntimeApi::answered(Balancer& balancer, const Result<std::string>& reply) {
  if (reply) {
    balancer.registration.answered(*reply, time_.now(), state_());
  } else {
    balancer.registration.failed(reply.error().message, time_.now());
  }
  pump(balancer);
}

}  // namespace sluice::gateway
