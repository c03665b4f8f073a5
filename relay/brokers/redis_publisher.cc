#include "relay/brokers/redis_publisher.h"

#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {

RedisPublisher::RedisPublisher(RedisContext& context, RedisLinkOwner& owner)
    : context_(context),
      owner_(owner),
      connection_(context, "sluice-relay-pub", *this),
      ping_event_(make_event<&RedisPublisher::ping>(context.base, -1, EV_PERSIST, this)) {
}

// ---- the connection

void RedisPublisher::connection_ready() {
  begin();
  owner_.link_ready(RedisLink::kPublisher);
}

void RedisPublisher::begin() {
  reader_.emplace();
  ping_out_ = false;
  room_refused_ = false;
  const timeval interval = to_timeval(kRedisPingInterval);
  event_add(ping_event_.get(), &interval);
}

void RedisPublisher::connection_closed(const RedisLoss& loss) {
  end_connection(loss.reason);
  owner_.link_lost(RedisLink::kPublisher, loss);
}

void RedisPublisher::drop(std::string_view reason) {
  connection_.close();
  end_connection(reason);
}

void RedisPublisher::end_connection(std::string_view reason) {
  event_del(ping_event_.get());
  BlockQueue<InFlight> lost = std::exchange(in_flight_, {});
  publishes_ = 0;
  publish_bytes_ = 0;
  context_.stats.publishes_in_flight = 0;
  context_.stats.publish_bytes_in_flight = 0;
  while (!lost.empty()) {
    if (const InFlight one = lost.pop_front(); one.asked == Asked::kPublish) {
      events_->published(one.id, PublishOutcome::kUnknownFate, reason, std::nullopt);
    }
  }
}

/// A master may have become a replica: it would go on to take publishes and give them to nobody
/// else.
void RedisPublisher::ping() {
  if (std::exchange(ping_out_, true)) return;
  ask(Asked::kRole, "ROLE");
  ask(Asked::kPing, "PING");
  connection_.expect_answer();
  ++context_.stats.pings;
}

void RedisPublisher::ask(Asked what, std::string_view word) {
  const std::string_view words[] = {word};
  connection_.send(words);
  in_flight_.push_back({what, 0, 0});
}

// ---- from program to program

bool RedisPublisher::idle() const {
  return in_flight_.empty() && connection_.output_bytes() == 0 &&
         (!reader_ || reader_->rest().empty());
}

std::optional<int> RedisPublisher::carried() const {
  if (!connection_.ready() || !idle()) return std::nullopt;
  return connection_.descriptor();
}

void RedisPublisher::save(StateWriter& out) const {
  out.flag(carried().has_value());
  if (carried()) write(out, connection_.state());
}

void RedisPublisher::resume(StateReader& in, Descriptors& descriptors) {
  if (!in.flag("publisher")) return;
  RedisConnectionState connection = read_redis_connection(in);
  UniqueFd fd = descriptors.take(connection.descriptor);
  in.require(fd.valid(), "publisher's descriptor", "is not there");
  if (!in.good()) return;
  connection_.resume(std::move(fd), std::move(connection));
  begin();
}

// ---- publishing

bool RedisPublisher::has_room(std::size_t payload_bytes) const {
  if (publishes_ == 0) return true;
  const std::size_t bytes =
      publish_bytes_ + payload_bytes + proto::kChannelNameBytesMax + kPublishOverheadBytes;
  const bool room = publishes_ < kPublishesInFlightMax && bytes <= kPublishBytesInFlightMax;
  room_refused_ = room_refused_ || !room;
  return room;
}

void RedisPublisher::publish(PublishId id, std::string_view channel, proto::Bytes payload) {
  const std::string_view words[] = {"PUBLISH", channel, proto::as_text(payload)};
  connection_.send(words);
  const std::size_t bytes = channel.size() + payload.size() + kPublishOverheadBytes;
  in_flight_.push_back({Asked::kPublish, id, bytes});
  context_.stats.publishes_in_flight = ++publishes_;
  context_.stats.publish_bytes_in_flight = publish_bytes_ += bytes;
}

// ---- answers

void RedisPublisher::connection_read(std::string_view bytes) {
  for (;;) {
    if (take_published(bytes)) continue;
    const RedisReplyPtr one = reader_->next(bytes);
    if (!one) break;
    reply(*one);
    if (connection_.closed()) return;
  }
  if (!reader_->problem().empty()) connection_.fail({reader_->problem()});
}

bool RedisPublisher::take_published(std::string_view& bytes) {
  if (in_flight_.empty() || in_flight_.front().asked != Asked::kPublish) return false;
  if (!reader_->take_integer(bytes)) return false;
  const InFlight publish = in_flight_.pop_front();
  settle(publish);
  events_->published(publish.id, PublishOutcome::kPublished, {}, std::nullopt);
  tell_room();
  return true;
}

void RedisPublisher::reply(const redisReply& reply) {
  if (in_flight_.empty()) {
    // Unasked: an error before Redis closes, e.g. for want of memory.
    const bool error = reply.type == REDIS_REPLY_ERROR;
    return connection_.fail(
        {error ? reason_of_error(text_of(reply)) : "an answer from Redis was not understood"});
  }
  const InFlight one = in_flight_.pop_front();
  switch (one.asked) {
    case Asked::kPublish:
      return publish_answer(one, reply);
    case Asked::kRole:
      return role_answer(reply);
    case Asked::kPing:
      return ping_answer(reply);
  }
}

void RedisPublisher::settle(const InFlight& publish) {
  context_.stats.publishes_in_flight = --publishes_;
  context_.stats.publish_bytes_in_flight = publish_bytes_ -= publish.bytes;
}

void RedisPublisher::publish_answer(const InFlight& publish, const redisReply& reply) {
  settle(publish);
  if (reply.type == REDIS_REPLY_INTEGER) {
    events_->published(publish.id, PublishOutcome::kPublished, {}, std::nullopt);
    return tell_room();
  }
  if (reply.type != REDIS_REPLY_ERROR) {
    const std::string_view reason = "an answer from Redis was not understood";
    events_->published(publish.id, PublishOutcome::kUnknownFate, reason, std::nullopt);
    return connection_.fail({std::string(reason)});
  }
  const std::string_view text = text_of(reply);
  events_->published(publish.id, PublishOutcome::kRefused, printable(text), std::nullopt);
  const RedisErrorKind kind = classify_redis_error(text);
  if (kind == RedisErrorKind::kNotServing || kind == RedisErrorKind::kAuthentication) {
    return connection_.fail({reason_of_error(text)});
  }
  tell_room();
}

void RedisPublisher::role_answer(const redisReply& reply) {
  const RedisRole role = judge_role(reply);
  if (!role.usable) {
    return connection_.fail({role.reason, reply.type != REDIS_REPLY_ERROR});
  }
}

void RedisPublisher::ping_answer(const redisReply& reply) {
  ping_out_ = false;
  connection_.answered();
  if (reply.type != REDIS_REPLY_ERROR) return;
  const std::string_view text = text_of(reply);
  // Who may not PING is answered all the same.
  if (classify_redis_error(text) != RedisErrorKind::kNotPermitted) {
    connection_.fail({reason_of_error(text)});
  }
}

void RedisPublisher::tell_room() {
  if (!room_refused_) return;
  if (publishes_ > kPublishesInFlightMax / kPublishRoomDivisor) return;
  if (publish_bytes_ > kPublishBytesInFlightMax / kPublishRoomDivisor) return;
  room_refused_ = false;
  owner_.link_has_room();
}

}  // namespace sluice::relay
