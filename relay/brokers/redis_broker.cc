#include "relay/brokers/redis_broker.h"

#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "proto/names.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_keys.h"
#include "relay/brokers/redis_limits.h"
#include "relay/handover/redis_channels_codec.h"

namespace sluice::relay {
namespace {

// Published on one, heard on the other: everything would be lost in silence.
constexpr std::string_view kTwoServers =
    "subscriber and publisher reached two different Redis servers";

}  // namespace

RedisBroker::RedisBroker(RedisOptions options, event_base* base, Random& random)
    : context_(std::move(options), base, random),
      channels_(*this),
      subscriber_(context_, *this, channels_),
      publisher_(context_, *this),
      queries_(context_, publisher_, channels_.continuity()),
      subscriber_reconnect_{Backoff(kReconnectWaitMin, kReconnectWaitMax, random),
                            make_event<&RedisBroker::open_subscriber>(base, -1, 0, this)},
      publisher_reconnect_{Backoff(kReconnectWaitMin, kReconnectWaitMax, random),
                           make_event<&RedisBroker::open_publisher>(base, -1, 0, this)},
      connect_event_(make_event<&RedisBroker::connect>(base, -1, 0, this)),
      retry_event_(make_event<&RedisBroker::retry_history>(base, -1, EV_PERSIST, this)) {
}

void RedisBroker::start(BrokerEvents& events) {
  CHECK(events_ == nullptr);
  events_ = &events;
  channels_.start(events);
  publisher_.start(events);
  queries_.start(events);
  // Another program's publisher may be at hand.
  channels_.continuity().set_usable(publisher_.ready());
  event_active(connect_event_.get(), EV_TIMEOUT, 0);
  const timeval retry = to_timeval(kHistoryRetryWait);
  event_add(retry_event_.get(), &retry);
  event_active(subscriber_reconnect_.event.get(), EV_TIMEOUT, 0);
  event_active(publisher_reconnect_.event.get(), EV_TIMEOUT, 0);
}

// ---- channels

void RedisBroker::subscribe(std::string_view channel, const ChannelOptions& options) {
  // Constant while it is subscribed, whatever the rules say meanwhile.
  if (subscriber_.subscriptions().is_wanted(channels_.name_of(channel))) return;
  for (const std::string& name : channels_.add(channel, options)) subscriber_.subscribe(name);
}

void RedisBroker::unsubscribe(std::string_view channel) {
  for (const std::string& name : channels_.remove(channel)) subscriber_.unsubscribe(name);
}

bool RedisBroker::is_confirmed(std::string_view channel) const {
  if (channels_.has_history(channel)) return channels_.continuity().is_live(channel);
  return subscriber_.subscriptions().is_confirmed(channels_.name_of(channel));
}

// ---- publishing

bool RedisBroker::can_publish(std::size_t payload_bytes) const {
  return connected_ && publisher_.ready() && subscriber_.ready() &&
         publisher_.has_room(payload_bytes);
}

void RedisBroker::publish(PublishId id, std::string_view channel, proto::Bytes payload,
                          proto::Bytes meta, const ChannelOptions& options) {
  CHECK(publisher_.ready());
  if (options.history()) return queries_.publish(id, channel, payload, meta, options);
  const std::string name = redis_channel(channel, options.envelope);
  if (!options.envelope || proto::is_internal(channel)) {
    return publisher_.publish(id, name, proto::as_text(payload));
  }
  publisher_.publish(id, name, make_envelope(std::nullopt, meta, payload));
}

// ---- questions

void RedisBroker::history(QueryId id, std::string_view channel, const proto::HistoryQuery& query,
                          const ChannelOptions& /*options*/) {
  queries_.history(id, channel, query);
}

void RedisBroker::remove_history(QueryId id, std::string_view channel,
                                 const ChannelOptions& options) {
  queries_.remove_history(id, channel, options);
}

bool RedisBroker::update_presence(std::span<const PresenceChange> changes) {
  return queries_.update_presence(changes);
}

void RedisBroker::presence(QueryId id, std::string_view channel, bool counts_only) {
  queries_.presence(id, channel, counts_only);
}

void RedisBroker::ask_position(RedisAsk ask, std::string_view channel,
                               const ChannelOptions& options,
                               std::optional<proto::Position> heard) {
  queries_.ask_position(ask, channel, options, heard);
}

void RedisBroker::ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                              proto::Position since) {
  queries_.ask_missing(ask, channel, options, since);
}

/// May come from inside unsubscribe(), which tells nothing.
void RedisBroker::caught_up() {
  event_active(connect_event_.get(), EV_TIMEOUT, 0);
}

void RedisBroker::retry_history() {
  if (publisher_.ready()) channels_.continuity().retry();
}

void RedisBroker::link_has_room() {
  if (connected_) events_->broker_connected();
}

// ---- connections

void RedisBroker::open_subscriber() {
  if (subscriber_.closed()) subscriber_.open();
}

void RedisBroker::open_publisher() {
  if (publisher_.closed()) publisher_.open();
}

RedisBroker::Reconnect& RedisBroker::reconnect(RedisLink link) {
  return link == RedisLink::kSubscriber ? subscriber_reconnect_ : publisher_reconnect_;
}

