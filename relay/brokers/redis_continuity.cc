#include "relay/brokers/redis_continuity.h"

#include <utility>

#include "common/check.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

std::size_t cost(std::size_t payload, std::size_t meta) {
  return payload + meta + kHeldMessageOverheadBytes;
}

}  // namespace

RedisContinuity::Node* RedisContinuity::find(std::string_view channel) {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? nullptr : &*found;
}

bool RedisContinuity::is_live(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found != channels_.end() && found->second.phase == Phase::kLive;
}

// ---- channels

void RedisContinuity::add(std::string_view channel, const ChannelOptions& options) {
  const auto [node, fresh] = channels_.emplace(std::string(channel), Channel{});
  CHECK(fresh);
  node->second.options = options;
}

void RedisContinuity::remove(std::string_view channel) {
  const auto found = channels_.find(channel);
  if (found == channels_.end()) return;
  stop_wanting(*found);
  drop_held(found->second);
  const bool waited = found->second.restoring;
  found->second.restoring = false;
  channels_.erase(found);
  if (waited && --restoring_ == 0) port_.caught_up();
}

void RedisContinuity::confirmed(std::string_view channel) {
  Node* node = find(channel);
  if (node == nullptr || node->second.phase != Phase::kAway) return;
  want(*node, Phase::kWantsPosition);
  pump();
}

void RedisContinuity::subscriber_lost() {
  for (Node& node : channels_) {
    Channel& channel = node.second;
    stop_wanting(node);
    drop_held(channel);
    channel.phase = Phase::kAway;
    channel.told = false;
    channel.restoring = false;
    channel.overflowed = false;
  }
  restoring_ = 0;
}

void RedisContinuity::heard(std::string_view name, proto::Position position, proto::Bytes payload,
                            proto::Bytes meta) {
  Node* node = find(name);
  // Not confirmed: of a subscription that was given up. The position to come is behind it.
  if (node == nullptr || node->second.phase == Phase::kAway) return;
  Channel& channel = node->second;
  if (channel.phase == Phase::kLive) {
    const proto::Position at = *channel.at;
    if (position.epoch == at.epoch && position.offset <= at.offset) {
      ++stats_.duplicates;
      return;
    }
    if (position == proto::Position{at.epoch, at.offset + 1}) {
      return deliver(*node, position, payload, meta);
    }
    hold(channel, position, payload, meta);
    want(*node, Phase::kWantsMissing);
    return pump();
  }
  hold(channel, position, payload, meta);
}

void RedisContinuity::suspect(std::string_view name) {
  Node* node = find(name);
  if (node == nullptr || node->second.phase == Phase::kAway) return;
  if (node->second.phase != Phase::kLive) {
    node->second.overflowed = true;
    return;
  }
  want(*node, Phase::kWantsMissing);
  pump();
}

// ---- what is held

void RedisContinuity::hold(Channel& channel, proto::Position position, proto::Bytes payload,
                           proto::Bytes meta) {
  const std::size_t bytes = cost(payload.size(), meta.size());
  const bool fits =
      channel.held_bytes + bytes <= kHeldChannelBytesMax && held_bytes_ + bytes <= kHeldBytesMax;
  // The history has it: read again, when what is held has been told.
  if (channel.overflowed || !fits) {
    channel.overflowed = true;
    ++stats_.held_overflow;
    return;
  }
  channel.held.push_back({position, channel.ask, std::string(proto::as_text(payload)),
                          std::string(proto::as_text(meta))});
  channel.held_bytes += bytes;
  held_bytes_ += bytes;
}

void RedisContinuity::drop_front(Channel& channel) {
  const Held& front = channel.held.front();
  const std::size_t bytes = cost(front.payload.size(), front.meta.size());
  channel.held.pop_front();
  channel.held_bytes -= bytes;
  held_bytes_ -= bytes;
}

void RedisContinuity::drop_held(Channel& channel) {
  held_bytes_ -= std::exchange(channel.held_bytes, 0);
  std::deque<Held>().swap(channel.held);
}

