#include "relay/brokers/memory_history.h"

#include <algorithm>
#include <vector>

#include "common/check.h"

namespace sluice::relay {
namespace {

/// Channels looked at in one go for one that may be forgotten: most are not listened to.
constexpr int kForgetTriesMax = 16;

std::uint64_t new_epoch(Random& random) {
  for (;;) {
    if (const std::uint64_t value = random.next(); value != 0) return value;
  }
}

}  // namespace

std::size_t MemoryHistory::Kept::cost() const {
  return sizeof(Kept) + payload.size() + meta.size();
}

MemoryHistory::Channels::value_type& MemoryHistory::channel_for(std::string_view name,
                                                                TimePoint now) {
  if (const auto known = channels_.find(name); known != channels_.end()) return *known;
  auto& fresh = *channels_.emplace(std::string(name), History{}).first;
  fresh.second.top = {new_epoch(random_), 0};
  fresh.second.used_at = now;
  fresh.second.expires_at = now + kMemoryPositionTtl;
  by_use_.emplace(now, &fresh.first);
  by_expiry_.emplace(fresh.second.expires_at, &fresh.first);
  keep_positions_bound(&fresh.first, now);
  return fresh;
}

proto::Position MemoryHistory::position(std::string_view channel, TimePoint now) {
  return channel_for(channel, now).second.top;
}

proto::Position MemoryHistory::add(std::string_view channel, proto::Bytes payload,
                                   proto::Bytes meta, const ChannelOptions& options,
                                   TimePoint now) {
  expire(now);
  auto& place = channel_for(channel, now);
  History& history = place.second;
  ++history.top.offset;
  Kept kept{std::string(proto::as_text(payload)), std::string(proto::as_text(meta))};
  bytes_ += kept.cost();
  history.kept.push_back(std::move(kept));
  while (history.kept.size() > options.history_size) drop_oldest(history);
  set_used(place, now);
  set_expiry(place, history.kept.empty() ? now + kMemoryPositionTtl : now + options.history_ttl);
  const proto::Position top = history.top;
  keep_bytes_bound();
  return top;
}

HistoryAnswer MemoryHistory::find(std::string_view channel, const proto::HistoryQuery& query,
                                  TimePoint now) {
  expire(now);
  HistoryAnswer answer;
  const auto known = channels_.find(channel);
  if (known == channels_.end()) return answer;
  const History& history = known->second;
  answer.top = history.top;
  if (query.since && query.since->epoch != history.top.epoch) return answer;
  const std::uint64_t before = history.top.offset - history.kept.size();  // the first is behind it
  std::uint64_t first = before + 1;
  std::uint64_t end = history.top.offset + 1;
  if (query.since && query.reverse) end = std::min(end, std::max(first, query.since->offset));
  if (query.since && !query.reverse && query.since->offset >= first)
    first = query.since->offset >= history.top.offset ? end : query.since->offset + 1;
  const std::uint64_t count = std::min<std::uint64_t>(end - first, query.limit);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t offset = query.reverse ? end - 1 - i : first + i;
    const Kept& kept = history.kept[offset - before - 1];
    answer.publications.push_back({offset, kept.payload, kept.meta});
  }
  return answer;
}

proto::Position MemoryHistory::remove(std::string_view channel, TimePoint now) {
  auto& place = channel_for(channel, now);
  forget_publications(place);
  place.second.top = {new_epoch(random_), 0};
  set_used(place, now);
  set_expiry(place, now + kMemoryPositionTtl);
  return place.second.top;
}

void MemoryHistory::expire(TimePoint now) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first <= now) {
    const auto found = channels_.find(std::string_view(*by_expiry_.begin()->second));
    CHECK(found != channels_.end());
    const bool was_empty = found->second.kept.empty();
    if (was_empty && !listened_(found->first)) {
      erase(found);
      continue;
    }
    forget_publications(*found);
    set_expiry(*found, now + kMemoryPositionTtl);
  }
}

void MemoryHistory::drop_oldest(History& history) {
  bytes_ -= history.kept.front().cost();
  history.kept.pop_front();
}

void MemoryHistory::forget_publications(Channels::value_type& channel) {
  while (!channel.second.kept.empty()) drop_oldest(channel.second);
  by_use_full_.erase({channel.second.used_at, &channel.first});
}

void MemoryHistory::set_expiry(Channels::value_type& channel, TimePoint at) {
  by_expiry_.erase({channel.second.expires_at, &channel.first});
  channel.second.expires_at = at;
  by_expiry_.emplace(at, &channel.first);
}

void MemoryHistory::set_used(Channels::value_type& channel, TimePoint at) {
  by_use_.erase({channel.second.used_at, &channel.first});
  by_use_full_.erase({channel.second.used_at, &channel.first});
  channel.second.used_at = at;
  by_use_.emplace(at, &channel.first);
  if (!channel.second.kept.empty()) by_use_full_.emplace(at, &channel.first);
}

void MemoryHistory::keep_bytes_bound() {
  while (bytes_ > bounds_.bytes_max && !by_use_full_.empty()) {
    const auto found = channels_.find(std::string_view(*by_use_full_.begin()->second));
    CHECK(found != channels_.end());
    drop_oldest(found->second);
    ++evicted_;
    if (!found->second.kept.empty()) continue;
    forget_publications(*found);
    set_expiry(*found, found->second.used_at + kMemoryPositionTtl);
  }
}

void MemoryHistory::keep_positions_bound(const std::string* fresh, TimePoint now) {
  if (channels_.size() <= bounds_.positions_max) return;
  std::vector<const std::string*> in_use;
  std::vector<const std::string*> unused;
  auto oldest = by_use_.begin();
  for (int tries = 0; tries < kForgetTriesMax && oldest != by_use_.end(); ++tries, ++oldest) {
    if (oldest->second == fresh) continue;
    if (listened_(*oldest->second)) {
      in_use.push_back(oldest->second);
      continue;
    }
    unused.push_back(oldest->second);
    // One more than has come: where a search has found none, the next one makes up for it.
    if (unused.size() == 2 || channels_.size() - unused.size() <= bounds_.positions_max) break;
  }
  // Not in the way of the next search: these are looked at again when all others have been.
  for (const std::string* name : in_use) set_used(*channels_.find(std::string_view(*name)), now);
  for (const std::string* name : unused) {
    const auto found = channels_.find(std::string_view(*name));
    evicted_ += found->second.kept.size();
    erase(found);
  }
}

void MemoryHistory::erase(Channels::iterator channel) {
  forget_publications(*channel);
  by_use_.erase({channel->second.used_at, &channel->first});
  by_expiry_.erase({channel->second.expires_at, &channel->first});
  channels_.erase(channel);
}

}  // namespace sluice::relay
