#include "gateway/hub.h"

#include <utility>

#include "common/check.h"

namespace sluice::gateway {

Hub::Hub(HubOptions options, SessionTable& sessions, Delivery& delivery, HubObserver& observer)
    : options_(options),
      sessions_(sessions),
      delivery_(delivery),
      observer_(observer),
      fan_out_(delivery) {
}

// ---- client side

void Hub::opened(ClientSession& session, std::string_view channel) {
  session.protocol->opened(session, channel, *this);
}

void Hub::received(ClientSession& session, proto::Bytes payload, bool text) {
  ++stats_.received;
  stats_.received_bytes += payload.size();
  session.protocol->received(session, payload, text, *this);
}

void Hub::closed(ClientSession& session) {
  auto& subscriptions = session.state.subscriptions;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    fan_out_.leave(session, i);
    --subscriptions_;
    audience_left(subscriptions[i].audience);
  }
  subscriptions = {};
}

Hub::Channel* Hub::find_or_add(std::string_view name, std::uint32_t& slot) {
  std::string key(name);
  const auto found = by_name_.find(key);
  if (found != by_name_.end()) {
    slot = found->second;
    return &channels_[slot];
  }
  if (by_name_.size() >= options_.channels_max) {
    ++stats_.channels_refused;
    return nullptr;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(channels_.size()));
    channels_.emplace_back();
  }
  slot = free_.back();
  free_.pop_back();
  by_name_.emplace(key, slot);
  channels_[slot].name = std::move(key);
  link_->subscribe(name, slot);
  return &channels_[slot];
}

bool Hub::subscribe(ClientSession& session, std::string_view name) {
  std::uint32_t slot = 0;
  if (find_or_add(name, slot) == nullptr) return false;
  fan_out_.join(audience_of(slot, *session.protocol), session, link_->sequence());
  ++subscriptions_;
  return true;
}

std::uint32_t Hub::audience_of(std::uint32_t slot, const ClientProtocol& protocol) {
  auto& audiences = channels_[slot].audiences;
  for (const std::uint32_t audience : audiences)
    if (&fan_out_.protocol(audience) == &protocol) return audience;
  const std::uint32_t audience = fan_out_.add_audience(protocol);
  audiences.push_back(audience);
  if (audience >= channel_of_.size()) channel_of_.resize(audience + 1);
  channel_of_[audience] = slot;
  return audience;
}

void Hub::audience_left(std::uint32_t audience) {
  if (fan_out_.size(audience) > 0) return;
  fan_out_.remove_audience(audience);
  const std::uint32_t slot = channel_of_[audience];
  Channel& channel = channels_[slot];
  std::erase(channel.audiences, audience);
  if (!channel.audiences.empty()) return;
  link_->unsubscribe(channel.name);
  by_name_.erase(channel.name);
  channel = Channel{};
  free_.push_back(slot);
}

bool Hub::publish(ClientSession& session, std::string_view channel, proto::Bytes payload) {
  session.has_published = true;
  ++session.publishes_pending;  // before: it may fail inside the call
  const Enqueue verdict = link_->publish(session.ref, channel, payload, {});
  if (verdict != Enqueue::kOk) --session.publishes_pending;
  return verdict == Enqueue::kOk;
}

std::string_view Hub::first_channel(const ClientSession& session) const {
  if (session.state.subscriptions.empty()) return {};
  return channels_[channel_of_[session.state.subscriptions.front().audience]].name;
}

// ---- relay side

void Hub::channel_message(std::uint32_t slot, const proto::Message& message) {
  Channel& channel = channels_[slot];
  channel.position.offset = message.offset;
  ++stats_.messages_in;
  const ChannelMessage decoded{channel.name, channel.position, message.payload, message.meta};
  for (const std::uint32_t audience : channel.audiences)
    fan_out_.append(audience, decoded, {message.sequence, message.received_micros});
}

bool Hub::fan_out(std::size_t clients_max) {
  const bool more = fan_out_.run(clients_max);
  auto& stamps = fan_out_.finished_stamps();
  for (const std::uint32_t stamp : stamps) observer_.message_given(stamp);
  stamps.clear();
  return more;
}

const std::vector<ClientRef>& Hub::subscribers(const Channel& channel) {
  scratch_.clear();
  for (const std::uint32_t audience : channel.audiences)
    for (std::size_t i = 0; i < fan_out_.size(audience); ++i)
      scratch_.push_back(fan_out_.subscriber(audience, i).ref);
  return scratch_;
}

void Hub::channel_gap(std::uint32_t slot, const ChannelGap& gap) {
  Channel& channel = channels_[slot];
  channel.position = gap.position;
  ++stats_.gap_events;
  if (gap.count == proto::kCountUnknown) {
    ++stats_.gaps_unknown;
  } else {
    stats_.gap_messages += gap.count;
  }
  // What came before the gap goes before it.
  const std::vector<ClientRef>& refs = subscribers(channel);
  for (const ClientRef ref : refs)
    if (ClientSession* session = sessions_.find(ref)) fan_out_.settle(*session);
  observer_.channel_gap(gap);
  for (const ClientRef ref : refs)
    if (ClientSession* session = sessions_.find(ref)) session->protocol->gap(*session, gap, *this);
}

void Hub::channel_subscribed(std::uint32_t slot, proto::Position start) {
  channels_[slot].position = start;
  observer_.channel_subscribed(channels_[slot].name);
}

void Hub::channel_refused(std::uint32_t slot, std::string_view reason) {
  ++stats_.channels_refused;
  observer_.channel_refused(channels_[slot].name, reason);
  for (const ClientRef ref : subscribers(channels_[slot])) {
    if (ClientSession* session = sessions_.find(ref))
      delivery_.close(*session, CloseCode::kTryAgainLater, "too many channels");
  }
}

void Hub::published(ClientRef origin) {
  if (ClientSession* session = sessions_.find(origin)) --session->publishes_pending;
}

void Hub::publish_failed(ClientRef origin, proto::ErrorReason reason) {
  ClientSession* session = sessions_.find(origin);
  if (session == nullptr) return;
  --session->publishes_pending;
  session->protocol->publish_failed(*session, {reason}, *this);
}

}  // namespace sluice::gateway