void RedisContinuity::deliver(Node& node, proto::Position position, proto::Bytes payload,
                              proto::Bytes meta) {
  node.second.at = position;
  port_.next(node.first, position, payload, meta);
}

void RedisContinuity::lose(Node& node, proto::Position position) {
  node.second.at = position;
  ++stats_.losses;
  port_.lost(node.first, position);
}

// ---- questions

void RedisContinuity::want(Node& node, Phase phase) {
  Channel& channel = node.second;
  stop_wanting(node);
  channel.phase = phase;
  channel.ticket = next_ticket_++;
  (phase == Phase::kWantsPosition ? wants_position_ : wants_missing_)
      .emplace(channel.ticket, &node);
}

void RedisContinuity::stop_wanting(Node& node) {
  Channel& channel = node.second;
  if (channel.phase == Phase::kWantsPosition) wants_position_.erase(channel.ticket);
  if (channel.phase == Phase::kWantsMissing) wants_missing_.erase(channel.ticket);
  if (channel.phase == Phase::kParked) --parked_;
}

void RedisContinuity::set_usable(bool usable) {
  usable_ = usable;
  pump();
}

void RedisContinuity::pump() {
  pump(Phase::kWantsPosition, positions_in_flight_, kPositionsInFlightMax);
  pump(Phase::kWantsMissing, fetches_in_flight_, kFetchesInFlightMax);
}

void RedisContinuity::pump(Phase wanted, std::size_t& in_flight, std::size_t in_flight_max) {
  Wanting& wanting = wanted == Phase::kWantsPosition ? wants_position_ : wants_missing_;
  while (usable_ && in_flight < in_flight_max && !wanting.empty()) {
    Node& node = *wanting.begin()->second;
    wanting.erase(wanting.begin());
    ++in_flight;
    ask(node);
  }
}

void RedisContinuity::ask(Node& node) {
  Channel& channel = node.second;
  const bool fetch = channel.phase == Phase::kWantsMissing;
  channel.ask = ++last_ask_;
  in_flight_.emplace(channel.ask, fetch);
  if (fetch) {
    channel.phase = Phase::kAsksMissing;
    ++stats_.fetches;
    return port_.ask_missing(channel.ask, node.first, channel.options, *channel.at);
  }
  channel.phase = Phase::kAsksPosition;
  ++stats_.positions;
  port_.ask_position(channel.ask, node.first, channel.options, channel.at);
}

RedisContinuity::Node* RedisContinuity::take_answer(std::string_view name, RedisAsk ask) {
  const auto found = in_flight_.find(ask);
  CHECK(found != in_flight_.end());
  --(found->second ? fetches_in_flight_ : positions_in_flight_);
  in_flight_.erase(found);
  Node* node = find(name);
  if (node == nullptr || node->second.ask != ask) return nullptr;
  const Phase phase = node->second.phase;
  return phase == Phase::kAsksPosition || phase == Phase::kAsksMissing ? node : nullptr;
}

void RedisContinuity::position(std::string_view name, RedisAsk ask, proto::Position top) {
  if (Node* node = take_answer(name, ask); node != nullptr) {
    Channel& channel = node->second;
    if (!channel.at) {
      channel.at = top;
      channel.told = true;
      port_.resumed(node->first, top);
      catch_up(*node, ask);
    } else if (top.epoch == channel.at->epoch && top.offset < channel.at->offset) {
      // The script begins a new epoch then; this is not to be.
      lose(*node, top);
      catch_up(*node, ask);
    } else if (top == *channel.at) {
      catch_up(*node, ask);
    } else {
      want(*node, Phase::kWantsMissing);
    }
  }
  pump();
}

