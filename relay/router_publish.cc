// The way to the broker: at once, or held in order until it can go or its time is up.
#include <algorithm>

#include "common/check.h"
#include "relay/limits.h"
#include "relay/router.h"

namespace sluice::relay {

using proto::ErrorReason;

void Router::publish(GatewayState& gateway, const proto::Publish& p) {
  const PublishRequest origin{gateway.link, p.request, p.acknowledge};
  std::string_view name = p.channel;
  if (p.channel_id != 0) {
    const auto found = gateway.subscriptions.find(p.channel_id);
    if (found == gateway.subscriptions.end()) {
      return refuse(origin, ErrorReason::kUnknownChannel, "no such channel id");
    }
    name = found->second->channel->name;
  }
  submit(origin, name, p.payload, p.meta, std::chrono::milliseconds(p.wait_ms));
}

void Router::submit(const PublishRequest& origin, std::string_view name, proto::Bytes payload,
                    proto::Bytes meta, Duration wait, bool beside) {
  if (payload.size() > options_.payload_bytes_max) {
    return refuse(origin, ErrorReason::kTooLarge, "larger than --max-message-size");
  }
  if (shutting_down_) return refuse(origin, ErrorReason::kShuttingDown, "the relay shuts down");
  const Channel* channel = find_channel(name);
  const bool in_turn =
      !holding_ && (channel == nullptr || channel->confirmed) && !hold_.waits(name);
  if (in_turn && broker_.can_publish(payload.size())) {
    return send_publish(origin, name, payload, meta, beside);
  }
  if (unasked(origin)) return refuse(origin, ErrorReason::kTimedOut, "of no use later");
  HeldPublish held{origin,
                   std::string(name),
                   std::string(proto::as_text(payload)),
                   std::string(proto::as_text(meta)),
                   time_.now() + std::min<Duration>(wait, kPublishWaitMax),
                   beside};
  if (!hold_.push(std::move(held))) {
    refuse(origin, ErrorReason::kQueueFull, "--publish-queue-bytes are waiting already");
  }
}

void Router::send_publish(const PublishRequest& origin, std::string_view channel,
                          proto::Bytes payload, proto::Bytes meta, bool beside) {
  ChannelOptions options = options_now(channel);
  // The way of a channel that has none: heard where the channel is, with what stands beside it.
  if (beside && options.history()) options = {.envelope = true};
  if (unasked(origin)) ++unasked_in_flight_;
  // The answer may come from inside publish().
  broker_.publish(in_flight_.add(origin), channel, payload, meta, options);
}

void Router::hold_publishes(bool on) {
  // What is gathered goes before a program that does not know of it takes over.
  if (on) flush_presence();
  holding_ = on;
}

void Router::release_held() {
  if (hold_.empty() || holding_) return;
  expire_held(time_.now());
  hold_.release(
      [this](const HeldPublish& held) {
        const Channel* channel = find_channel(held.channel);
        if (channel != nullptr && !channel->confirmed) return PublishHold::Verdict::kSkip;
        return broker_.can_publish(held.payload.size()) ? PublishHold::Verdict::kTake
                                                        : PublishHold::Verdict::kStop;
      },
      [this](const HeldPublish& held) {
        send_publish(held.origin, held.channel, proto::as_bytes(held.payload),
                     proto::as_bytes(held.meta), held.beside);
      });
}

void Router::expire_held(TimePoint now) {
  hold_.expire(now, [this](const HeldPublish& held) {
    const Channel* channel = find_channel(held.channel);
    const bool subscribing = broker_connected_ && channel != nullptr && !channel->confirmed;
    refuse(held.origin, ErrorReason::kTimedOut,
           subscribing         ? "the channel's subscription was not confirmed in time"
           : broker_connected_ ? "the broker had no room in time"
                               : "the broker is away");
  });
}

void Router::lose_publishes(const std::vector<PublishRequest>& requests, std::string_view text) {
  for (const PublishRequest& request : requests) {
    refuse(request, ErrorReason::kUnknownFate, text);
    if (!unasked(request)) ++stats_.upgrade_unknown_fate;
  }
}

void Router::shut_down() {
  shutting_down_ = true;
  hold_.clear([this](const HeldPublish& held) {
    refuse(held.origin, ErrorReason::kShuttingDown, "the relay shuts down");
  });
  for (const auto& [link, gateway] : links_) refuse_requests(*gateway);
  end_local_requests();
}

void Router::refuse(const PublishRequest& origin, ErrorReason reason, std::string_view text) {
  if (unasked(origin)) return local_published(origin.request, {reason, {}});  // not counted
  switch (reason) {
    case ErrorReason::kTimedOut:
      ++stats_.publish_timed_out;
      break;
    case ErrorReason::kQueueFull:
      ++stats_.publish_queue_full;
      break;
    case ErrorReason::kTooLarge:
      ++stats_.publish_too_large;
      break;
    case ErrorReason::kUnknownFate:
      ++stats_.publish_unknown_fate;
      break;
    default:
      ++stats_.publish_refused;
      break;
  }
  if (origin.link == kNoLink) return local_published(origin.request, {reason, {}});
  const auto link = links_.find(origin.link);
  if (origin.acknowledge && link != links_.end()) {
    link->second->port->refused(origin.request, reason, text);
  }
}

void Router::published(PublishId id, PublishOutcome outcome, std::string_view detail,
                       std::optional<proto::Position> position) {
  const PublishRequest origin = in_flight_.take(id);
  if (unasked(origin)) --unasked_in_flight_;
  if (outcome != PublishOutcome::kPublished) {
    return refuse(origin,
                  outcome == PublishOutcome::kRefused ? ErrorReason::kRefusedByBroker
                                                      : ErrorReason::kUnknownFate,
                  detail);
  }
  if (!unasked(origin)) ++stats_.published;
  if (origin.link == kNoLink)
    return local_published(origin.request, {{}, position.value_or(proto::Position{})});
  const auto link = links_.find(origin.link);
  if (origin.acknowledge && link != links_.end()) link->second->port->published(origin.request);
}

}  // namespace sluice::relay
