#include "relay/brokers/redis_channels.h"

#include <utility>

#include "proto/limits.h"
#include "relay/brokers/redis_envelope.h"
#include "relay/brokers/redis_keys.h"

namespace sluice::relay {

// ---- wanted

std::string RedisChannels::add(std::string_view channel, const ChannelOptions& options) {
  const bool envelope = options.history() || options.envelope;
  if (envelope && !enveloped_.contains(channel)) {
    enveloped_.emplace(std::string(channel), options);
    if (options.history()) continuity_.add(channel, options);
  }
  return name_of(channel);
}

std::string RedisChannels::remove(std::string_view channel) {
  std::string name = name_of(channel);
  continuity_.remove(channel);
  if (const auto found = enveloped_.find(channel); found != enveloped_.end()) {
    enveloped_.erase(found);
  }
  return name;
}

std::string RedisChannels::name_of(std::string_view channel) const {
  return redis_channel(channel, enveloped_.contains(channel));
}

// ---- heard

void RedisChannels::confirmed(std::string_view name, std::optional<Duration> uncovered) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  // Told when its position is known.
  if (heard.envelope && continuity_.has(heard.name)) return continuity_.confirmed(heard.name);
  events_->subscribed(heard.name, uncovered, std::nullopt);
}

void RedisChannels::heard(std::string_view name, proto::Bytes bytes) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  if (heard.envelope) return heard_enveloped(heard.name, bytes);
  if (bytes.size() > proto::kPayloadBytesMax) return oversized(heard.name, bytes.size());
  events_->message(heard.name, bytes, {}, std::nullopt);
}

void RedisChannels::heard(std::string_view name, EntryDraft bytes) {
  const HeardChannel heard = heard_channel(name, text_);
  if (heard.name.empty()) return;
  // The ring keeps payload and meta without the envelope: copied there once more.
  if (heard.envelope) return heard_enveloped(heard.name, bytes.payload());
  const std::size_t size = bytes.payload().size();
  if (size > proto::kPayloadBytesMax) return oversized(heard.name, size);
  events_->message(heard.name, std::move(bytes));
}

void RedisChannels::heard_oversized(std::string_view name, std::uint64_t bytes) {
  const HeardChannel heard = heard_channel(name, text_);
  if (!heard.name.empty()) oversized(heard.name, bytes);
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
    return continuity_.heard(channel, *envelope->position, envelope->payload, envelope->meta);
  }
  events_->message(channel, envelope->payload, envelope->meta, std::nullopt);
}

void RedisChannels::oversized(std::string_view channel, std::uint64_t bytes) {
  ++stats_.too_large;
  if (continuity_.has(channel)) return continuity_.suspect(channel);
  events_->message_oversized(channel, bytes);
}

}  // namespace sluice::relay
