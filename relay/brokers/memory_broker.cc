#include "relay/brokers/memory_broker.h"

#include <algorithm>
#include <utility>

namespace sluice::relay {

void MemoryBroker::start(BrokerEvents& events) {
  events_ = &events;
  schedule_();
}

void MemoryBroker::run() {
  if (!std::exchange(connected_, true)) events_->broker_connected();
  const std::vector<std::string> due = std::exchange(unconfirmed_, {});
  for (const std::string& channel : due) {
    if (wanted_.contains(channel)) events_->subscribed(channel, std::nullopt, std::nullopt);
  }
}

void MemoryBroker::subscribe(std::string_view channel, const ChannelOptions& /*options*/) {
  if (!wanted_.emplace(channel).second) return;
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
                           proto::Bytes meta, const ChannelOptions& /*options*/) {
  if (wanted_.contains(channel)) events_->message(channel, payload, meta, std::nullopt);
  events_->published(id, PublishOutcome::kPublished, {}, std::nullopt);
}

}  // namespace sluice::relay
