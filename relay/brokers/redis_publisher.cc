#include "relay/brokers/redis_publisher.h"

#include <utility>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "relay/brokers/redis_answers.h"
#include "relay/brokers/redis_command.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

[[nodiscard]] bool script_unknown(const redisReply& reply) {
  return reply.type == REDIS_REPLY_ERROR && text_of(reply).starts_with("NOSCRIPT");
}

[[nodiscard]] bool ends_connection(RedisErrorKind kind) {
  return kind == RedisErrorKind::kNotServing || kind == RedisErrorKind::kAuthentication;
}

}  // namespace

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
  reader_.emplace(kRedisDataReplyBytesMax);
  ping_out_ = false;
  room_refused_ = false;
  const timeval interval = to_timeval(kRedisPingInterval);
  event_add(ping_event_.get(), &interval);
  load_scripts();
}

/// Nobody waits for the answers: a call behind it finds the script there.
void RedisPublisher::load_scripts() {
  for (const RedisScript script : kAllRedisScripts) {
    const std::string_view words[] = {"SCRIPT", "LOAD", script_text(script).text};
    connection_.send(words);
    in_flight_.push_back({.asked = Asked::kLoad});
  }
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
  std::deque<InFlight> unsent = std::exchange(again_, {});
  scripts_out_ = 0;
  publishes_ = 0;
  publish_bytes_ = 0;
  context_.stats.publishes_in_flight = 0;
  context_.stats.publish_bytes_in_flight = 0;
  while (!lost.empty()) lose(lost.pop_front(), reason);
  for (InFlight& one : unsent) lose(std::move(one), reason);
}

void RedisPublisher::lose(InFlight one, std::string_view reason) {
  if (one.id != 0) {
    return events_->published(one.id, PublishOutcome::kUnknownFate, reason, std::nullopt);
  }
  if (one.call) one.call->done({.problem = reason, .lost = true});
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
  in_flight_.push_back({.asked = what});
}

// ---- from program to program

bool RedisPublisher::idle() const {
  return in_flight_.empty() && again_.empty() && connection_.output_bytes() == 0 &&
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
  // What was given first is to go first.
  if (!again_.empty()) {
    room_refused_ = true;
    return false;
  }
  if (publishes_ == 0) return true;
  const std::size_t bytes =
      publish_bytes_ + payload_bytes + proto::kChannelNameBytesMax + kPublishOverheadBytes;
  const bool room = publishes_ < kPublishesInFlightMax && bytes <= kPublishBytesInFlightMax;
  room_refused_ = room_refused_ || !room;
  return room;
}

void RedisPublisher::count(std::size_t bytes) {
  context_.stats.publishes_in_flight = ++publishes_;
  context_.stats.publish_bytes_in_flight = publish_bytes_ += bytes;
}

void RedisPublisher::publish(PublishId id, std::string_view name, std::string_view bytes) {
  const std::string_view words[] = {"PUBLISH", name, bytes};
  connection_.send(words);
  const std::size_t cost = name.size() + bytes.size() + kPublishOverheadBytes;
  in_flight_.push_back({.asked = Asked::kPublish, .id = id, .bytes = cost});
  count(cost);
}

// ---- scripts

namespace {

std::string command_of(RedisScript script, RedisPublisher::Words keys,
                       RedisPublisher::Words arguments) {
  const std::string keys_count = std::to_string(keys.size());
  std::vector<std::string_view> words{"EVALSHA", script_text(script).digest, keys_count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::string command;
  append_redis_command(command, words);
  return command;
}

}  // namespace

void RedisPublisher::publish(PublishId id, std::string_view channel, Words keys, Words arguments) {
  auto call = std::make_unique<Call>();
  call->script = RedisScript::kPublish;
  call->command = command_of(call->script, keys, arguments);
  call->channel = channel;
  const std::size_t cost = call->command.size() + kPublishOverheadBytes;
  count(cost);
  start_call({.asked = Asked::kScript, .id = id, .bytes = cost, .call = std::move(call)});
}

void RedisPublisher::call(RedisScript script, Words keys, Words arguments, RedisDone done) {
  auto call = std::make_unique<Call>();
  call->script = script;
  call->command = command_of(script, keys, arguments);
  call->done = std::move(done);
  start_call({.asked = Asked::kScript, .call = std::move(call)});
}

void RedisPublisher::start_call(InFlight one) {
  CHECK(connection_.ready());
  if (again_.empty()) return send_call(std::move(one));
  again_.push_back(std::move(one));
}

void RedisPublisher::send_call(InFlight one) {
  connection_.send_encoded(one.call->command);
  ++scripts_out_;
  in_flight_.push_back(std::move(one));
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
        {error ? reason_of_error(text_of(reply)) : std::string(kNotUnderstood)});
  }
  InFlight one = in_flight_.pop_front();
  switch (one.asked) {
    case Asked::kPublish:
      return publish_answer(one, reply);
    case Asked::kRole:
      return role_answer(reply);
    case Asked::kPing:
      return ping_answer(reply);
    case Asked::kLoad:
      return load_answer(reply);
    case Asked::kScript:
      return script_answer(std::move(one), reply);
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
  if (reply.type != REDIS_REPLY_ERROR) return publish_not_understood(publish);
  publish_error(publish, text_of(reply));
}

