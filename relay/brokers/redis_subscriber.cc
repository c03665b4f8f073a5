#include "relay/brokers/redis_subscriber.h"

#include <utility>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "proto/limits.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_limits.h"
#include "relay/handover/redis_push_codec.h"
#include "relay/handover/redis_subscriptions_codec.h"

namespace sluice::relay {
namespace {

using Verb = RedisSubscriptions::Verb;

constexpr std::size_t kHeardBytesMax = proto::kPayloadBytesMax + kRedisEnvelopeBytesMax;

}  // namespace

RedisSubscriber::RedisSubscriber(RedisContext& context, RedisLinkOwner& owner,
                                 RedisHearing& hearing)
    : context_(context),
      owner_(owner),
      hearing_(hearing),
      subscriptions_(*this),
      connection_(context, "sluice-relay-sub", *this),
      refused_backoff_(kRefusedChannelWaitMin, kRefusedChannelWaitMax, context.random),
      pump_event_(make_event<&RedisSubscriber::pump>(context.base, -1, 0, this)),
      ping_event_(make_event<&RedisSubscriber::ping>(context.base, -1, EV_PERSIST, this)),
      retry_event_(make_event<&RedisSubscriber::retry_refused>(context.base, -1, 0, this)) {
}

// ---- the connection

void RedisSubscriber::connection_ready() {
  reader_.emplace(kHeardBytesMax);
  subscriptions_.connected();
  ping_out_ = false;
  restored_told_ = false;
  refused_backoff_.reset();
  owner_.subscriber_open();
  if (connection_.closed()) return;
  begin_pings();
  pump();
}

void RedisSubscriber::begin_pings() {
  const timeval interval = to_timeval(kRedisPingInterval);
  event_add(ping_event_.get(), &interval);
}

void RedisSubscriber::connection_drained() {
  pump();
}

void RedisSubscriber::connection_closed(const RedisLoss& loss) {
  end_connection();
  owner_.link_lost(RedisLink::kSubscriber, loss);
}

void RedisSubscriber::drop() {
  connection_.close();
  end_connection();
}

void RedisSubscriber::end_connection() {
  event_del(ping_event_.get());
  event_del(retry_event_.get());
  event_del(pump_event_.get());
  reader_.reset();
  subscriptions_.lost(connection_.last_received());
  hearing_.subscriber_lost();
}

void RedisSubscriber::ping() {
  // One at a time: silence is what counts, and the connection watches for that.
  if (std::exchange(ping_out_, true)) return;
  const std::string_view words[] = {"PING"};
  connection_.send(words);
  subscriptions_.ping_written();
  connection_.expect_answer();
  ++context_.stats.pings;
}

// ---- from program to program

std::optional<int> RedisSubscriber::carried() const {
  if (!connection_.ready()) return std::nullopt;
  return connection_.descriptor();
}

void RedisSubscriber::save(StateWriter& out) const {
  out.flag(connection_.ready());
  RedisSubscriptionsCodec::write(out, subscriptions_);
  if (!connection_.ready()) return;
  relay::write(out, connection_.state());
  RedisPushCodec::write(out, *reader_);
  out.flag(ping_out_);
  out.flag(restored_told_);
}

void RedisSubscriber::resume(StateReader& in, Descriptors& descriptors) {
  const bool carried = in.flag("subscriber");
  RedisSubscriptionsCodec::read(in, subscriptions_);
  in.require(subscriptions_.is_connected() == carried, "subscriber", "does not fit its connection");
  if (!carried || !in.good()) return;
  RedisConnectionState connection = read_redis_connection(in);
  reader_.emplace(kHeardBytesMax);
  RedisPushCodec::read(in, *reader_);
  ping_out_ = in.flag("subscriber's ping");
  restored_told_ = in.flag("subscriber's word");
  UniqueFd fd = descriptors.take(connection.descriptor);
  in.require(fd.valid(), "subscriber's descriptor", "is not there");
  if (!in.good()) return;
  connection_.resume(std::move(fd), std::move(connection));
  begin_pings();
  event_active(pump_event_.get(), EV_TIMEOUT, 0);
  if (subscriptions_.any_refused()) event_active(retry_event_.get(), EV_TIMEOUT, 0);
}

// ---- subscriptions

void RedisSubscriber::subscribe(std::string_view name) {
  subscriptions_.want(name);
  if (connection_.ready()) event_active(pump_event_.get(), EV_TIMEOUT, 0);
}

void RedisSubscriber::unsubscribe(std::string_view name) {
  subscriptions_.unwant(name);
  if (connection_.ready()) event_active(pump_event_.get(), EV_TIMEOUT, 0);
}

void RedisSubscriber::pump() {
  while (connection_.ready() && connection_.output_bytes() < kSubscribeOutputBytesHigh) {
    const RedisSubscriptions::Command* command = subscriptions_.next_command(context_.time.now());
    if (command == nullptr) break;
    write(*command);
  }
  tell_when_restored();
}

void RedisSubscriber::write(const RedisSubscriptions::Command& command) {
  std::vector<std::string_view> words;
  words.reserve(command.size() + 1);
  words.emplace_back(command.verb() == Verb::kSubscribe ? "SUBSCRIBE" : "UNSUBSCRIBE");
  for (std::size_t i = 0; i < command.size(); ++i) words.push_back(command.name(i));
  connection_.send(words);
}

void RedisSubscriber::tell_when_restored() {
  if (!ready() || std::exchange(restored_told_, true)) return;
  owner_.link_ready(RedisLink::kSubscriber);
}

void RedisSubscriber::confirmed(std::string_view channel, std::optional<Duration> uncovered) {
  hearing_.confirmed(channel, uncovered);
}

void RedisSubscriber::refused(std::string_view channel, std::string_view text, bool first) {
  ++context_.stats.subscribes_refused;
  if (first) {
    log_error("channel {} can't be subscribed, trying again: Redis says: {}", printable(channel),
              printable(text));
  }
  if (event_pending(retry_event_.get(), EV_TIMEOUT, nullptr) != 0) return;
  const timeval wait = to_timeval(refused_backoff_.next());
  event_add(retry_event_.get(), &wait);
}

void RedisSubscriber::retry_refused() {
  subscriptions_.retry_refused();
  pump();
}

// ---- answers

void RedisSubscriber::connection_read(std::string_view bytes) {
  for (;;) {
    RedisPush push = reader_->next(bytes);
    if (push.kind == RedisPush::Kind::kMore) return;
    pushed(push);
    // Closed from inside: the reader is gone.
    if (connection_.closed()) return;
    tell_when_restored();
    if (connection_.closed()) return;
  }
}

void RedisSubscriber::pushed(RedisPush& push) {
  switch (push.kind) {
    case RedisPush::Kind::kMore:
      return;
    case RedisPush::Kind::kMessage:
      ++context_.stats.messages;
      return hearing_.heard(push.channel, push.payload);
    case RedisPush::Kind::kAssembled:
      ++context_.stats.messages;
      return hearing_.heard(push.channel, *std::move(push.message));
    case RedisPush::Kind::kOversized:
      ++context_.stats.messages;
      return hearing_.heard_oversized(push.channel, push.bytes);
    case RedisPush::Kind::kSubscribed:
      return answer(Verb::kSubscribe, push.channel);
    case RedisPush::Kind::kUnsubscribed:
      return answer(Verb::kUnsubscribe, push.channel);
    case RedisPush::Kind::kPong:
      return pong();
    case RedisPush::Kind::kError:
      return error(push.text);
    case RedisPush::Kind::kMalformed:
      return connection_.fail(
          {"Redis sent bytes that were not understood: " + std::string(push.text)});
  }
}

void RedisSubscriber::answer(Verb verb, std::string_view channel) {
  if (!subscriptions_.answer(verb, channel, context_.time.now())) not_understood();
}

void RedisSubscriber::pong() {
  if (!subscriptions_.pong()) return not_understood();
  ping_out_ = false;
  connection_.answered();
}

void RedisSubscriber::error(std::string_view text) {
  const RedisErrorKind kind = classify_redis_error(text);
  const std::optional<Verb> verb = subscriptions_.error(text);
  const bool ends = kind == RedisErrorKind::kNotServing || kind == RedisErrorKind::kAuthentication;
  if (!verb || ends) return connection_.fail({reason_of_error(text)});
  if (*verb != Verb::kPing) return pump();
  // Who may not PING is answered all the same.
  ping_out_ = false;
  connection_.answered();
}

void RedisSubscriber::not_understood() {
  connection_.fail({"an answer from Redis was not understood"});
}

}  // namespace sluice::relay
