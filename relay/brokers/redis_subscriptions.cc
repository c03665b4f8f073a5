#include "relay/brokers/redis_subscriptions.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {

std::string_view RedisSubscriptions::Command::name(std::size_t i) const {
  return nodes_[i]->first;
}

// ---- wanted

void RedisSubscriptions::want(std::string_view channel) {
  auto found = channels_.find(channel);
  if (found == channels_.end()) found = channels_.emplace(std::string(channel), State{}).first;
  State& state = found->second;
  if (std::exchange(state.wanted, true)) return;
  state.refusal_told = false;
  if (connected_) enqueue(*found);
}

void RedisSubscriptions::unwant(std::string_view channel) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  State& state = found->second;
  if (!std::exchange(state.wanted, false)) return;
  state.confirmed = false;
  state.covered_until.reset();
  settle(state);
  if (connected_) {
    enqueue(*found);
  } else {
    forget_if_unused(*found);
  }
}

bool RedisSubscriptions::is_wanted(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found != channels_.end() && found->second.wanted;
}

bool RedisSubscriptions::is_confirmed(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found != channels_.end() && found->second.confirmed;
}

std::size_t RedisSubscriptions::wanted() const {
  return static_cast<std::size_t>(std::count_if(
      channels_.begin(), channels_.end(), [](const Node& node) { return node.second.wanted; }));
}

void RedisSubscriptions::enqueue(Node& node) {
  if (!std::exchange(node.second.queued, true)) todo_.push_back(&node);
}

void RedisSubscriptions::settle(State& state) {
  if (!std::exchange(state.restoring, false)) return;
  CHECK(restoring_ > 0);
  --restoring_;
}

void RedisSubscriptions::forget_if_unused(Node& node) {
  const State& s = node.second;
  if (s.wanted || s.queued || s.parked || s.at_server || s.in_flight != 0) return;
  channels_.erase(channels_.find(std::string_view(node.first)));
}

// ---- the connection

void RedisSubscriptions::connected() {
  CHECK(!connected_);
  connected_ = true;
  restoring_ = channels_.size();
  for (Node& node : channels_) {
    node.second.restoring = true;
    enqueue(node);
  }
}

void RedisSubscriptions::lost(TimePoint known_good) {
  if (!std::exchange(connected_, false)) return;
  todo_.clear();
  commands_.clear();
  parked_.clear();
  restoring_ = 0;
  for (auto it = channels_.begin(); it != channels_.end();) {
    State& state = it->second;
    if (!state.wanted) {
      it = channels_.erase(it);
      continue;
    }
    std::optional<TimePoint> covered_until = state.covered_until;
    if (state.confirmed) covered_until = known_good;
    const bool refusal_told = state.refusal_told;
    state = State{};
    state.wanted = true;
    state.refusal_told = refusal_told;
    state.covered_until = covered_until;
    ++it;
  }
}

// ---- commands

const RedisSubscriptions::Command* RedisSubscriptions::next_command(TimePoint now) {
  Command command;
  while (!todo_.empty() && command.size() < kSubscribeNamesMax) {
    Node& node = *todo_.front();
    State& state = node.second;
    if (state.wanted == state.at_server) {
      // Nothing to ask: given up and wanted again, or the reverse, before it was written.
      todo_.pop_front();
      state.queued = false;
      if (state.wanted && state.in_flight == 0 && !state.confirmed) {
        confirm(node, now);
      } else {
        forget_if_unused(node);
      }
      continue;
    }
    const Verb verb = state.wanted ? Verb::kSubscribe : Verb::kUnsubscribe;
    if (command.size() > 0 && (command.verb_ != verb || state.alone)) break;
    todo_.pop_front();
    state.queued = false;
    state.at_server = state.wanted;
    ++state.in_flight;
    command.verb_ = verb;
    command.nodes_.push_back(&node);
    if (state.alone) break;
  }
  if (command.size() == 0) return nullptr;
  commands_.push_back(std::move(command));
  return &commands_.back();
}

void RedisSubscriptions::ping_written() {
  commands_.emplace_back().verb_ = Verb::kPing;
}

void RedisSubscriptions::retry_refused() {
  for (Node* node : std::exchange(parked_, {})) {
    node->second.parked = false;
    if (node->second.wanted) {
      enqueue(*node);
    } else {
      forget_if_unused(*node);
    }
  }
}

// ---- answers

bool RedisSubscriptions::answer(Verb verb, std::string_view channel, TimePoint now) {
  if (commands_.empty() || commands_.front().verb_ != verb || verb == Verb::kPing) return false;
  Command& command = commands_.front();
  Node& node = *command.nodes_[command.answered_];
  if (node.first != channel) return false;
  if (++command.answered_ == command.size()) commands_.pop_front();
  State& state = node.second;
  --state.in_flight;
  if (verb == Verb::kUnsubscribe) {
    forget_if_unused(node);
    return true;
  }
  state.alone = false;
  if (state.in_flight == 0 && state.wanted && state.at_server && !state.confirmed) {
    confirm(node, now);
  }
  return true;
}

void RedisSubscriptions::confirm(Node& node, TimePoint now) {
  State& state = node.second;
  state.confirmed = true;
  state.refusal_told = false;
  settle(state);
  std::optional<Duration> uncovered;
  if (state.covered_until) uncovered = now - *state.covered_until;
  state.covered_until.reset();
  events_.confirmed(node.first, uncovered);
}

bool RedisSubscriptions::pong() {
  if (commands_.empty() || commands_.front().verb_ != Verb::kPing) return false;
  commands_.pop_front();
  return true;
}

std::optional<RedisSubscriptions::Verb> RedisSubscriptions::error(std::string_view text) {
  if (commands_.empty() || commands_.front().answered_ != 0) return std::nullopt;
  const Command command = std::move(commands_.front());
  commands_.pop_front();
  const bool many = command.size() > 1;
  for (Node* node : command.nodes_) {
    State& state = node->second;
    --state.in_flight;
    // With more under way the last of them decides.
    if (state.in_flight == 0) state.at_server = false;
    if (command.verb_ == Verb::kUnsubscribe || !state.wanted) {
      // Refused: what may still come of it is nobody's.
      forget_if_unused(*node);
      continue;
    }
    // One name that is not permitted refuses them all: each for itself then.
    state.alone = true;
    if (state.in_flight != 0) continue;
    if (many) {
      enqueue(*node);
    } else {
      refuse_one(*node, text);
    }
  }
  return command.verb_;
}

void RedisSubscriptions::refuse_one(Node& node, std::string_view text) {
  State& state = node.second;
  settle(state);
  if (!std::exchange(state.parked, true)) parked_.push_back(&node);
  const bool first = !std::exchange(state.refusal_told, true);
  events_.refused(node.first, text, first);
}

}  // namespace sluice::relay