void RedisPublisher::publish_not_understood(const InFlight& publish) {
  events_->published(publish.id, PublishOutcome::kUnknownFate, kNotUnderstood, std::nullopt);
  connection_.fail({std::string(kNotUnderstood)});
}

void RedisPublisher::publish_error(const InFlight& publish, std::string_view text) {
  const std::string reason = reason_of_error(text);
  events_->published(publish.id, PublishOutcome::kRefused, printable(text), std::nullopt);
  if (ends_connection(classify_redis_error(text))) return connection_.fail({reason});
  tell_room();
}

// ---- answers of scripts

void RedisPublisher::load_answer(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR) return;
  const std::string_view text = text_of(reply);
  if (ends_connection(classify_redis_error(text))) {
    return connection_.fail({reason_of_error(text)});
  }
  if (std::exchange(context_.scripts_warned, true)) return;
  log_error("{}: no history and no presence, SCRIPT LOAD and EVALSHA are needed. Redis says: {}",
            describe(context_.options), printable(text));
}

void RedisPublisher::script_answer(InFlight one, const redisReply& reply) {
  --scripts_out_;
  if (script_unknown(reply) && one.call->tries < kScriptTriesMax) {
    again_.push_back(std::move(one));
  } else if (one.id != 0) {
    script_published(one, reply);
  } else if (reply.type == REDIS_REPLY_ERROR) {
    const std::string text = printable(text_of(reply));
    const std::string reason = reason_of_error(text_of(reply));
    const bool ends = ends_connection(classify_redis_error(text));
    one.call->done({.problem = text, .lost = ends});
    if (ends) return connection_.fail({reason});
  } else {
    one.call->done({.reply = &reply});
  }
  if (!connection_.closed() && scripts_out_ == 0 && !again_.empty()) call_again();
}

void RedisPublisher::script_published(const InFlight& publish, const redisReply& reply) {
  settle(publish);
  if (reply.type == REDIS_REPLY_ERROR) return publish_error(publish, text_of(reply));
  const std::optional<proto::Position> position = read_position(reply);
  if (!position) return publish_not_understood(publish);
  refuse_overtaken(publish.call->channel);
  events_->published(publish.id, PublishOutcome::kPublished, {}, position);
  tell_room();
}

/// Somebody has loaded the script between two publishes of a channel: to send the first again would
/// turn their order round.
void RedisPublisher::refuse_overtaken(std::string_view channel) {
  std::vector<InFlight> overtaken;
  for (auto it = again_.begin(); it != again_.end();) {
    if (it->id == 0 || it->call->channel != channel) {
      ++it;
      continue;
    }
    overtaken.push_back(std::move(*it));
    it = again_.erase(it);
  }
  // Whoever is told may ask for more.
  for (const InFlight& one : overtaken) {
    settle(one);
    events_->published(one.id, PublishOutcome::kRefused,
                       "Redis had forgotten a script, and a later publish has gone first",
                       std::nullopt);
  }
}

void RedisPublisher::call_again() {
  load_scripts();
  for (InFlight& one : std::exchange(again_, {})) {
    ++one.call->tries;
    send_call(std::move(one));
  }
  tell_room();
}

// ---- other answers

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
