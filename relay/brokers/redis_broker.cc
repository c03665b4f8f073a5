#include "relay/brokers/redis_broker.h"

#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {

RedisBroker::RedisBroker(RedisOptions options, event_base* base, Random& random)
    : context_(std::move(options), base, random),
      subscriber_(context_, *this),
      publisher_(context_, *this),
      subscriber_reconnect_{Backoff(kReconnectWaitMin, kReconnectWaitMax, random),
                            make_event<&RedisBroker::open_subscriber>(base, -1, 0, this)},
      publisher_reconnect_{Backoff(kReconnectWaitMin, kReconnectWaitMax, random),
                           make_event<&RedisBroker::open_publisher>(base, -1, 0, this)} {
}

void RedisBroker::start(BrokerEvents& events) {
  CHECK(events_ == nullptr);
  events_ = &events;
  subscriber_.start(events);
  publisher_.start(events);
  event_active(subscriber_reconnect_.event.get(), EV_TIMEOUT, 0);
  event_active(publisher_reconnect_.event.get(), EV_TIMEOUT, 0);
}

// ---- publishing

bool RedisBroker::can_publish(std::size_t payload_bytes) const {
  return connected_ && publisher_.ready() && subscriber_.ready() &&
         publisher_.has_room(payload_bytes);
}

void RedisBroker::publish(PublishId id, std::string_view channel, proto::Bytes payload,
                          proto::Bytes /*meta*/, const ChannelOptions& /*options*/) {
  CHECK(publisher_.ready());
  publisher_.publish(id, channel, payload);
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

void RedisBroker::link_ready(RedisLink link) {
  Reconnect& self = reconnect(link);
  self.ready = true;
  self.ready_since = context_.time.now();
  ++context_.stats.connects;
  if (std::exchange(self.was_ready, true)) ++context_.stats.reconnects;
  if (connected_ || !subscriber_.ready() || !publisher_.ready()) return;
  if (!same_server()) {
    // Published on one, heard on the other: everything would be lost in silence.
    return drop_both("subscriber and publisher reached two different Redis servers");
  }
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
  reopen_later(link);
  if (loss.wrong_role && link == RedisLink::kPublisher && !subscriber_.closed()) {
    subscriber_.drop();
    reopen_later(RedisLink::kSubscriber);
  }
  away(loss.reason);
}

void RedisBroker::drop_both(std::string_view reason) {
  subscriber_.drop();
  publisher_.drop(reason);
  reopen_later(RedisLink::kSubscriber);
  reopen_later(RedisLink::kPublisher);
  away(reason);
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
  publisher_.save(out);
  out.flag(connected_);
  for (const Reconnect* one : {&subscriber_reconnect_, &publisher_reconnect_}) {
    out.flag(one->was_ready);
    out.flag(one->ready);
    out.time(one->ready_since);
  }
  out.counters(context_.stats);
}

void RedisBroker::resume(StateReader& in, Descriptors& descriptors) {
  subscriber_.resume(in, descriptors);
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

std::string RedisBroker::describe() const {
  return relay::describe(context_.options);
}

}  // namespace sluice::relay
