// The gateways' side of the Router: links that come, go and come back, and what they are subscribed
// to.
#include <algorithm>

#include "common/check.h"
#include "proto/names.h"
#include "relay/limits.h"
#include "relay/router.h"

namespace sluice::relay {

using proto::ErrorReason;

// ---- links

Result<Router::Attached> Router::attach(LinkPort& port, const proto::Hello& hello,
                                        std::int64_t pid) {
  const auto found = gateways_.find(hello.gateway_id);
  GatewayState* gateway = found == gateways_.end() ? nullptr : found->second.get();
  if (gateway != nullptr && gateway->port != nullptr) {
    return fail(ErrorCode::kInUse, "gateway " + gateway->id + " has a live link already");
  }
  const bool resumed = gateway != nullptr && hello.resume && hello.relay_instance == instance_ &&
                       gateway->index.can_resume(hello.last_sequence);
  if (resumed) {
    gateway->index.resume(ring_, hello.last_sequence);
    ++stats_.resumes;
  } else {
    // Back, so its channels linger from now. Who is there by it is said again, and till then it
    // stands.
    PresenceTable presence;
    if (gateway != nullptr) {
      presence = std::move(gateway->presence);
      gateway->presence = {};
      forget(*gateway, time_.now());
    }
    const Result<GatewayState*> fresh = fresh_state(hello.gateway_id);
    if (!fresh) {
      leave(std::move(presence));
      return tl::make_unexpected(fresh.error());
    }
    gateway = *fresh;
    gateway->presence = std::move(presence);
  }
  join(*gateway, port, hello, pid);
  return Attached{gateway, resumed, gateway->index.last_sequence()};
}

Result<Router::Attached> Router::attach_tool(LinkPort& port, const proto::Hello& hello,
                                             std::int64_t pid) {
  if (tools_.size() >= kToolsMax) {
    return fail(ErrorCode::kPermission, std::to_string(kToolsMax) + " tools are connected already");
  }
  // '#' stands in no gateway id.
  auto state = std::make_unique<GatewayState>("tool#" + std::to_string(next_tool_++),
                                              index_options(true), true);
  GatewayState* tool = state.get();
  tools_.emplace(tool->id, std::move(state));
  join(*tool, port, hello, pid);
  return Attached{tool, false, 0};
}

void Router::join(GatewayState& gateway, LinkPort& port, const proto::Hello& hello,
                  std::int64_t pid) {
  gateway.link = next_link_++;
  gateway.port = &port;
  gateway.peer = {pid, std::string(hello.software)};
  gateway.info.reset();
  gateway.attached_at = time_.now();
  links_.emplace(gateway.link, &gateway);
}

Result<GatewayState*> Router::fresh_state(std::string_view id) {
  if (gateways_.size() >= options_.gateways_max && !make_room_for_gateway()) {
    return fail(ErrorCode::kPermission,
                std::to_string(options_.gateways_max) + " gateways are connected (--max-gateways)");
  }
  auto state = std::make_unique<GatewayState>(std::string(id), index_options(false), false);
  GatewayState* gateway = state.get();
  gateways_.emplace(gateway->id, std::move(state));
  return gateway;
}

GatewayIndexOptions Router::index_options(bool tool) const {
  if (tool) {
    return {.queue_bytes_max = std::min(options_.gateway_queue_bytes, kToolQueueBytesMax),
            .entries_max = kToolIndexEntriesMax};
  }
  return {.queue_bytes_max = options_.gateway_queue_bytes,
          .entries_max = std::max(options_.ring.messages_max, kIndexEntriesMin)};
}

bool Router::make_room_for_gateway() {
  GatewayState* longest = nullptr;
  for (const auto& [id, gateway] : gateways_) {
    if (gateway->port != nullptr) continue;
    if (longest == nullptr || gateway->detached_at < longest->detached_at) longest = gateway.get();
  }
  if (longest == nullptr) return false;
  watcher_.gateway_forgotten(longest->id);
  forget(*longest, longest->detached_at);
  return true;
}

void Router::greet(GatewayState& gateway, std::uint64_t last_received) {
  gateway.port->broker_state(broker_connected_, broker_reason_);
  for (const auto& [id, subscription] : gateway.subscriptions) {
    if (!subscription->confirmed || subscription->confirmed_at < last_received) continue;
    tell_again(*subscription, subscription->start, !misses_something(*subscription));
  }
  if (gateway.index.pending()) gateway.port->pending();
}

void Router::greet_forgotten(GatewayState& gateway, std::uint64_t last_received) {
  const auto next = gateway.index.positions_at_cursor();
  for (const auto& [id, subscription] : gateway.subscriptions) {
    if (!subscription->confirmed) continue;
    const auto found = next.find(id);
    proto::Position start = found == next.end() ? subscription->channel->top : found->second;
    const bool told_before = subscription->confirmed_at < last_received;
    // A new epoch comes first. If the index remembers all since the confirmation, that is where
    // the stream still stands.
    if (start.epoch == 0 &&
        (!told_before || subscription->confirmed_at + 1 >= gateway.index.oldest()))
      start = subscription->start;
    tell_again(*subscription, start, told_before || !misses_something(*subscription));
  }
  gateway.port->broker_state(broker_connected_, broker_reason_);
  if (gateway.index.pending()) gateway.port->pending();
}

bool Router::misses_something(const Subscription& subscription) {
  return subscription.asked.has_value() && !subscription.continuous;
}

void Router::tell_again(const Subscription& subscription, proto::Position start, bool continuous) {
  subscription.gateway->port->subscribed({.request = 0,
                                          .channel_id = subscription.id,
                                          .continuous = continuous,
                                          .history = subscription.channel->history,
                                          .start = start,
                                          .channel = subscription.channel->name});
}

void Router::detach(GatewayState& gateway) {
  links_.erase(gateway.link);
  gateway.link = 0;
  gateway.port = nullptr;
  gateway.detached_at = time_.now();
  // Their answers can't be placed on another link; the gateway asks again.
  for (const auto& [id, subscription] : gateway.subscriptions) subscription->requests.clear();
  gateway.requests = {};
  if (gateway.tool) forget(gateway, gateway.detached_at);
}

GatewayState* Router::adopt(LinkPort& port, std::uint64_t link) {
  const auto found = links_.find(link);
  if (found == links_.end() || found->second->port != nullptr) return nullptr;
  found->second->port = &port;
  return found->second;
}

void Router::end(GatewayState& gateway) {
  const bool tool = gateway.tool;
  detach(gateway);
  if (!tool) forget(gateway, time_.now());
}

void Router::forget(GatewayState& gateway, TimePoint since) {
  CHECK(gateway.port == nullptr);
  for (const auto& [id, subscription] : gateway.subscriptions) drop(*subscription, since);
  gateway.subscriptions.clear();
  leave(std::move(gateway.presence));
  auto& table = gateway.tool ? tools_ : gateways_;
  table.erase(table.find(gateway.id));
}

// ---- subscriptions

Channel* Router::find_channel(std::string_view name) const {
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : found->second.get();
}

Result<Channel*> Router::channel_for(std::string_view name) {
  if (Channel* known = find_channel(name); known != nullptr) return known;
  if (channels_.size() >= options_.channels_max && !idle_.empty()) {
    // What only lingers makes room for what is wanted.
    expire_channels(idle_.begin()->first + options_.linger);
  }
  // Without what the cluster asks of a gateway, nobody could be told to leave it.
  if (channels_.size() >= options_.channels_max && name != proto::kControlChannel) {
    return fail(ErrorCode::kTooLarge, std::to_string(options_.channels_max) +
                                          " channels are subscribed (--max-channels)");
  }
  return &add_channel(name);
}

Channel& Router::add_channel(std::string_view name) {
  auto added = std::make_unique<Channel>();
  added->name = name;
  added->ordinal = next_ordinal_++;
  added->options = options_of(name);
  Channel& channel = *added;
  channels_.emplace(channel.name, std::move(added));
  if (proto::is_internal(name)) ++internal_;
  broker_.subscribe(channel.name, channel.options);
  return channel;
}

void Router::subscribe(GatewayState& gateway, const proto::Subscribe& request) {
  if (gateway.tool && gateway.subscriptions.size() >= kToolChannelsMax) {
    gateway.port->refused(request.request, ErrorReason::kQueueFull,
                          "a tool has at most " + std::to_string(kToolChannelsMax) + " channels");
    return;
  }
  if (gateway.tool && find_channel(request.channel) == nullptr &&
      channels_.size() >= options_.channels_max) {
    // Not even what lingers makes room for somebody who only looks.
    gateway.port->refused(
        request.request, ErrorReason::kQueueFull,
        std::to_string(options_.channels_max) + " channels are subscribed (--max-channels)");
    return;
  }
  const Result<Channel*> found = channel_for(request.channel);
  if (!found) {
    gateway.port->refused(request.request, ErrorReason::kQueueFull, found.error().message);
    return;
  }
  Channel& channel = **found;
  Subscription* subscription = subscription_for(gateway, channel);
  if (subscription->requests.size() >= kSubscribeRequestsMax) {
    if (gateway.tool) {
      gateway.port->refused(request.request, ErrorReason::kQueueFull, "asked for too often");
      return;
    }
    // A gateway whose clients came and went while the broker was away: it goes by the name, and
    // wants the last of its questions answered.
    subscription->requests.erase(subscription->requests.begin());
  }
  subscription->requests.push_back(request.request);
  if (subscription->confirmed) {
    answer(*subscription);
    return;
  }
  subscription->asked = std::nullopt;
  if (request.from_position) subscription->asked = request.position;
  if (channel.confirmed) confirm(*subscription);
}

Subscription* Router::subscription_for(GatewayState& gateway, Channel& channel) {
  for (Subscription* one : channel.subscribers) {
    if (one->gateway == &gateway) return one;
  }
  auto added = std::make_unique<Subscription>();
  Subscription* subscription = added.get();
  subscription->gateway = &gateway;
  subscription->channel = &channel;
  subscription->id = gateway.next_channel_id++;
  CHECK(subscription->id != 0);
  gateway.subscriptions.emplace(subscription->id, std::move(added));
  if (channel.subscribers.empty() && channel.heard == nullptr)
    idle_.erase({channel.idle_since, &channel});
  channel.subscribers.push_back(subscription);
  if (!gateway.tool) ++subscriptions_;
  return subscription;
}

void Router::plan_start(Subscription& subscription, std::size_t& first_replayed) const {
  const Channel& channel = *subscription.channel;
  const std::deque<std::uint64_t>* serials = ring_.serials(channel.ordinal);
  const std::size_t held = serials == nullptr ? 0 : serials->size();
  subscription.start = channel.top;
  subscription.continuous = false;
  first_replayed = held;
  const std::optional<proto::Position>& asked = subscription.asked;
  if (!asked || asked->epoch != channel.top.epoch || asked->offset > channel.top.offset) return;
  // The ring's messages of the channel are its last ones: offsets (oldest, top].
  const std::uint64_t oldest = channel.top.offset - held;
  subscription.continuous = asked->offset >= oldest;
  subscription.start.offset = std::max(asked->offset, oldest);
  first_replayed = static_cast<std::size_t>(subscription.start.offset - oldest);
}

void Router::confirm(Subscription& subscription) {
  GatewayState& gateway = *subscription.gateway;
  std::size_t place = 0;
  plan_start(subscription, place);
  subscription.confirmed = true;
  subscription.confirmed_at = gateway.index.last_sequence();
  if (gateway.port != nullptr) answer(subscription);
  const std::deque<std::uint64_t>* serials = ring_.serials(subscription.channel->ordinal);
  if (serials == nullptr || place >= serials->size()) return;
  for (; place < serials->size(); ++place) {
    const std::uint64_t serial = (*serials)[place];
    gateway.index.append_message(ring_, serial, subscription.id, *ring_.find(serial));
    if (!gateway.tool) ++stats_.messages_routed;
  }
  if (gateway.port != nullptr) gateway.port->pending();
}

void Router::answer(Subscription& subscription) {
  // Whoever asked was cut off before the answer, came back and has not asked again: told all the
  // same, because messages of the id follow.
  if (subscription.requests.empty())
    return tell_again(subscription, subscription.start, !misses_something(subscription));
  for (const std::uint64_t request : subscription.requests) {
    subscription.gateway->port->subscribed({.request = request,
                                            .channel_id = subscription.id,
                                            .continuous = subscription.continuous,
                                            .history = subscription.channel->history,
                                            .start = subscription.start,
                                            .channel = subscription.channel->name});
  }
  subscription.requests.clear();
}

void Router::unsubscribe(GatewayState& gateway, std::uint32_t channel_id) {
  const auto found = gateway.subscriptions.find(channel_id);
  // Known or not: a gateway asks again when the answer was lost with a link.
  if (found != gateway.subscriptions.end()) {
    drop(*found->second, time_.now());
    gateway.subscriptions.erase(found);
  }
  gateway.port->unsubscribed(channel_id, gateway.index.last_sequence());
}

void Router::drop(Subscription& subscription, TimePoint since) {
  Channel& channel = *subscription.channel;
  std::erase(channel.subscribers, &subscription);
  if (!subscription.gateway->tool) {
    --subscriptions_;
    channel.idle_since = since;
  }
  if (!channel.subscribers.empty() || channel.heard != nullptr) return;
  idle_.emplace(channel.idle_since, &channel);
}

// ---- linger

// ---- marks and wishes

void Router::mark_drain(GatewayState& gateway, const proto::DrainMark& mark) {
  const bool changed = mark.set ? drain_marks_.set(gateway.id, mark.balancer, time_.now())
                                : drain_marks_.clear(gateway.id, mark.balancer);
  if (changed) watcher_.drain_marks_changed();
  if (gateway.port != nullptr) gateway.port->drain_marked(mark);
}

void Router::control(GatewayState& tool, const proto::Control& control) {
  if (tool.port == nullptr) return;
  if (control.gateway_id.empty()) return control_relay(tool, control);
  const auto found = gateways_.find(control.gateway_id);
  if (found == gateways_.end() || found->second->port == nullptr) {
    return tool.port->refused(control.request, ErrorReason::kUnknownGateway,
                              "no gateway " + std::string(control.gateway_id) + " is connected");
  }
  proto::Control passed_on = control;
  passed_on.request = 0;
  passed_on.gateway_id = {};
  found->second->port->control(passed_on);
  watcher_.gateway_controlled(control.gateway_id, control.action);
  tool.port->controlled(control.request);
}

void Router::control_relay(GatewayState& tool, const proto::Control& control) {
  if (control.action != proto::ControlAction::kUpgrade) {
    return tool.port->refused(control.request, ErrorReason::kUnknownGateway,
                              "that is for a gateway, and none is named");
  }
  tool.port->controlled(control.request);
  watcher_.upgrade_asked();
}

void Router::expire_drain_marks(TimePoint now) {
  if (now < marks_expire_at_) return;
  marks_expire_at_ = now + std::chrono::hours(1);
  if (drain_marks_.expire(now)) watcher_.drain_marks_changed();
}

void Router::expire_gateways(TimePoint now) {
  std::vector<GatewayState*> due;
  for (const auto& [id, gateway] : gateways_) {
    const bool lingers = gateway->port == nullptr;
    if (lingers && now - gateway->detached_at >= options_.linger) due.push_back(gateway.get());
  }
  for (GatewayState* gateway : due) {
    watcher_.gateway_forgotten(gateway->id);
    // Its channels have lingered with it: those that nobody else wants end now.
    forget(*gateway, gateway->detached_at);
  }
}

void Router::expire_channels(TimePoint now) {
  while (!idle_.empty() && now - idle_.begin()->first >= options_.linger) {
    Channel* channel = idle_.begin()->second;
    idle_.erase(idle_.begin());
    watcher_.channel_unsubscribed(channel->name);
    broker_.unsubscribe(channel->name);
    ring_.forget(channel->ordinal);
    if (proto::is_internal(channel->name)) --internal_;
    channels_.erase(channels_.find(std::string_view(channel->name)));
  }
}

}  // namespace sluice::relay
