// The broker's side of the Router: what comes in goes to every subscribed gateway's index.
#include "relay/router.h"

#include <algorithm>

#include "common/check.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

std::uint64_t nonzero(Random& random) {
  for (;;) {
    if (const std::uint64_t value = random.next(); value != 0) return value;
  }
}

/// 0 says that there was no such time.
std::uint64_t whole_ms(const std::optional<Duration>& duration) {
  if (!duration) return 0;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 1));
}

}  // namespace

Router::Router(RouterOptions options, Broker& broker, RouterWatcher& watcher,
               const TimeSource& time, Random& random, const ChannelPolicy* policy)
    : options_(options),
      policy_(policy),
      broker_(broker),
      watcher_(watcher),
      time_(time),
      random_(random),
      instance_(nonzero(random)),
      started_at_(time.now()),
      ring_(options.ring),
      hold_(options.publish_queue_bytes),
      broker_since_(started_at_) {
}

std::uint64_t Router::new_epoch() {
  return nonzero(random_);
}

void Router::broker_connected() {
  if (!broker_connected_) {
    ++stats_.broker_connects;
    watcher_.broker_connected();
    set_broker_state(true, {});
    presence_missed_ = true;  // it may be another one
  }
  if (std::exchange(presence_missed_, false)) ++presence_round_;
  release_held();
}

void Router::broker_away(std::string_view reason) {
  if (broker_connected_) ++stats_.broker_losses;
  // A new reason while it is away is news for the log and /readyz, not for the gateways.
  if (broker_connected_ || reason != broker_reason_) watcher_.broker_away(reason);
  if (broker_connected_) {
    set_broker_state(false, reason);
  } else {
    broker_reason_ = reason;
  }
}

void Router::set_broker_state(bool connected, std::string_view reason) {
  broker_connected_ = connected;
  broker_reason_ = reason;
  broker_since_ = time_.now();
  for (const auto& [link, gateway] : links_) gateway->port->broker_state(connected, reason);
}

void Router::subscribed(std::string_view name, std::optional<Duration> uncovered,
                        std::optional<proto::Position> position) {
  Channel* channel = find_channel(name);
  if (channel == nullptr) return;  // given up while the confirmation was on its way
  if (position && position->epoch == 0) position.reset();
  if (!channel->confirmed) {
    channel->confirmed = true;
    channel->history = position.has_value();
    channel->top = position.value_or(proto::Position{new_epoch(), 0});
    watcher_.channel_subscribed(channel->name);
    for (Subscription* subscription : channel->subscribers) confirm(*subscription);
  } else if (position) {
    go_on_at(*channel, *position, uncovered);
  } else if (uncovered) {
    channel->history = false;
    watcher_.continuity_lost(channel->name, *uncovered);
    break_continuity(*channel, {new_epoch(), 0}, *uncovered);
  }
  if (hold_.waits(name)) release_held();
}

void Router::position_lost(std::string_view name, proto::Position position) {
  Channel* channel = find_channel(name);
  if (channel == nullptr || !channel->confirmed || position.epoch == 0) return;
  go_on_at(*channel, position, std::nullopt);
}

void Router::go_on_at(Channel& channel, proto::Position position,
                      std::optional<Duration> uncovered) {
  const bool of_history = std::exchange(channel.history, true);
  if (position == channel.top) return;
  if (of_history && position.epoch == channel.top.epoch && position.offset > channel.top.offset)
    return lose_up_to(channel, position);
  watcher_.continuity_lost(channel.name, uncovered.value_or(Duration::zero()));
  break_continuity(channel, position, uncovered);
}

void Router::lose_up_to(Channel& channel, proto::Position position) {
  const std::uint64_t count = position.offset - channel.top.offset;
  ++stats_.gaps_broker;
  watcher_.messages_lost(channel.name, count);
  // The ring's offsets of a channel follow one another: they start again behind these.
  ring_.forget(channel.ordinal);
  channel.top = position;
  for (const Subscription* subscription : channel.subscribers) {
    if (!subscription->confirmed) continue;
    GatewayState& gateway = *subscription->gateway;
    gateway.index.append_loss(subscription->id, position, count);
    if (gateway.port != nullptr) gateway.port->pending();
  }
}

void Router::break_continuity(Channel& channel, proto::Position top,
                              std::optional<Duration> uncovered) {
  ++stats_.gaps_broker;
  ring_.forget(channel.ordinal);
  channel.top = top;
  for (const Subscription* subscription : channel.subscribers) {
    if (!subscription->confirmed) continue;
    GatewayState& gateway = *subscription->gateway;
    gateway.index.append_break(subscription->id, top, whole_ms(uncovered));
    if (gateway.port != nullptr) gateway.port->pending();
  }
}

Channel* Router::receive(std::string_view name, std::uint64_t bytes) {
  Channel* channel = find_channel(name);
  if (channel == nullptr || !channel->confirmed) {
    ++stats_.messages_unwanted;
    return nullptr;
  }
  ++stats_.messages_in;
  stats_.message_bytes_in += bytes;
  return channel;
}

