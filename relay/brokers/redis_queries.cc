#include "relay/brokers/redis_queries.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "common/log.h"
#include "relay/brokers/redis_answers.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_error.h"
#include "relay/brokers/redis_keys.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

constexpr std::string_view kNoRoom = "Redis is away, or too much is asked of it";

std::string milliseconds(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return std::to_string(std::max<std::int64_t>(ms, 1));
}

std::string position_ttl(const ChannelOptions& options) {
  return milliseconds(std::max(kHistoryPositionTtl, options.history_ttl));
}

template <typename Strings>
std::vector<std::string_view> views(const Strings& strings) {
  return {std::begin(strings), std::end(strings)};
}

std::vector<std::string> history_arguments(const proto::HistoryQuery& query, bool of_another_all,
                                           std::size_t bytes_max) {
  return {query.since ? epoch_text(query.since->epoch) : "",
          query.since ? std::to_string(query.since->offset) : "",
          std::to_string(query.limit),
          query.reverse ? "1" : "",
          of_another_all ? "1" : "",
          std::to_string(bytes_max),
          std::to_string(proto::kPayloadBytesMax),
          std::to_string(proto::kMetaBytesMax)};
}

std::vector<std::string> presence_arguments(std::string_view answer) {
  return {milliseconds(kRedisPresenceTtl), std::string(answer),
          std::to_string(kPresenceAnswerEntriesMax), std::to_string(kPresenceReplyBytesMax)};
}

}  // namespace

RedisQueries::RedisQueries(RedisContext& context, RedisPublisher& publisher,
                           RedisContinuity& continuity)
    : context_(context),
      publisher_(publisher),
      continuity_(continuity),
      refused_event_(make_event<&RedisQueries::tell_refused>(context.base, -1, 0, this)) {
}

std::string RedisQueries::new_epoch() {
  for (;;) {
    if (const std::uint64_t epoch = context_.random.next(); epoch != 0) return epoch_text(epoch);
  }
}

void RedisQueries::publish(PublishId id, std::string_view channel, proto::Bytes payload,
                           proto::Bytes meta, const ChannelOptions& options) {
  const auto keys = history_keys(channel);
  const std::string name = redis_channel(channel, true);
  const std::string epoch = new_epoch();
  const std::string size = std::to_string(options.history_size);
  const std::string ttl = milliseconds(options.history_ttl);
  const std::string position = position_ttl(options);
  const std::string_view arguments[] = {
      name, epoch, size, ttl, position, proto::as_text(payload), proto::as_text(meta)};
  publisher_.publish(id, channel, views(keys), arguments);
}

// ---- reading for the Router

bool RedisQueries::takes_one() const {
  return publisher_.ready() && in_flight() < kQueriesInFlightMax;
}

void RedisQueries::history(QueryId id, std::string_view channel, const proto::HistoryQuery& query) {
  const auto keys = history_keys(channel);
  read({.kind = Kind::kHistory,
        .id = id,
        .script = RedisScript::kHistory,
        .keys = {keys.begin(), keys.end()},
        .arguments = history_arguments(query, false, kHistoryReplyBytesMax),
        .reverse = query.reverse});
}

void RedisQueries::presence(QueryId id, std::string_view channel, bool counts_only) {
  const auto keys = presence_keys(channel);
  read({.kind = Kind::kPresence,
        .id = id,
        .script = RedisScript::kPresence,
        .keys = {keys.begin(), keys.end()},
        .arguments = presence_arguments(counts_only ? "counts" : "entries")});
}

void RedisQueries::read(Read one) {
  if (!takes_one()) return refuse(one.kind, one.id);
  if (reads_out_ < kReadsInFlightMax) return send(one);
  waiting_.push_back(std::move(one));
}

void RedisQueries::send(const Read& one) {
  ++reads_out_;
  const QueryId id = one.id;
  if (one.kind == Kind::kHistory) {
    publisher_.call(one.script, views(one.keys), views(one.arguments),
                    [this, id, reverse = one.reverse](const RedisAnswer& answer) {
                      --reads_out_;
                      history_done(id, reverse, answer);
                      read_done();
                    });
  } else {
    publisher_.call(one.script, views(one.keys), views(one.arguments),
                    [this, id](const RedisAnswer& answer) {
                      --reads_out_;
                      presence_done(id, answer);
                      read_done();
                    });
  }
}

void RedisQueries::read_done() {
  while (publisher_.ready() && reads_out_ < kReadsInFlightMax && !waiting_.empty()) {
    const Read next = std::move(waiting_.front());
    waiting_.pop_front();
    send(next);
  }
}

void RedisQueries::history_done(QueryId id, bool reverse, const RedisAnswer& answer) {
  if (answer.reply == nullptr) return fail(Kind::kHistory, id, answer.problem);
  auto history = read_history(*answer.reply, reverse);
  if (!history) return fail(Kind::kHistory, id, kNotUnderstood);
  events_->history(id, *std::move(history));
}

void RedisQueries::presence_done(QueryId id, const RedisAnswer& answer) {
  if (answer.reply == nullptr) return fail(Kind::kPresence, id, answer.problem);
  auto presence = read_presence(*answer.reply);
  if (!presence) return fail(Kind::kPresence, id, kNotUnderstood);
  events_->presence(id, *std::move(presence));
}