void RedisBroker::subscriber_open() {
  // Before a channel's position is asked of the wrong one.
  if (publisher_.ready() && !same_server()) drop_both(kTwoServers);
}

void RedisBroker::link_ready(RedisLink link) {
  Reconnect& self = reconnect(link);
  self.ready = true;
  self.ready_since = context_.time.now();
  ++context_.stats.connects;
  if (std::exchange(self.was_ready, true)) ++context_.stats.reconnects;
  if (link == RedisLink::kPublisher) {
    if (subscriber_.connected() && !same_server()) return drop_both(kTwoServers);
    channels_.continuity().set_usable(true);
  }
  connect();
}

void RedisBroker::connect() {
  if (connected_ || !subscriber_.ready() || !publisher_.ready()) return;
  if (!std::exchange(restoring_, true)) channels_.continuity().begin_restore();
  if (!channels_.continuity().restored()) return;
  restoring_ = false;
  connected_ = true;
  away_reason_.clear();
  events_->broker_connected();
}

bool RedisBroker::same_server() const {
  const std::string& one = subscriber_.server_id();
  const std::string& other = publisher_.server_id();
  return one.empty() || other.empty() || one == other;
}

void RedisBroker::link_lost(RedisLink link, const RedisLoss& loss) {
  if (link == RedisLink::kPublisher) publisher_gone(loss.reason);
  reopen_later(link);
  if (loss.wrong_role && link == RedisLink::kPublisher && !subscriber_.closed()) {
    subscriber_.drop();
    reopen_later(RedisLink::kSubscriber);
  }
  away(loss.reason);
}

void RedisBroker::drop_both(std::string_view reason) {
  subscriber_.drop();
  channels_.continuity().set_usable(false);
  publisher_.drop(reason);
  publisher_gone(reason);
  reopen_later(RedisLink::kSubscriber);
  reopen_later(RedisLink::kPublisher);
  away(reason);
}

void RedisBroker::publisher_gone(std::string_view reason) {
  channels_.continuity().set_usable(false);
  queries_.link_lost(reason);
}

void RedisBroker::reopen_later(RedisLink link) {
  Reconnect& self = reconnect(link);
  if (std::exchange(self.ready, false)) {
    ++context_.stats.losses;
    if (context_.time.now() - self.ready_since >= kStableAfter) self.backoff.reset();
  } else {
    ++context_.stats.connect_failures;
  }
  const timeval wait = to_timeval(self.backoff.next());
  event_add(self.event.get(), &wait);
}

void RedisBroker::away(std::string_view reason) {
  restoring_ = false;
  if (!connected_ && reason == away_reason_) return;
  connected_ = false;
  away_reason_ = reason;
  events_->broker_away(reason);
}

// ---- from program to program

std::vector<int> RedisBroker::descriptors() const {
  std::vector<int> all;
  if (const auto fd = subscriber_.carried()) all.push_back(*fd);
  if (const auto fd = publisher_.carried()) all.push_back(*fd);
  return all;
}

void RedisBroker::save(StateWriter& out) const {
  subscriber_.save(out);
  RedisChannelsCodec::write(out, channels_);
  publisher_.save(out);
  out.flag(connected_);
  for (const Reconnect* one : {&subscriber_reconnect_, &publisher_reconnect_}) {
    out.flag(one->was_ready);
    out.flag(one->ready);
    out.time(one->ready_since);
  }
  out.counters(stats());
}

void RedisBroker::resume(StateReader& in, Descriptors& descriptors) {
  subscriber_.resume(in, descriptors);
  RedisChannelsCodec::read(in, channels_, subscriber_.subscriptions());
  publisher_.resume(in, descriptors);
  const bool connected = in.flag("broker's connection");
  for (Reconnect* one : {&subscriber_reconnect_, &publisher_reconnect_}) {
    one->was_ready = in.flag("broker's past");
    one->ready = in.flag("broker's presence");
    one->ready_since = in.time("broker's begin");
  }
  context_.stats = in.counters<RedisStats>("broker's counters");
  context_.stats.publishes_in_flight = 0;
  context_.stats.publish_bytes_in_flight = 0;
  subscriber_reconnect_.ready = subscriber_reconnect_.ready && !subscriber_.closed();
  publisher_reconnect_.ready = publisher_reconnect_.ready && !publisher_.closed();
  // A publisher that has to be made anew is looked at like the first: is it the same server?
  connected_ = connected && subscriber_.ready() && publisher_.ready();
}

RedisStats RedisBroker::stats() const {
  RedisStats all = context_.stats;
  const RedisContinuityStats& continuity = channels_.continuity().stats();
  all.messages_too_large += channels_.stats().too_large;
  all.envelopes_unreadable += channels_.stats().unreadable;
  all.history_positions += continuity.positions;
  all.history_fetches += continuity.fetches;
  all.history_fetched += continuity.fetched;
  all.history_losses += continuity.losses;
  all.history_duplicates += continuity.duplicates;
  return all;
}

std::string RedisBroker::describe() const {
  return relay::describe(context_.options);
}

}  // namespace sluice::relay
