#include "gateway/departures.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

/// In the middle of something: it has just spoken, or waits for an answer.
bool busy(const ClientSession& session, TimePoint now) {
  return session.publishes_pending > 0 || session.state.inbound.open ||
         now - session.state.spoke_at < kBusyFor;
}

}  // namespace

bool Departures::to_go(const ClientSession& session) const {
  return session.phase == SessionPhase::kOpen && session.state.connected_at <= drain_->came_by;
}

std::size_t Departures::open_for_drain() const {
  std::size_t open = 0;
  for (std::size_t i = 0; drain_ && i < sessions_.slots(); ++i) {
    const ClientSession* session = sessions_.at(i);
    if (session != nullptr && to_go(*session)) ++open;
  }
  return open;
}

bool Departures::begin_round() {
  std::vector<std::pair<TimePoint, ClientRef>> clients;
  for (std::size_t i = 0; i < sessions_.slots(); ++i) {
    const ClientSession* session = sessions_.at(i);
    if (session != nullptr && to_go(*session))
      clients.emplace_back(session->state.spoke_at, session->ref);
  }
  // The longest silent first; those that never spoke in the order of the table.
  std::stable_sort(clients.begin(), clients.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [spoke_at, ref] : clients) drain_->order.push_back(ref);
  // Every other round takes whom the one before has spared: a client that never falls silent goes
  // too.
  drain_->spares_busy = !drain_->spares_busy;
  return !drain_->order.empty();
}

ClientSession* Departures::next_drained(TimePoint now) {
  for (int rounds = 0; rounds < 3; ++rounds) {
    while (!drain_->order.empty()) {
      ClientSession* session = sessions_.find(drain_->order.front());
      drain_->order.pop_front();
      if (session == nullptr || !to_go(*session)) continue;
      if (drain_->spares_busy && busy(*session, now)) continue;
      return session;
    }
    if (!begin_round()) return nullptr;
  }
  return nullptr;
}

ClientSession* Departures::next_aged() {
  while (!aged_.empty()) {
    ClientSession* session = sessions_.find(aged_.front());
    aged_.pop_front();
    if (session != nullptr && session->phase == SessionPhase::kOpen) return session;
  }
  return nullptr;
}

void Departures::tick(double drain_rate, double age_rate, TimePoint now, const Close& close) {
  const bool drains = drain_ && drain_rate > 0;
  const std::size_t wanted = (drains ? sessions_.size() : 0) + aged_.size();
  const double rate = drains ? std::max(drain_rate, aged_.empty() ? 0 : age_rate) : age_rate;
  if (wanted == 0 || rate <= 0) return;
  std::size_t allowed = pace_.take(rate, wanted, now);
  while (allowed > 0) {
    ClientSession* session = drains ? next_drained(now) : nullptr;
    const DepartureCause cause = session != nullptr ? DepartureCause::kDrain : DepartureCause::kAge;
    if (session == nullptr) session = next_aged();
    if (session == nullptr) return;
    close(*session, cause);
    --allowed;
  }
}

}  // namespace sluice::gateway
