// Steps 7 and 8 of a message's path: the port between the Router and whatever joins the hosts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "proto/frame.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

/// Ties the outcome of a publish to its request; given by the Router, unique per process.
using PublishId = std::uint64_t;

enum class PublishOutcome {
  kPublished,
  kUnknownFate,  ///< written, the connection ended before the answer: never sent again
  kRefused,      ///< the broker answered with an error
};

/// What a broker tells. Called from the event loop, never from inside subscribe()/unsubscribe();
/// `memory` may call message() and published() from inside publish().
class BrokerEvents {
 public:
  virtual ~BrokerEvents() = default;
  /// Connected: publishes may be given. Away: reason for people, e.g. "connection refused".
  virtual void broker_connected() = 0;
  virtual void broker_away(std::string_view reason) = 0;
  /// The broker has confirmed the subscription of `channel`: whatever is published from now on
  /// comes. `uncovered` is set when an earlier subscription was lost: how long nobody listened
  /// (unknown content: a gap).
  virtual void subscribed(std::string_view channel, std::optional<Duration> uncovered) = 0;
  /// A message; `position` only from brokers that number messages themselves.
  virtual void message(std::string_view channel, proto::Bytes payload, proto::Bytes meta,
                       std::optional<proto::Position> position) = 0;
  /// The same, assembled in the memory that the ring may keep.
  virtual void message(std::string_view channel, EntryDraft message) = 0;
  /// A message of so many bytes came, which no link carries; nobody holds it.
  virtual void message_oversized(std::string_view channel, std::uint64_t bytes) = 0;
  virtual void published(PublishId id, PublishOutcome outcome, std::string_view detail) = 0;
};

class Broker {
 public:
  virtual ~Broker() = default;
  /// Begins; events come from the loop. `events` outlives the broker.
  virtual void start(BrokerEvents& events) = 0;
  /// Wanted until unsubscribe(); the broker re-subscribes by itself after a loss. Idempotent.
  virtual void subscribe(std::string_view channel) = 0;
  virtual void unsubscribe(std::string_view channel) = 0;
  /// Room for one more publish of this size now: connected, every wanted subscription confirmed
  /// after a reconnection, pipeline below its bound. The caller holds what finds no room; the
  /// broker calls broker_connected() again when room returns.
  [[nodiscard]] virtual bool can_publish(std::size_t payload_bytes) const = 0;
  /// Only after can_publish() said yes. One FIFO: what is given first reaches the broker first.
  virtual void publish(PublishId id, std::string_view channel, proto::Bytes payload,
                       proto::Bytes meta) = 0;
  /// For logs and status, no secrets: "memory:", "redis://user@host:6379/0".
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace sluice::relay
