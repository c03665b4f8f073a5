#include "gateway/balancers.h"

#include <algorithm>
#include <utility>

#include "gateway/limits.h"

namespace sluice::gateway {

Balancers::Balancer& Balancers::at(std::string_view address, TimePoint now) {
  const auto found = balancers_.find(std::string(address));
  if (found != balancers_.end()) return found->second;
  if (balancers_.size() >= kBalancersMax) {
    // One that carries a mark is the last to be forgotten here; the relay keeps it anyway.
    const auto stalest =
        std::min_element(balancers_.begin(), balancers_.end(), [](const auto& a, const auto& b) {
          return std::pair(a.second.owed, a.second.asked_at) <
                 std::pair(b.second.owed, b.second.asked_at);
        });
    balancers_.erase(stalest);
  }
  Balancer& added = balancers_[std::string(address)];
  added.asked_at = now;
  return added;
}

Balancers::Balancer& Balancers::asks(std::string_view address, TimePoint now) {
  Balancer& balancer = at(address, now);
  const Duration gap = now - balancer.asked_at;
  // The longest of late: agent check and health check of one balancer come in between each other.
  balancer.interval =
      gap > kBalancerKeep ? Duration::zero() : std::max(gap, balancer.interval * 7 / 8);
  balancer.asked_at = now;
  return balancer;
}

void Balancers::mark(std::string_view address, Balancer& balancer, TimePoint now) {
  if (balancer.marked) return;
  balancer.marked = true;
  balancer.kept = false;
  balancer.marked_at = now;
  memory_.mark_drained(address);
}

Balancers::Standing Balancers::agent_asks(std::string_view address, TimePoint now) {
  Balancer& balancer = asks(address, now);
  balancer.agent = true;
  if (!draining_) return {.drain_may_be_said = false, .ready_owed = balancer.owed};
  if (!needs_word(balancer)) return {};
  mark(address, balancer, now);
  // The memory may answer from inside mark(). Without a relay the drain goes on unremembered.
  return {.drain_may_be_said = balancer.kept || now - balancer.marked_at >= kMarkWait,
          .ready_owed = false};
}

void Balancers::agent_told_drain(std::string_view address, TimePoint now) {
  Balancer& balancer = at(address, now);
  balancer.owed = true;
  if (balancer.seen_at == TimePoint{}) balancer.seen_at = now;
}

void Balancers::agent_told_ready(std::string_view address) {
  const auto found = balancers_.find(std::string(address));
  if (found == balancers_.end() || draining_) return;
  found->second.owed = found->second.marked = found->second.kept = false;
  memory_.clear_drained(address);
}

void Balancers::check_answered(std::string_view address, bool gives_clients, TimePoint now) {
  Balancer& balancer = asks(address, now);
  if (balancer.checked_at != TimePoint{}) balancer.check_interval = now - balancer.checked_at;
  balancer.checked_at = now;
  if (!draining_) return;
  if (!gives_clients) {
    if (balancer.seen_at == TimePoint{}) balancer.seen_at = now;
  } else if (std::exchange(balancer.checked_in_drain, true)) {
    balancer.ignores_404 = true;
  }
}

void Balancers::drain_begins(TimePoint now) {
  if (draining_) return;
  draining_ = true;
  drain_began_ = now;
  for (auto& [address, balancer] : balancers_) {
    balancer.seen_at = {};
    balancer.checked_in_drain = balancer.ignores_404 = false;
    if (balancer.agent && needs_word(balancer) && now - balancer.asked_at <= kBalancerKeep)
      mark(address, balancer, now);
  }
}

void Balancers::drain_ends() {
  draining_ = false;
  forget_untold();
}

void Balancers::forget_untold() {
  for (auto& [address, balancer] : balancers_) {
    if (!balancer.marked || balancer.owed) continue;
    balancer.marked = balancer.kept = false;
    memory_.clear_drained(address);
  }
}

bool Balancers::checks_stopped(const Balancer& balancer, TimePoint now) {
  return balancer.checked_at != TimePoint{} &&
         now - balancer.checked_at > 2 * balancer.check_interval + kAskLateness &&
         balancer.asked_at > balancer.checked_at;
}

bool Balancers::waited_for(const Balancer& balancer, TimePoint now) const {
  const Duration patience = balancer.interval == Duration::zero()
                                ? kAskIntervalUnknown
                                : 2 * balancer.interval + kAskLateness;
  return now - std::max(drain_began_, balancer.asked_at) < patience;
}

DrainSeen Balancers::drain_seen(TimePoint now) const {
  TimePoint last{};
  for (const auto& [address, balancer] : balancers_) {
    if (drain_began_ - balancer.asked_at > kBalancerKeep) continue;
    if (balancer.seen_at != TimePoint{}) {
      last = std::max(last, balancer.seen_at);
    } else if (!needs_word(balancer) && checks_stopped(balancer, now)) {
      last = std::max(last, balancer.checked_at);
    } else if (waited_for(balancer, now)) {
      return DrainSeen::kWaiting;
    }
  }
  if (last == TimePoint{}) return DrainSeen::kNobodyAsks;
  return now - last >= kSeenSettle ? DrainSeen::kByAll : DrainSeen::kWaiting;
}

void Balancers::remembered(std::string_view address, TimePoint now) {
  const bool known = balancers_.contains(std::string(address));
  Balancer& balancer = at(address, now);
  // Not asked from: it must not be waited for.
  if (!known) balancer.asked_at = now - 2 * kBalancerKeep;
  balancer.marked = balancer.kept = balancer.owed = true;
}

void Balancers::confirmed(std::string_view address) {
  const auto found = balancers_.find(std::string(address));
  if (found != balancers_.end() && found->second.marked) found->second.kept = true;
}

std::size_t Balancers::active(TimePoint now) const {
  return static_cast<std::size_t>(std::count_if(
      balancers_.begin(), balancers_.end(),
      [now](const auto& entry) { return now - entry.second.asked_at <= kBalancerKeep; }));
}

std::size_t Balancers::owed() const {
  return static_cast<std::size_t>(std::count_if(
      balancers_.begin(), balancers_.end(), [](const auto& entry) { return entry.second.owed; }));
}

}  // namespace sluice::gateway
