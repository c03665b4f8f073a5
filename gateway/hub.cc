#include "gateway/hub.h"

#include <utility>

#include "common/check.h"

namespace sluice::gateway {

Hub::Hub(HubOptions options, SessionTable& sessions, Delivery& delivery, HubObserver& observer)
    : options_(options), sessions_(sessions), delivery_(delivery), observer_(observer) {
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
  const std::vector<Subscription> left = std::exchange(session.state.subscriptions, {});
  for (const Subscription& subscription : left) leave(subscription);
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
  Channel* channel = find_or_add(name, slot);
  if (channel == nullptr) return false;
  session.state.subscriptions.push_back(
      {.channel = slot,
       .place = static_cast<std::uint32_t>(channel->subscribers.size()),
       .began_sequence = link_->sequence()});
  channel->subscribers.push_back(session.ref);
  ++subscriptions_;
  return true;
}

void Hub::leave(const Subscription& subscription) {
  Channel& channel = channels_[subscription.channel];
  --subscriptions_;
  const ClientRef last = channel.subscribers.back();
  channel.subscribers.pop_back();
  if (subscription.place < channel.subscribers.size()) {
    // The last one takes the free place and must know it.
    channel.subscribers[subscription.place] = last;
    ClientSession* moved = sessions_.find(last);
    CHECK(moved != nullptr);
    for (Subscription& s : moved->state.subscriptions) {
      if (s.channel == subscription.channel) s.place = subscription.place;
    }
  }
  if (!channel.subscribers.empty()) return;
  link_->unsubscribe(channel.name);
  by_name_.erase(channel.name);
  channel = Channel{};
  free_.push_back(subscription.channel);
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
  return channels_[session.state.subscriptions.front().channel].name;
}

// ---- relay side

void Hub::channel_message(std::uint32_t slot, const proto::Message& message) {
  Channel& channel = channels_[slot];
  channel.position.offset = message.offset;
  ++stats_.messages_in;
  const ChannelMessage decoded{channel.name, channel.position, message.payload, message.meta};
  // One encoding per protocol. Protocols are few and subscribers of a channel nearly always share
  // one, so the last one used is all that needs remembering; a second protocol encodes at its first
  // subscriber.
  std::vector<std::pair<const ClientProtocol*, FrameRef>> frames;
  for (const ClientRef ref : channel.subscribers) {
    ClientSession* session = sessions_.find(ref);
    CHECK(session != nullptr);
    FrameRef frame;
    for (const auto& [protocol, encoded] : frames) {
      if (protocol == session->protocol) frame = encoded;
    }
    if (!frame) {
      frame = session->protocol->encode(decoded);
      frames.emplace_back(session->protocol, frame);
    }
    session->state.last_sequence = message.sequence;
    ++stats_.deliveries;
    delivery_.deliver(*session, std::move(frame));
  }
  observer_.message_queued(message.received_micros);
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
  observer_.channel_gap(gap);
  scratch_ = channel.subscribers;
  for (const ClientRef ref : scratch_) {
    if (ClientSession* session = sessions_.find(ref)) session->protocol->gap(*session, gap, *this);
  }
}

void Hub::channel_subscribed(std::uint32_t slot, proto::Position start) {
  channels_[slot].position = start;
  observer_.channel_subscribed(channels_[slot].name);
}

void Hub::channel_refused(std::uint32_t slot, std::string_view reason) {
  ++stats_.channels_refused;
  observer_.channel_refused(channels_[slot].name, reason);
  scratch_ = channels_[slot].subscribers;
  for (const ClientRef ref : scratch_) {
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
