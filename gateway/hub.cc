#include "gateway/hub.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace sluice::gateway {

Hub::Hub(HubOptions options, SessionTable& sessions, Delivery& delivery, HubObserver& observer)
    : options_(options),
      sessions_(sessions),
      delivery_(delivery),
      observer_(observer),
      presence_(*this),
      fan_out_(delivery) {
}

// ---- client side

void Hub::opened(ClientSession& session, const UpgradeRequest& request) {
  session.protocol->opened(session, request, *this);
  called(session);
}

void Hub::opened(ClientSession& session, std::string_view channel) {
  UpgradeRequest request;
  request.channel = channel;
  opened(session, request);
}

void Hub::received(ClientSession& session, proto::Bytes payload, bool text) {
  ++stats_.received;
  stats_.received_bytes += payload.size();
  session.protocol->received(session, payload, text, *this);
  called(session);
}

void Hub::due(ClientSession& session) {
  session.protocol->due(session, *this);
  called(session);
}

void Hub::resumed(ClientSession& session) {
  session.protocol->resumed(session, *this);
  called(session);
}

void Hub::closed(ClientSession& session) {
  if (!std::exchange(session.ended, true)) session.protocol->closed(session, *this);
  give_up_joins(session);
  auto& subscriptions = session.state.subscriptions;
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    presence_.clear(session.ref, channel_of_[subscriptions[i].audience]);
    fan_out_.leave(session, i);
    --subscriptions_;
    audience_left(subscriptions[i].audience);
  }
  subscriptions = {};
}

std::optional<std::uint32_t> Hub::find_channel(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

Hub::Channel* Hub::find_or_add(std::string_view name, std::uint32_t& slot, bool& added) {
  std::string key(name);
  const auto found = by_name_.find(key);
  added = found == by_name_.end();
  if (found != by_name_.end()) {
    slot = found->second;
    return &channels_[slot];
  }
  if (by_name_.size() >= options_.channels_max + listeners_.size()) {
    ++stats_.channels_refused;
    return nullptr;
  }
  slot = add_channel(std::move(key));
  return &channels_[slot];
}

std::uint32_t Hub::add_channel(std::string name) {
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(channels_.size()));
    channels_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  by_name_.emplace(name, slot);
  channels_[slot].name = std::move(name);
  return slot;
}

bool Hub::subscribe(ClientSession& session, std::string_view name) {
  std::uint32_t slot = 0;
  bool added = false;
  if (find_or_add(name, slot, added) == nullptr) return false;
  ask_for(slot, added);
  begin_subscription(session, slot);
  return true;
}

void Hub::ask_for(std::uint32_t slot, bool added) {
  const Channel& channel = channels_[slot];
  if (added) {
    link_->subscribe(channel.name, slot);
  } else if (!channel.confirmed) {
    link_->ask_again(channel.name);
  }
}

void Hub::begin_subscription(ClientSession& session, std::uint32_t slot) {
  // During a catch-up the relay sends what came before this client did. It would be in order and
  // once, but old: the client joins where the catch-up ends.
  const std::uint64_t began = std::max(link_->sequence(), catch_up_top_);
  auto& state = session.state;
  if (state.subscriptions.empty()) state.last_sequence = std::max(state.last_sequence, began);
  fan_out_.join(audience_of(slot, *session.protocol), session, began);
  ++subscriptions_;
}

std::optional<std::size_t> Hub::subscription_of(const ClientSession& session,
                                                std::uint32_t slot) const {
  const auto& subscriptions = session.state.subscriptions;
  const auto found =
      std::find_if(subscriptions.begin(), subscriptions.end(),
                   [&](const Subscription& one) { return channel_of_[one.audience] == slot; });
  if (found == subscriptions.end()) return std::nullopt;
  return static_cast<std::size_t>(found - subscriptions.begin());
}

void Hub::leave(ClientSession& session, std::string_view name) {
  const auto slot = find_channel(name);
  if (!slot) return;
  if (const Joins::Id join = joins_.find(session.ref, *slot); join != Joins::kNone) {
    static_cast<void>(joins_.take(join));
    return end_if_unused(*slot);
  }
  const auto subscription = subscription_of(session, *slot);
  if (!subscription) return;
  fan_out_.settle(session);
  presence_.clear(session.ref, *slot);
  const std::uint32_t audience = session.state.subscriptions[*subscription].audience;
  fan_out_.leave(session, *subscription);
  fan_out_.take_out(session, *subscription);
  --subscriptions_;
  audience_left(audience);
  changed(session);
}

void Hub::listen(std::string_view name, Listener listener) {
  const auto found = find_channel(name);
  const std::uint32_t slot = found ? *found : add_channel(std::string(name));
  CHECK(listeners_.emplace(slot, std::move(listener)).second);
  channels_[slot].listened = true;
  if (!found) link_->subscribe(name, slot);
}

