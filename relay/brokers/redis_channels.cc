#include "relay/brokers/redis_channels.h"

#include <utility>

#include "proto/limits.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_keys.h"

namespace sluice::relay {

// ---- wanted

std::vector<std::string> RedisChannels::add(std::string_view channel,
                                            const ChannelOptions& options) {
  const bool envelope = options.history() || options.envelope;
  if (envelope && !enveloped_.contains(channel)) {
    enveloped_.emplace(std::string(channel), options);
    if (options.history()) continuity_.add(channel, options);
  }
  return names_of(channel);
}

std::vector<std::string> RedisChannels::remove(std::string_view channel) {
  std::vector<std::string> names = names_of(channel);
  continuity_.remove(channel);
  if (const auto found = enveloped_.find(channel); found != enveloped_.end()) {
    enveloped_.erase(found);
  }
  return names;
}

std::string RedisChannels::name_of(std::string_view channel) const {
  return redis_channel(channel, enveloped_.contains(channel));
}

std::vector<std::string> RedisChannels::names_of(std::string_view channel) const {
  std::vector<std::string> names;
  // Of a channel with history by its plain name as well, first: what any Redis client publishes
  // there has no place in the history, and is heard beside it.
  if (has_history(channel)) names.push_back(redis_channel(channel, false));
  names.push_back(name_of(channel));
  return names;
}

// ---- heard

void RedisChannels::confirmed(std::string_view name, std::optional<Duration> uncovered) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  // Told when its position is known.
  if (continuity_.has(heard.name)) {
    if (heard.envelope) continuity_.confirmed(heard.name);
    return;
  }
  events_->subscribed(heard.name, uncovered, std::nullopt);
}

void RedisChannels::heard(std::string_view name, proto::Bytes bytes) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  if (heard.envelope) return heard_enveloped(heard.name, bytes);
  if (bytes.size() > proto::kPayloadBytesMax) return plain_oversized(heard.name, bytes.size());
  events_->message(heard.name, bytes, {}, std::nullopt);
}

void RedisChannels::heard(std::string_view name, EntryDraft bytes) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  // The ring keeps payload and meta without the envelope: copied there once more.
  if (heard.envelope) return heard_enveloped(heard.name, bytes.payload());
  const std::size_t size = bytes.payload().size();
  if (size > proto::kPayloadBytesMax) return plain_oversized(heard.name, size);
  events_->message(heard.name, std::move(bytes));
}

void RedisChannels::heard_oversized(std::string_view name, std::uint64_t bytes) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  if (heard.envelope) return oversized(heard.name, bytes);
  plain_oversized(heard.name, bytes);
}

void RedisChannels::heard_enveloped(std::string_view channel, proto::Bytes bytes) {
  const std::optional<RedisEnvelope> envelope = read_envelope(bytes);
  if (!envelope) {
    ++stats_.unreadable;
    return continuity_.suspect(channel);
  }
  if (envelope->payload.size() > proto::kPayloadBytesMax) {
    return oversized(channel, envelope->payload.size());
  }
  if (envelope->position && continuity_.has(channel)) {
    // Nothing was published: the history was removed.
    if (envelope->position->offset == 0) return continuity_.suspect(channel);
    return continuity_.heard(channel, *envelope->position, envelope->payload, envelope->meta);
  }
  events_->message(channel, envelope->payload, envelope->meta, std::nullopt);
}

void RedisChannels::oversized(std::string_view channel, std::uint64_t bytes) {
  if (!continuity_.has(channel)) return plain_oversized(channel, bytes);
  ++stats_.too_large;
  continuity_.suspect(channel);
}

void RedisChannels::plain_oversized(std::string_view channel, std::uint64_t bytes) {
  ++stats_.too_large;
  events_->message_oversized(channel, bytes);
}

}  // namespace sluice::relay