void RedisContinuity::missing(std::string_view name, RedisAsk ask, proto::Position top,
                              std::span<const HistoryPublication> publications) {
  if (Node* node = take_answer(name, ask); node != nullptr) {
    const proto::Position at = *node->second.at;
    if (top.epoch == 0 || (top.epoch == at.epoch && top.offset < at.offset)) {
      // Gone, or gone back: the position's script makes a new beginning of it.
      want(*node, Phase::kWantsPosition);
      return pump();
    }
    if (top.epoch != at.epoch) {
      lose(*node, {top.epoch, publications.empty() ? top.offset : publications.front().offset - 1});
    }
    const bool any = deliver_all(*node, top.epoch, publications);
    if (node->second.at->offset < top.offset && any) {
      // The answer was at its bound.
      want(*node, Phase::kWantsMissing);
      return pump();
    }
    tell_rest(*node, top);
    catch_up(*node, ask);
  }
  pump();
}

void RedisContinuity::tell_rest(Node& node, proto::Position top) {
  // The history has them no longer, but some may have been heard.
  for (const Held& held : node.second.held) {
    const proto::Position at = *node.second.at;
    const proto::Position one = held.position;
    if (one.epoch != top.epoch || one.offset <= at.offset || one.offset > top.offset) continue;
    if (one.offset != at.offset + 1) lose(node, {one.epoch, one.offset - 1});
    deliver(node, one, proto::as_bytes(held.payload), proto::as_bytes(held.meta));
  }
  if (node.second.at->offset < top.offset) lose(node, top);
}

bool RedisContinuity::deliver_all(Node& node, std::uint64_t epoch,
                                  std::span<const HistoryPublication> publications) {
  bool any = false;
  for (const HistoryPublication& one : publications) {
    const std::uint64_t at = node.second.at->offset;
    if (one.offset <= at) continue;
    if (one.offset != at + 1) lose(node, {epoch, one.offset - 1});
    ++stats_.fetched;
    any = true;
    deliver(node, {epoch, one.offset}, proto::as_bytes(one.payload), proto::as_bytes(one.meta));
  }
  return any;
}

void RedisContinuity::catch_up(Node& node, RedisAsk ask) {
  Channel& channel = node.second;
  while (!channel.held.empty()) {
    const Held& front = channel.held.front();
    const proto::Position at = *channel.at;
    const bool same = front.position.epoch == at.epoch;
    // The answer is of a later moment: it covers what was heard before the question, and what it
    // does not know was never published.
    const bool past = front.ask < ask || (same && front.position.offset <= at.offset);
    if (past) {
      ++stats_.duplicates;
      drop_front(channel);
      continue;
    }
    if (!same || front.position.offset != at.offset + 1) return want(node, Phase::kWantsMissing);
    deliver(node, front.position, proto::as_bytes(front.payload), proto::as_bytes(front.meta));
    drop_front(channel);
  }
  if (std::exchange(channel.overflowed, false)) return want(node, Phase::kWantsMissing);
  channel.phase = Phase::kLive;
  if (!std::exchange(channel.told, true)) port_.resumed(node.first, *channel.at);
  settle(channel);
}

void RedisContinuity::failed(std::string_view name, RedisAsk ask, bool again) {
  if (Node* node = take_answer(name, ask); node != nullptr) {
    Channel& channel = node->second;
    if (again) {
      const bool position = channel.phase == Phase::kAsksPosition;
      want(*node, position ? Phase::kWantsPosition : Phase::kWantsMissing);
    } else {
      channel.phase = Phase::kParked;
      ++parked_;
      settle(channel);
    }
  }
  pump();
}

void RedisContinuity::retry() {
  if (parked_ == 0) return;
  for (Node& node : channels_) {
    // The position first: much may have come to pass.
    if (node.second.phase == Phase::kParked) want(node, Phase::kWantsPosition);
  }
  pump();
}

// ---- after a reconnection

void RedisContinuity::begin_restore() {
  restoring_ = 0;
  for (auto& [name, channel] : channels_) {
    const Phase phase = channel.phase;
    channel.restoring = phase != Phase::kAway && phase != Phase::kLive && phase != Phase::kParked;
    if (channel.restoring) ++restoring_;
  }
}

void RedisContinuity::settle(Channel& channel) {
  if (!std::exchange(channel.restoring, false)) return;
  CHECK(restoring_ > 0);
  if (--restoring_ == 0) port_.caught_up();
}

}  // namespace sluice::relay