void RedisQueries::remove_history(QueryId id, std::string_view channel,
                                  const ChannelOptions& options) {
  if (!takes_one()) return refuse(Kind::kHistory, id);
  const auto keys = history_keys(channel);
  const std::string epoch = new_epoch();
  const std::string ttl = position_ttl(options);
  const std::string name = redis_channel(channel, true);
  const std::string_view arguments[] = {epoch, ttl, name};
  ++writes_out_;
  publisher_.call(RedisScript::kRemove, views(keys), arguments,
                  [this, id](const RedisAnswer& answer) {
                    --writes_out_;
                    history_done(id, false, answer);
                  });
}

// ---- what is not answered by Redis

void RedisQueries::refuse(Kind kind, QueryId id) {
  refused_.push_back({kind, id});
  event_active(refused_event_.get(), EV_TIMEOUT, 0);
}

void RedisQueries::tell_refused() {
  for (const Refused& one : std::exchange(refused_, {})) fail(one.kind, one.id, kNoRoom);
}

void RedisQueries::link_lost(std::string_view reason) {
  for (const Read& one : std::exchange(waiting_, {})) fail(one.kind, one.id, reason);
}

void RedisQueries::fail(Kind kind, QueryId id, std::string_view problem) {
  if (kind == Kind::kHistory) {
    HistoryAnswer answer;
    answer.error = problem;
    return events_->history(id, std::move(answer));
  }
  PresenceAnswer answer;
  answer.error = problem;
  events_->presence(id, std::move(answer));
}

// ---- presence

bool RedisQueries::update_presence(std::span<const PresenceChange> changes) {
  if (!publisher_.ready() || presence_bytes_ > kPresenceBytesInFlightMax) return false;
  std::map<std::string_view, std::vector<const PresenceChange*>> by_channel;
  for (const PresenceChange& change : changes) by_channel[change.channel].push_back(&change);
  for (const auto& [channel, all] : by_channel) {
    for (std::size_t begin = 0; begin < all.size(); begin += kPresenceChangesPerCallMax) {
      const std::size_t count = std::min(kPresenceChangesPerCallMax, all.size() - begin);
      set_presence(channel, std::span(all).subspan(begin, count));
    }
  }
  return true;
}

void RedisQueries::set_presence(std::string_view channel,
                                std::span<const PresenceChange* const> changes) {
  const auto keys = presence_keys(channel);
  std::vector<std::string> arguments = presence_arguments("none");
  std::size_t bytes = kPublishOverheadBytes;
  for (const PresenceChange* change : changes) {
    arguments.emplace_back(change->set ? "1" : "0");
    arguments.push_back(change->entry.client);
    arguments.push_back(change->set ? presence_value(change->entry) : std::string());
    bytes += arguments.back().size() + change->entry.client.size() + kPublishOverheadBytes;
  }
  presence_bytes_ += bytes;
  // Set again before it expires: what fails now is made good then.
  publisher_.call(RedisScript::kPresence, views(keys), views(arguments),
                  [this, bytes](const RedisAnswer& answer) {
                    presence_bytes_ -= bytes;
                    if (answer.reply == nullptr && !answer.lost) {
                      ++context_.stats.presence_updates_failed;
                    }
                  });
}

// ---- for the continuity

void RedisQueries::ask_position(RedisAsk ask, std::string_view channel,
                                const ChannelOptions& options,
                                std::optional<proto::Position> heard) {
  const auto keys = history_keys(channel);
  const std::string arguments[] = {new_epoch(), position_ttl(options),
                                   heard ? epoch_text(heard->epoch) : "",
                                   std::to_string(heard ? heard->offset : 0)};
  publisher_.call(RedisScript::kPosition, views(keys), views(arguments),
                  [this, ask, name = std::string(channel)](const RedisAnswer& answer) {
                    if (answer.reply == nullptr) return asked_failed(ask, name, answer);
                    const auto top = read_position(*answer.reply);
                    if (!top) return asked_failed(ask, name, {.problem = kNotUnderstood});
                    failure_told_ = false;
                    continuity_.position(name, ask, *top);
                  });
}

void RedisQueries::ask_missing(RedisAsk ask, std::string_view channel,
                               const ChannelOptions& /*options*/, proto::Position since) {
  const auto keys = history_keys(channel);
  const proto::HistoryQuery query{.since = since, .limit = kFetchPublicationsMax};
  const auto arguments = history_arguments(query, true, kFetchReplyBytesMax);
  publisher_.call(RedisScript::kHistory, views(keys), views(arguments),
                  [this, ask, name = std::string(channel)](const RedisAnswer& answer) {
                    if (answer.reply == nullptr) return asked_failed(ask, name, answer);
                    const auto history = read_history(*answer.reply, false);
                    if (!history) return asked_failed(ask, name, {.problem = kNotUnderstood});
                    continuity_.missing(name, ask, history->top, history->publications);
                  });
}

void RedisQueries::asked_failed(RedisAsk ask, std::string_view channel, const RedisAnswer& answer) {
  if (answer.lost) {
    continuity_.set_usable(false);
  } else {
    ++context_.stats.history_questions_failed;
    if (!std::exchange(failure_told_, true)) {
      log_error("history of channel {} can't be read, trying again: Redis says: {}",
                printable(channel), printable(answer.problem));
    }
  }
  continuity_.failed(channel, ask, answer.lost);
}

}  // namespace sluice::relay
