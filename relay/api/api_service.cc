#include "relay/api/api_service.h"

#include <memory>
#include <utility>

#include "proto/names.h"
#include "relay/api/answers.h"
#include "relay/api/batch_run.h"
#include "relay/api/gather.h"
#include "relay/api/params.h"

namespace sluice::relay::api {
namespace {

ApiReply failure(ApiError error) {
  return {std::move(error), {}};
}

ApiReply success(std::string result = "{}") {
  return {{}, std::move(result)};
}

/// The broker's text is for people who know it.
ApiReply broker_failure(const std::string& text) {
  return failure({ErrorNumber::kInternal, text});
}

}  // namespace

ApiService::ApiService(LocalRequests& requests, Cluster& cluster, const RulesStore* rules,
                       const TimeSource& time, std::function<std::int64_t()> wall_ms)
    : requests_(requests),
      cluster_(cluster),
      rules_(rules),
      wall_ms_(std::move(wall_ms)),
      results_(time) {
}

void ApiService::call(ApiMethod method, std::string_view params, Done done) {
  run(method, params, [this, method, done = std::move(done)](const ApiReply& reply) {
    MethodStats& stats = stats_[static_cast<std::size_t>(method)];
    ++(reply.failed() ? stats.failed : stats.succeeded);
    done(reply);
  });
}

void ApiService::run(ApiMethod method, std::string_view params, const Done& done) {
  // `info` and `channels` need no parameters, so that nothing has to be sent.
  Params read = Params::parse(params.empty() ? "{}" : params);
  if (!read.good()) return done(failure(read.fault()));
  switch (method) {
    case ApiMethod::kPublish:
      return publish(read_publish(std::move(read)), done);
    case ApiMethod::kBroadcast:
      return broadcast(read_broadcast(std::move(read)), done);
    case ApiMethod::kSubscribe:
      return command(read_subscribe(std::move(read)), done);
    case ApiMethod::kUnsubscribe:
      return command(read_unsubscribe(std::move(read)), done);
    case ApiMethod::kDisconnect:
      return command(read_disconnect(std::move(read)), done);
    case ApiMethod::kRefresh:
      return command(read_refresh(std::move(read)), done);
    case ApiMethod::kPresence:
      return presence(read_channel(std::move(read)), false, done);
    case ApiMethod::kPresenceStats:
      return presence(read_channel(std::move(read)), true, done);
    case ApiMethod::kHistory:
      return history(read_history(std::move(read)), done);
    case ApiMethod::kHistoryRemove:
      return history_remove(read_channel(std::move(read)), done);
    case ApiMethod::kChannels:
      return channels(read_pattern(std::move(read)), done);
    case ApiMethod::kInfo:
      return info(done);
    case ApiMethod::kBatch:
      return batch(read_batch(std::move(read)), done);
  }
}

// ---- rules

ApiResult<ChannelRules> ApiService::rules_of(const std::string& channel) const {
  if (!proto::is_public_name(channel))
    return refuse(ErrorNumber::kBadRequest, "channel is no valid name");
  if (rules_ == nullptr) return ChannelRules{};
  const ChannelRules* rules = rules_->now().find(channel);
  if (rules == nullptr) return refuse(ErrorNumber::kUnknownChannel);
  return *rules;
}

ApiResult<ChannelRules> ApiService::rules_with_history(const std::string& channel) const {
  auto rules = rules_of(channel);
  if (rules && rules->history_size == 0)
    return refuse(ErrorNumber::kNotAvailable, "the channel has no history");
  return rules;
}

ApiResult<std::string> ApiService::meta_of(const Publication& publication,
                                           const ChannelRules& rules) const {
  // Where messages travel without an envelope nothing else reaches the clients.
  if (rules.history_size == 0 && !rules.publisher_info) {
    if (publication.tags.empty()) return std::string();
    return refuse(ErrorNumber::kNotAvailable,
                  "tags need a channel with a history or with publisher_info");
  }
  envelope::MessageMeta meta;
  for (const auto& [key, value] : publication.tags) (*meta.mutable_tags())[key] = value;
  meta.set_time_ms(wall_ms_());
  std::string bytes = meta.SerializeAsString();
  if (bytes.size() > proto::kMetaBytesMax)
    return refuse(ErrorNumber::kBadRequest,
                  "tags have more than " + std::to_string(proto::kMetaBytesMax) + " bytes");
  return bytes;
}

// ---- publishing

void ApiService::publish(ApiResult<PublishParams> params, const Done& done) {
  if (!params) return done(failure(params.error()));
  publish_one(params->channels.front(), params->publication, done);
}

void ApiService::broadcast(ApiResult<PublishParams> params, const Done& done) {
  if (!params) return done(failure(params.error()));
  auto gather = std::make_shared<Gather>(
      params->channels.size(), [done](const std::vector<std::string>& responses) {
        done(success("{\"responses\":" + json_array(responses) + "}"));
      });
  for (std::size_t i = 0; i < params->channels.size(); ++i) {
    publish_one(params->channels[i], params->publication, [gather, i](const ApiReply& reply) {
      gather->set(i, reply_json(ApiMethod::kPublish, reply));
    });
  }
}

void ApiService::publish_one(const std::string& channel, const Publication& publication,
                             const Done& done) {
  const std::string& key = publication.idempotency_key;
  if (key.empty()) return publish_now(channel, publication, done);
  switch (results_.begin(channel, key, done)) {
    case IdempotencyCache::Seen::kKnown:
    case IdempotencyCache::Seen::kWaiting:
      return;
    case IdempotencyCache::Seen::kFull:
      return done(failure({ErrorNumber::kTooManyRequests, "too many keys under way"}));
    case IdempotencyCache::Seen::kNew:
      break;
  }
  publish_now(channel, publication, [this, channel, key, done](const ApiReply& reply) {
    results_.finish(channel, key, reply);
    done(reply);
  });
}

void ApiService::publish_now(const std::string& channel, const Publication& publication,
                             const Done& done) {
  const auto rules = rules_of(channel);
  if (!rules) return done(failure(rules.error()));
  const auto meta = meta_of(publication, *rules);
  if (!meta) return done(failure(meta.error()));
  requests_.publish({.channel = channel,
                     .payload = proto::as_bytes(publication.payload),
                     .meta = proto::as_bytes(*meta),
                     .wait = kPublishWait,
                     .skip_history = publication.skip_history},
                    [done](const LocalPublished& published) {
                      if (published.error != proto::ErrorReason{})
                        return done(failure(error_of(published.error)));
                      done(success(published_json(published.position)));
                    });
}

// ---- clients

void ApiService::command(ApiResult<ClientCommand> params, const Done& done) {
  if (!params) return done(failure(params.error()));
  if (!params->channel.empty()) {
    const auto rules = rules_of(params->channel);
    if (!rules) return done(failure(rules.error()));
  }
  cluster_.command(std::move(params->command), [done](const ApiError& error) {
    done(error.number == ErrorNumber::kNone ? success() : failure(error));
  });
}

void ApiService::channels(const ApiResult<std::string>& pattern, const Done& done) {
  if (!pattern) return done(failure(pattern.error()));
  cluster_.ask_channels(
      *pattern, [done](const ApiError& error) { done(failure(error)); },
      [done](const SurveyResult& result) { done(success(channels_json(result))); });
}

void ApiService::info(const Done& done) {
  cluster_.refresh_self();
  done(success(info_json(cluster_.nodes())));
}

// ---- what channels hold

void ApiService::presence(const ApiResult<std::string>& channel, bool counts_only,
                          const Done& done) {
  if (!channel) return done(failure(channel.error()));
  const auto rules = rules_of(*channel);
  if (!rules) return done(failure(rules.error()));
  if (!rules->presence_on)
    return done(failure({ErrorNumber::kNotAvailable, "the channel keeps no presence"}));
  requests_.presence(*channel, counts_only, [counts_only, done](const PresenceAnswer& answer) {
    if (!answer.error.empty()) return done(broker_failure(answer.error));
    done(success(counts_only ? presence_stats_json(answer) : presence_json(answer)));
  });
}

void ApiService::history(const ApiResult<HistoryParams>& params, const Done& done) {
  if (!params) return done(failure(params.error()));
  const auto rules = rules_with_history(params->channel);
  if (!rules) return done(failure(rules.error()));
  ask_history(params->channel, params->query, done);
}

void ApiService::ask_history(const std::string& channel, const proto::HistoryQuery& query,
                             const Done& done) {
  requests_.history(channel, query, [this, channel, query, done](const HistoryAnswer& answer) {
    if (!answer.error.empty()) return done(broker_failure(answer.error));
    if (query.since && query.since->epoch == 0 && answer.top.epoch != 0) {
      // Since an offset of whatever epoch there is: the first answer says which.
      proto::HistoryQuery of_this_epoch = query;
      of_this_epoch.since->epoch = answer.top.epoch;
      return ask_history(channel, of_this_epoch, done);
    }
    done(success(history_json(answer)));
  });
}

void ApiService::history_remove(const ApiResult<std::string>& channel, const Done& done) {
  if (!channel) return done(failure(channel.error()));
  const auto rules = rules_with_history(*channel);
  if (!rules) return done(failure(rules.error()));
  requests_.remove_history(*channel, [done](const HistoryAnswer& answer) {
    done(answer.error.empty() ? success() : broker_failure(answer.error));
  });
}

void ApiService::batch(ApiResult<BatchParams> params, const Done& done) {
  if (!params) return done(failure(params.error()));
  auto run = std::make_shared<BatchRun>(
      *std::move(params),
      [this](ApiMethod method, std::string_view text, BatchRun::Done ended) {
        call(method, text, std::move(ended));
      },
      done);
  run->start();
}

}  // namespace sluice::relay::api
