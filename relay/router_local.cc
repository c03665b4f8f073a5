// What parts of the relay itself ask (local_requests.h): no link, but the same bounds.
#include <utility>

#include "common/check.h"
#include "relay/limits.h"
#include "relay/router.h"

namespace sluice::relay {
namespace {

constexpr const char* kTooMany = "too many questions are under way";

bool is_name(std::string_view channel) {
  return !channel.empty() && channel.size() <= proto::kChannelNameBytesMax;
}

}  // namespace

void Router::publish(const LocalPublish& p, std::function<void(const LocalPublished&)> done) {
  const PublishRequest origin{kNoLink, next_local_publish_++, p.wait > Duration::zero()};
  local_publishes_.emplace(origin.request, std::move(done));
  if (!is_name(p.channel))
    return refuse(origin, proto::ErrorReason::kUnknownChannel, "no such channel name");
  if (p.meta.size() > proto::kMetaBytesMax)
    return refuse(origin, proto::ErrorReason::kTooLarge, "what stands beside it is too long");
  submit(origin, p.channel, p.payload, p.meta, p.wait, p.skip_history);
}

void Router::local_published(std::uint64_t id, const LocalPublished& outcome) {
  const auto found = local_publishes_.find(id);
  if (found == local_publishes_.end()) return;  // of the program before
  const auto done = std::move(found->second);
  local_publishes_.erase(found);
  done(outcome);
}

std::optional<QueryId> Router::add_local_query(Query query) {
  if (shutting_down_ || local_queries_ >= kLocalQueriesMax) return std::nullopt;
  ++local_queries_;
  const QueryId id = next_query_++;
  queries_.emplace(id, std::move(query));
  return id;
}

void Router::history(std::string_view channel, const proto::HistoryQuery& query,
                     std::function<void(const HistoryAnswer&)> done) {
  const ChannelOptions options = options_now(channel);
  if (!is_name(channel) || !options.history()) {
    const Channel* known = find_channel(channel);
    HistoryAnswer answer;
    if (known != nullptr && known->confirmed) answer.top = known->top;
    return done(answer);
  }
  // A copy: of no use to the one that is asked.
  const auto refused = done;
  const auto id =
      add_local_query(Query{.asked = {}, .history_done = std::move(done), .presence_done = {}});
  if (!id) return refused(HistoryAnswer{.error = kTooMany, .top = {}, .publications = {}});
  broker_.history(*id, channel, query, options);
}

void Router::remove_history(std::string_view channel,
                            std::function<void(const HistoryAnswer&)> done) {
  const ChannelOptions options = options_now(channel);
  if (!is_name(channel) || !options.history()) return done(HistoryAnswer{});
  const auto refused = done;
  const auto id =
      add_local_query(Query{.asked = {}, .history_done = std::move(done), .presence_done = {}});
  if (!id) return refused(HistoryAnswer{.error = kTooMany, .top = {}, .publications = {}});
  broker_.remove_history(*id, channel, options);
}

void Router::presence(std::string_view channel, bool counts_only,
                      std::function<void(const PresenceAnswer&)> done) {
  if (!is_name(channel)) return done(PresenceAnswer{});
  const auto refused = done;
  const auto id =
      add_local_query(Query{.asked = {}, .history_done = {}, .presence_done = std::move(done)});
  if (!id) return refused(PresenceAnswer{.error = kTooMany, .entries = {}});
  // Whoever asks knows what was said before.
  flush_presence();
  broker_.presence(*id, channel, counts_only);
}

void Router::listen(std::string_view name, std::function<void(proto::Bytes payload)> heard) {
  CHECK(is_name(name));
  const auto [listener, fresh] = listeners_.emplace(std::string(name), std::move(heard));
  CHECK(fresh);
  Channel* channel = find_channel(name);
  if (channel == nullptr) channel = &add_channel(name);
  // One that an earlier program has left may be idle.
  if (channel->subscribers.empty()) idle_.erase({channel->idle_since, channel});
  channel->heard = &listener->second;
}

void Router::end_local_requests() {
  // Callbacks may ask again: what they ask is refused at once.
  for (auto& [id, done] : std::exchange(local_publishes_, {}))
    done({proto::ErrorReason::kUnknownFate, {}});
  std::vector<Query> queries;
  for (auto query = queries_.begin(); query != queries_.end();) {
    if (query->second.link != kNoLink) {
      ++query;
      continue;
    }
    queries.push_back(std::move(query->second));
    query = queries_.erase(query);
  }
  local_queries_ = 0;
  constexpr const char* kEnds = "the relay shuts down";
  for (const Query& query : queries) {
    if (query.history_done)
      query.history_done(HistoryAnswer{.error = kEnds, .top = {}, .publications = {}});
    if (query.presence_done) query.presence_done(PresenceAnswer{.error = kEnds, .entries = {}});
  }
}

}  // namespace sluice::relay
