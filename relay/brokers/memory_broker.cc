#include "relay/brokers/memory_broker.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace sluice::relay {

MemoryBroker::MemoryBroker(std::function<void()> schedule, const TimeSource& time, Random& random,
                           MemoryHistory::Bounds bounds)
    : schedule_(std::move(schedule)),
      time_(time),
      history_(random, bounds, [this](std::string_view name) { return wanted_.contains(name); }) {
}

void MemoryBroker::start(BrokerEvents& events) {
  events_ = &events;
  schedule_();
}

void MemoryBroker::run() {
  if (!std::exchange(connected_, true)) events_->broker_connected();
  const std::vector<std::string> due = std::exchange(unconfirmed_, {});
  for (const std::string& channel : due) {
    const auto wanted = wanted_.find(channel);
    if (wanted == wanted_.end()) continue;
    std::optional<proto::Position> position;
    if (wanted->second.history()) position = history_.position(channel, time_.now());
    events_->subscribed(channel, std::nullopt, position);
  }
}

void MemoryBroker::tick() {
  const TimePoint now = time_.now();
  history_.expire(now);
  while (present_.oldest() != nullptr && now - present_.oldest()->set_at >= kMemoryPresenceTtl)
    (void)present_.take_oldest();
}

void MemoryBroker::subscribe(std::string_view channel, const ChannelOptions& options) {
  if (!wanted_.emplace(channel, options).second) return;
  unconfirmed_.emplace_back(channel);
  schedule_();
}

void MemoryBroker::unsubscribe(std::string_view channel) {
  if (const auto found = wanted_.find(channel); found != wanted_.end()) wanted_.erase(found);
  std::erase(unconfirmed_, channel);
}

bool MemoryBroker::can_publish(std::size_t) const {
  return connected_;
}

void MemoryBroker::publish(PublishId id, std::string_view channel, proto::Bytes payload,
                           proto::Bytes meta, const ChannelOptions& options) {
  std::optional<proto::Position> position;
  if (options.history()) position = history_.add(channel, payload, meta, options, time_.now());
  if (wanted_.contains(channel)) events_->message(channel, payload, meta, position);
  events_->published(id, PublishOutcome::kPublished, {}, position);
}

// ---- history

void MemoryBroker::history(QueryId id, std::string_view channel, const proto::HistoryQuery& query,
                           const ChannelOptions& /*options*/) {
  events_->history(id, history_.find(channel, query, time_.now()));
}

void MemoryBroker::remove_history(QueryId id, std::string_view channel,
                                  const ChannelOptions& /*options*/) {
  HistoryAnswer answer;
  answer.top = history_.remove(channel, time_.now());
  const auto wanted = wanted_.find(channel);
  if (wanted != wanted_.end() && wanted->second.history())
    events_->position_lost(channel, answer.top);
  events_->history(id, std::move(answer));
}

// ---- presence

bool MemoryBroker::update_presence(std::span<const PresenceChange> changes) {
  const TimePoint now = time_.now();
  for (const PresenceChange& change : changes) {
    const PresenceEntry& entry = change.entry;
    // Set again it is the youngest: as if it had not been there.
    (void)present_.clear(change.channel, entry.client);
    if (!change.set || present_.size() >= kMemoryPresenceMax) continue;
    (void)present_.set(change.channel, entry.client, entry.user, entry.info, {.now = now});
  }
  return true;
}

void MemoryBroker::presence(QueryId id, std::string_view channel, bool counts_only) {
  tick();
  PresenceAnswer answer;
  std::unordered_set<std::string_view> users;
  if (const PresenceTable::Room* room = present_.room(channel)) {
    answer.clients = static_cast<std::uint32_t>(room->size());
    for (const auto& [client, entry] : *room) {
      users.insert(entry->user);
      if (!counts_only) answer.entries.push_back({client, entry->user, entry->info});
    }
  }
  answer.users = static_cast<std::uint32_t>(users.size());
  events_->presence(id, std::move(answer));
}

}  // namespace sluice::relay
