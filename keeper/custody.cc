#include "keeper/custody.h"

#include <algorithm>
#include <utility>

#include "common/log.h"

namespace sluice::keeper {
namespace {

std::int64_t millis_between(TimePoint from, TimePoint to) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

std::string counts(const Holding& holding) {
  return fmt::format("{} clients, {} listeners, {} connections in mid-handshake",
                     holding.clients.size(), holding.listeners.size(), holding.pending.size());
}

Duration wait_of(const Holding& holding) {
  return std::chrono::milliseconds(holding.terms.handoff_wait_ms);
}

}  // namespace

Welcome Custody::hand_over(const Terms& terms, TimePoint now) {
  reclaim();
  holding_.terms = terms;
  if (holding_.empty()) {
    holding_.orphaned.reset();
    holding_.memory.reset();
    holding_.ending = Ending::kNone;
    holding_.parked_at_micros = 0;
  }
  Welcome welcome;
  welcome.has_state = holding_.memory.valid();
  welcome.ending = holding_.ending;
  welcome.clients = static_cast<std::uint32_t>(holding_.clients.size());
  welcome.listeners = static_cast<std::uint32_t>(holding_.listeners.size());
  welcome.pending = static_cast<std::uint32_t>(holding_.pending.size());
  welcome.crashes = static_cast<std::uint32_t>(crashes(now));
  welcome.clients_max = static_cast<std::uint32_t>(sockets_max_);
  welcome.parked_at_micros = holding_.parked_at_micros;
  log_info("handing over {}", counts(holding_));
  return welcome;
}

Welcome Custody::greet_serving(const Terms& terms) {
  holding_.terms = terms;
  holding_.listeners.clear();
  Welcome welcome;
  welcome.clients_max = static_cast<std::uint32_t>(sockets_max_);
  return welcome;
}

void Custody::leave_behind(TimePoint now) {
  holding_.pending.clear();
  release("a gateway serves that has not waited for them", false, now);
}

bool Custody::take_in(Received& received, Holder& holder, TimePoint now) {
  UniqueFd fd = received.fds.empty() ? UniqueFd() : std::move(received.fds.front());
  const Message& message = received.message;
  if (const auto* state = std::get_if<State>(&message)) {
    on(*state, std::move(fd));
  } else if (const auto* listen = std::get_if<Listen>(&message)) {
    on(*listen, std::move(fd));
  } else if (const auto* unlisten = std::get_if<Unlisten>(&message)) {
    holding_.listeners.erase(unlisten->name);
  } else if (const auto* give = std::get_if<Give>(&message)) {
    on(*give, std::move(fd));
  } else if (const auto* take = std::get_if<Take>(&message)) {
    on(*take);
  } else if (const auto* pending = std::get_if<Pending>(&message)) {
    on(*pending, std::move(fd));
  } else if (std::holds_alternative<Park>(message)) {
    on_park(holder, now);
  } else if (std::holds_alternative<Taken>(message)) {
    on_taken(holder, now);
  } else if (const auto* release = std::get_if<Release>(&message)) {
    on(*release, now);
  } else {
    return false;
  }
  return true;
}

void Custody::on(const State& m, UniqueFd fd) {
  if (m.moved) {
    holding_.memory = std::move(fd);
    return;
  }
  if (!holding_.clients.empty())
    log_warn("a new state: {} clients of the one before are dropped", holding_.clients.size());
  holding_.memory = std::move(fd);
  holding_.clients.clear();
}

void Custody::on(const Listen& m, UniqueFd fd) {
  if (holding_.listeners.size() >= kListenersMax && !holding_.listeners.contains(m.name)) {
    log_warn("listener {} is not held: there are {}", m.name, kListenersMax);
    return;
  }
  holding_.listeners[m.name] = std::move(fd);
}

bool Custody::full() {
  const bool full =
      holding_.clients.size() + holding_.pending.size() + farewells_.clients() >= sockets_max_;
  if (full && !full_said_)
    log_warn("no more than {} clients can be held (RLIMIT_NOFILE)", sockets_max_);
  full_said_ = full;
  return full;
}

void Custody::on(const Give& m, UniqueFd fd) {
  // A slot that is given again has had its client closed; no close must depend on the bound.
  holding_.clients.erase(m.client.slot);
  if (!full()) holding_.clients[m.client.slot] = {m.client.generation, std::move(fd)};
}

void Custody::on(const Take& m) {
  const auto found = holding_.clients.find(m.client.slot);
  if (found != holding_.clients.end() && found->second.generation == m.client.generation)
    holding_.clients.erase(found);
}

void Custody::on(const Pending& m, UniqueFd fd) {
  if (holding_.pending.size() < kPendingMax && !full())
    holding_.pending.push_back({m.listener, m.bytes, std::move(fd)});
}

void Custody::on(const Release& m, TimePoint now) {
  release("the gateway gives them up: " + m.reason, false, now);
}

void Custody::on_park(Holder& holder, TimePoint now) {
  holder.parked = true;
  holding_.parked_at_micros = micros_of(now);
}

void Custody::on_taken(const Holder& holder, TimePoint now) {
  if (holding_.orphaned)
    log_info("taken over by process {} after {} ms: {}", holder.pid,
             millis_between(*holding_.orphaned, now), counts(holding_));
  holding_.pending.clear();
  holding_.orphaned.reset();
  holding_.ending = Ending::kNone;
  holding_.parked_at_micros = 0;
}

std::size_t Custody::crashes(TimePoint now) const {
  return static_cast<std::size_t>(
      std::count_if(holding_.crashes.begin(), holding_.crashes.end(),
                    [now](TimePoint at) { return at + kCrashWindow > now; }));
}

void Custody::holder_ended(const Holder& holder, TimePoint now) {
  if (holding_.empty()) {
    log_info("process {} has ended and left nothing", holder.pid);
    return;
  }
  holding_.ending = holder.parked ? Ending::kPlanned : Ending::kCrashed;
  if (!holding_.orphaned) {
    holding_.orphaned = now;
    if (!holder.parked) holding_.parked_at_micros = 0;
  }
  if (holder.parked) {
    log_info("process {} has parked: {} kept", holder.pid, counts(holding_));
    return;
  }
  holding_.crashes.push_back(now);
  while (holding_.crashes.size() > kCrashesMax) holding_.crashes.pop_front();
  const std::size_t count = crashes(now);
  log_warn("process {} has crashed ({} in a minute): {} kept", holder.pid, count, counts(holding_));
  if (count >= kCrashesMax) give_up("too many crashes", now);
}

void Custody::close_listeners(const char* reason) {
  const std::size_t count = holding_.listeners.size();
  holding_.listeners.clear();
  if (count > 0) log_info("closed {} listeners: {}", count, reason);
}

void Custody::release(std::string reason, bool reclaimable, TimePoint now) {
  farewells_.add({.reason = std::move(reason),
                  .memory = std::move(holding_.memory),
                  .clients = std::exchange(holding_.clients, {}),
                  .close_rate = holding_.terms.close_rate,
                  .reclaimable = reclaimable},
                 now);
}

void Custody::give_up(const std::string& reason, TimePoint now) {
  reclaim();
  close_listeners(reason.c_str());
  holding_.pending.clear();
  release(reason, false, now);
}

void Custody::reclaim() {
  std::optional<Batch> batch = farewells_.reclaim();
  if (!batch) return;
  holding_.memory = std::move(batch->memory);
  holding_.clients = std::move(batch->clients);
}

void Custody::expire(TimePoint now) {
  if (!holding_.orphaned) return;
  if (now >= *holding_.orphaned + kListenerWait) close_listeners("nobody came for them");
  if (now < *holding_.orphaned + wait_of(holding_)) return;
  const std::size_t pending = std::exchange(holding_.pending, {}).size();
  if (pending > 0)
    log_info("closed {} connections in mid-handshake: nobody came for them", pending);
  if (!holding_.clients.empty()) release("nobody came for them", true, now);
}

std::optional<TimePoint> Custody::next_due() const {
  if (!holding_.orphaned) return std::nullopt;
  std::optional<TimePoint> due;
  if (!holding_.clients.empty() || !holding_.pending.empty())
    due = *holding_.orphaned + wait_of(holding_);
  if (!holding_.listeners.empty()) {
    const TimePoint listeners = *holding_.orphaned + kListenerWait;
    due = due ? std::min(*due, listeners) : listeners;
  }
  return due;
}

}  // namespace sluice::keeper
