#include "relay/api/idempotency_cache.h"

#include <utility>

#include "relay/api/limits.h"

namespace sluice::relay::api {

std::string IdempotencyCache::name_of(std::string_view channel, std::string_view key) {
  // No channel has this byte, so no two pairs have one name.
  return std::string(channel).append(1, '\0').append(key);
}

void IdempotencyCache::expire() {
  const TimePoint now = time_.now();
  while (!finished_.empty()) {
    const auto oldest = entries_.find(finished_.front());
    if (now - oldest->second.finished_at < kIdempotencyTtl) return;
    entries_.erase(oldest);
    finished_.pop_front();
  }
}

bool IdempotencyCache::make_room() {
  if (entries_.size() < kIdempotencyKeysMax) return true;
  if (finished_.empty()) return false;
  entries_.erase(finished_.front());
  finished_.pop_front();
  return true;
}

IdempotencyCache::Seen IdempotencyCache::begin(std::string_view channel, std::string_view key,
                                               const Done& done) {
  expire();
  const std::string name = name_of(channel, key);
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    if (!make_room()) return Seen::kFull;
    entries_.emplace(name, Entry{});
    return Seen::kNew;
  }
  if (!found->second.finished) {
    found->second.waiting.push_back(done);
    return Seen::kWaiting;
  }
  const ApiReply reply = found->second.reply;
  done(reply);
  return Seen::kKnown;
}

void IdempotencyCache::finish(std::string_view channel, std::string_view key,
                              const ApiReply& reply) {
  const auto found = entries_.find(name_of(channel, key));
  if (found == entries_.end() || found->second.finished) return;
  const std::vector<Done> waiting = std::exchange(found->second.waiting, {});
  if (reply.failed()) {
    entries_.erase(found);
  } else {
    Entry& entry = found->second;
    entry.finished = true;
    entry.reply = reply;
    entry.finished_at = time_.now();
    finished_.push_back(found->first);
  }
  for (const Done& done : waiting) done(reply);
}

}  // namespace sluice::relay::api