void Router::message(std::string_view name, proto::Bytes payload, proto::Bytes meta,
                     std::optional<proto::Position> position) {
  Channel* channel = receive(name, payload.size());
  if (channel == nullptr) return;
  const Place place = this->place(*channel, position);
  if (place == Place::kNone) {
    ++stats_.messages_unwanted;
    return;
  }
  const bool beside = place == Place::kBeside;
  if (payload.size() > proto::kPayloadBytesMax || meta.size() > proto::kMetaBytesMax) {
    return lose_oversized(*channel, payload.size(), beside);
  }
  route(*channel,
        RingEntry::make(channel->ordinal, channel->top, time_.now(), payload, meta, beside));
}

Router::Place Router::place(Channel& channel, const std::optional<proto::Position>& position) {
  if (!position) {
    // Published past the history: it has no place among what is numbered.
    if (channel.history) return Place::kBeside;
    ++channel.top.offset;
    return Place::kNext;
  }
  if (position->epoch == 0 || position->offset == 0) return Place::kNone;
  const bool same = channel.history && position->epoch == channel.top.epoch;
  if (same && position->offset <= channel.top.offset) return Place::kNone;  // it was here before
  go_on_at(channel, {position->epoch, position->offset - 1}, std::nullopt);
  channel.top = *position;
  return Place::kNext;
}

void Router::message(std::string_view name, EntryDraft message) {
  Channel* channel = receive(name, message.payload().size());
  if (channel == nullptr) return;
  const bool beside = place(*channel, std::nullopt) == Place::kBeside;
  if (message.payload().size() > proto::kPayloadBytesMax) {
    return lose_oversized(*channel, message.payload().size(), beside);
  }
  route(*channel, std::move(message).finish(channel->ordinal, channel->top, time_.now(), beside));
}

void Router::message_oversized(std::string_view name, std::uint64_t bytes) {
  Channel* channel = receive(name, bytes);
  if (channel == nullptr) return;
  // Of one in a history the broker says where that goes on.
  lose_oversized(*channel, bytes, place(*channel, std::nullopt) == Place::kBeside);
}

void Router::lose_oversized(Channel& channel, std::uint64_t bytes, bool beside) {
  ++stats_.messages_oversized;
  watcher_.message_oversized(channel.name, bytes);
  // The ring's offsets of a channel follow one another: they start again behind this one.
  if (!beside) ring_.forget(channel.ordinal);
  for (const Subscription* subscription : channel.subscribers) {
    if (!subscription->confirmed) continue;
    GatewayState& gateway = *subscription->gateway;
    gateway.index.append_oversized(subscription->id, channel.top, beside);
    if (gateway.port != nullptr) gateway.port->pending();
  }
}

void Router::route(const Channel& channel, RefPtr<const RingEntry> entry) {
  const RefPtr<const RingEntry> kept = entry;
  const RingEntry& shared = *kept;
  const std::uint64_t serial = ring_.append(std::move(entry));
  for (const Subscription* subscription : channel.subscribers) {
    if (!subscription->confirmed) continue;
    GatewayState& gateway = *subscription->gateway;
    if (!gateway.tool) ++stats_.messages_routed;
    const bool overrun = gateway.index.append_message(ring_, serial, subscription->id, shared);
    if (gateway.port == nullptr) continue;
    // A terminal that stands still is no fault of the system: the tool's gap tells it.
    if (overrun && !gateway.tool) {
      ++stats_.overruns;
      watcher_.gateway_overrun(gateway.id);
    }
    gateway.port->pending();
  }
  // At the end: who hears it may publish.
  if (channel.heard != nullptr) (*channel.heard)(shared.payload());
}

void Router::take(GatewayState& gateway, Outgoing& out) {
  gateway.index.take(ring_, out);
  if (gateway.tool) return;
  if (out.kind == Outgoing::Kind::kMessage) {
    ++stats_.messages_out;
    stats_.message_bytes_out += out.entry->payload().size();
    return;
  }
  for (const proto::Gap& gap : out.gaps) {
    ++gateway.gaps_told;
    if (gap.count != proto::kCountUnknown) gateway.messages_lost += gap.count;
    if (gap.cause == proto::GapCause::kOversized) {
      ++stats_.gaps_oversized;
    } else if (gap.cause != proto::GapCause::kBroker) {
      ++stats_.gaps_overrun;
    }
    if (gap.count != proto::kCountUnknown) stats_.messages_lost += gap.count;
  }
}

void Router::tick() {
  const TimePoint now = time_.now();
  expire_held(now);
  ring_.expire(now);
  expire_gateways(now);
  expire_channels(now);
  expire_drain_marks(now);
  refresh_presence(now);
  work();
  // Also those whose channel, not confirmed yet, was given up.
  release_held();
}

void Router::count_upgrade(Duration pause) {
  ++stats_.upgrades;
  stats_.upgrade_pause_micros = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(pause).count());
}

std::size_t Router::queue_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [id, gateway] : gateways_) bytes += gateway->index.queue_bytes();
  return bytes;
}

}  // namespace sluice::relay