bool Hub::resubscribe(ClientSession& session, std::string_view name, std::uint64_t began_sequence,
                      bool earlier_link) {
  std::uint32_t slot = 0;
  bool added = false;
  if (find_or_add(name, slot, added) == nullptr) return false;
  link_->restore(name, slot, earlier_link);
  fan_out_.join(audience_of(slot, *session.protocol), session, began_sequence);
  ++subscriptions_;
  return true;
}

void Hub::begin_catch_up(std::uint64_t top) {
  catch_up_top_ = top;
  link_->catch_up_to(top);
}

std::vector<SubscriptionRecord> Hub::subscriptions_of(const ClientSession& session) const {
  std::vector<SubscriptionRecord> records;
  records.reserve(session.state.subscriptions.size());
  for (const Subscription& one : session.state.subscriptions)
    records.push_back({channels_[channel_of_[one.audience]].name, one.began_sequence});
  return records;
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
  std::erase(channels_[slot].audiences, audience);
  end_if_unused(slot);
}

void Hub::end_if_unused(std::uint32_t slot) {
  Channel& channel = channels_[slot];
  if (channel.name.empty() || channel.listened || !channel.audiences.empty() ||
      joins_.first_of_channel(slot) != Joins::kNone)
    return;
  link_->unsubscribe(channel.name);
  by_name_.erase(channel.name);
  channel = Channel{};
  free_.push_back(slot);
}

bool Hub::publish(ClientSession& session, const PublishRequest& request) {
  session.has_published = true;
  ++session.publishes_pending;  // before: it may fail inside the call
  const Enqueue verdict =
      link_->publish({session.ref, request.ticket}, request.channel, request.payload, request.meta);
  if (verdict != Enqueue::kOk) --session.publishes_pending;
  return verdict == Enqueue::kOk;
}

void Hub::publish(std::string_view channel, proto::Bytes payload) {
  // Whoever could be told is gone: the link counts what fails.
  static_cast<void>(link_->publish({}, channel, payload, {}));
}

std::optional<ChannelNumber> Hub::channel_number(std::string_view channel) const {
  return find_channel(channel);
}

void Hub::set_presence(ClientSession& session, const proto::PresenceSet& presence) {
  const auto slot = find_channel(presence.channel);
  if (slot && subscription_of(session, *slot)) presence_.set(session.ref, *slot, presence);
}

void Hub::clear_presence(ClientSession& session, std::string_view channel,
                         std::string_view /*client*/) {
  if (const auto slot = find_channel(channel)) presence_.clear(session.ref, *slot);
}

void Hub::changed(ClientSession& session) {
  observer_.session_changed(session);
  called(session);
}

std::string_view Hub::first_channel(const ClientSession& session) const {
  if (session.state.subscriptions.empty()) return {};
  return channels_[channel_of_[session.state.subscriptions.front().audience]].name;
}

// ---- relay side

void Hub::link_begins(std::uint64_t relay_instance, std::uint64_t last_sequence, bool resumed) {
  if (!resumed) {
    for (Channel& channel : channels_) channel.confirmed = false;
    // What clients' records say of the old sequences must be true for good.
    fan_out_.settle_all();
    catch_up_top_ = 0;
    limit_sequences(last_sequence);
  } else if (catch_up_top_ > last_sequence) {
    // Records that claim what the relay never sent. Rather twice than lost in silence.
    catch_up_top_ = last_sequence;
    limit_sequences(last_sequence);
  }
  observer_.link_began(relay_instance, last_sequence, resumed);
}

void Hub::link_state(bool up) {
  if (up) {
    presence_.link_began();
  } else {
    presence_.link_lost();
  }
  observer_.link_state(up);
}

void Hub::limit_sequences(std::uint64_t sequence) {
  for (std::size_t slot = 0; slot < sessions_.slots(); ++slot) {
    ClientSession* session = sessions_.at(slot);
    if (session == nullptr) continue;
    session->state.last_sequence = std::min(session->state.last_sequence, sequence);
    for (Subscription& one : session->state.subscriptions)
      one.began_sequence = std::min(one.began_sequence, sequence);
  }
}

void Hub::channel_message(std::uint32_t slot, const proto::Message& message) {
  Channel& channel = channels_[slot];
  channel.position.offset = message.offset;
  ++stats_.messages_in;
  const proto::Position position{channel.position.epoch, message.beside ? 0 : message.offset};
  const ChannelMessage decoded{channel.name, position, message.payload, message.meta};
  const FrameLog::Stamp stamp{message.sequence, message.received_micros};
  for (const std::uint32_t audience : channel.audiences) {
    if (message.sequence <= catch_up_top_) {
      fan_out_.give_now(audience, decoded, stamp);
    } else {
      fan_out_.append(audience, decoded, stamp);
    }
  }
  if (channel.awaited) position_moved(slot);
  if (channel.listened) listeners_.at(slot)(message.payload, message.meta);
}

void Hub::position_moved(std::uint32_t slot) {
  Channel& channel = channels_[slot];
  channel.awaited = false;
  for (Joins::Id id = joins_.first_of_channel(slot); id != Joins::kNone;
       id = joins_.next_of_channel(id)) {
    if (joins_.stage(id) == JoinStage::kWaiting && channel.confirmed)
      joins_.move_to(id, JoinStage::kReady);
    if (joins_.stage(id) != JoinStage::kBehind) continue;
    const proto::Position since = *joins_.at(id).since;
    if (since.epoch == channel.position.epoch && since.offset > channel.position.offset) {
      channel.awaited = true;
    } else {
      joins_.move_to(id, JoinStage::kReady);
    }
  }
}

bool Hub::work() {
  const bool joins = run_joins(kJoinsPerTurn);
  return presence_.run(kPresencePerTurn) || joins;
}

bool Hub::fan_out(std::size_t clients_max) {
  const bool more = fan_out_.run(clients_max);
  auto& stamps = fan_out_.finished_stamps();
  for (const std::uint32_t stamp : stamps) observer_.message_given(stamp);
  stamps.clear();
  return more;
}

const std::vector<Hub::Reader>& Hub::subscribers(const Channel& channel) {
  scratch_.clear();
  for (const std::uint32_t audience : channel.audiences)
    for (std::size_t i = 0; i < fan_out_.size(audience); ++i) {
      const ClientSession& session = fan_out_.subscriber(audience, i);
      const std::uint64_t began = fan_out_.began(audience, i);
      scratch_.push_back({session.ref, std::max(session.state.last_sequence, began)});
    }
  return scratch_;
}

void Hub::channel_gap(std::uint32_t slot, const ChannelGap& told) {
  // Who is told may leave, and the channel's name end with the last.
  const std::string name(told.channel);
  ChannelGap gap = told;
  gap.channel = name;
  Channel& channel = channels_[slot];
  channel.position = gap.position;
  // One whose position was not known is known now.
  channel.confirmed = gap.position.epoch != 0;
  position_moved(slot);
  // In a catch-up clients may have got all that is missing here, or a part of it.
  const std::vector<Reader>& readers = subscribers(channel);
  const bool missed =
      std::any_of(readers.begin(), readers.end(), [&](auto& r) { return lacks(r, gap); });
  if (!missed && !channel.listened) return;
  ++stats_.gap_events;
  if (gap.count == proto::kCountUnknown) {
    ++stats_.gaps_unknown;
  } else {
    stats_.gap_messages += gap.count;
  }
  observer_.channel_gap(gap);
  for (const Reader& reader : readers) {
    ClientSession* session = sessions_.find(reader.ref);
    if (session != nullptr && lacks(reader, gap)) tell_gap(*session, gap, reader.has);
  }
}

void Hub::tell_gap(ClientSession& session, const ChannelGap& gap, std::uint64_t has) {
  const bool placed = gap.through != gap.after;
  // What came before the gap goes before it.
  fan_out_.settle(session);
  // Once told, never again; but a client of several channels may be told more of the same cut.
  auto& state = session.state;
  if (placed && state.subscriptions.size() == 1) state.last_sequence = gap.through;
  ChannelGap own = gap;
  if (placed && has > gap.after) own.count = proto::kCountUnknown;
  session.protocol->gap(session, own, *this);
  called(session);
}

void Hub::channel_subscribed(std::uint32_t slot, proto::Position start, bool history) {
  Channel& channel = channels_[slot];
  channel.position = start;
  channel.confirmed = start.epoch != 0;
  channel.history = history;
  observer_.channel_subscribed(channel.name);
  position_moved(slot);
}

void Hub::channel_refused(std::uint32_t slot, std::string_view reason) {
  ++stats_.channels_refused;
  observer_.channel_refused(channels_[slot].name, reason);
  std::vector<ClientRef> waiting;
  for (Joins::Id id = joins_.first_of_channel(slot); id != Joins::kNone;
       id = joins_.next_of_channel(id))
    waiting.push_back(joins_.at(id).session);
  for (const Reader& reader : subscribers(channels_[slot])) {
    if (ClientSession* session = sessions_.find(reader.ref))
      delivery_.close(*session, CloseCode::kTryAgainLater, "too many channels");
  }
  // Each once: who is told may ask again.
  for (const ClientRef ref : waiting) {
    const Joins::Id id = sessions_.find(ref) != nullptr ? joins_.find(ref, slot) : Joins::kNone;
    if (id != Joins::kNone) fail_join(id, proto::ErrorReason::kQueueFull);
  }
}

void Hub::published(const PublishOrigin& origin) {
  ClientSession* session = sessions_.find(origin.client);
  if (session == nullptr) return;
  --session->publishes_pending;
  if (origin.ticket == 0) return;
  session->protocol->published(*session, origin.ticket, *this);
  called(*session);
}

void Hub::publish_failed(const PublishOrigin& origin, proto::ErrorReason reason) {
  ClientSession* session = sessions_.find(origin.client);
  if (session == nullptr) return;
  --session->publishes_pending;
  if (origin.ticket == 0) return;
  session->protocol->publish_failed(*session, {reason, origin.ticket}, *this);
  called(*session);
}

}  // namespace sluice::gateway
