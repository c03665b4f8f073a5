// Steps 7 and 8 of a message's path: the port between the Router and whatever joins the hosts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "proto/frame.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

/// Ties the outcome of a publish to its request; given by the Router, unique per process.
using PublishId = std::uint64_t;

/// Ties an answer to what was asked of history or presence; given by the Router.
using QueryId = std::uint64_t;

/// How a broker carries a channel. Constant while the channel is subscribed; the Router asks the
/// rules (ChannelPolicy).
struct ChannelOptions {
  std::uint32_t history_size = 0;  ///< publications kept at most; 0: no history
  Duration history_ttl{};          ///< and for so long behind the last
  /// `meta` goes along, so a shared broker needs an envelope around the payload. Implied by
  /// history.
  bool envelope = false;
  [[nodiscard]] bool history() const { return history_size > 0; }
  friend bool operator==(const ChannelOptions&, const ChannelOptions&) = default;
};

/// Who knows what the channels are like: the rules, in the relay.
class ChannelPolicy {
 public:
  virtual ~ChannelPolicy() = default;
  /// Also of internal names (proto/names.h): those have neither history nor envelope.
  [[nodiscard]] virtual ChannelOptions options(std::string_view channel) const = 0;
};

struct HistoryPublication {
  std::uint64_t offset = 0;
  std::string payload;
  std::string meta;
};

struct HistoryAnswer {
  std::string error;    ///< empty: none; else for people, and nothing else counts
  proto::Position top;  ///< epoch 0: the channel has none yet
  std::vector<HistoryPublication> publications;
};

struct PresenceEntry {
  std::string client;
  std::string user;
  std::string info;  ///< envelope.proto, Client
};

/// One of a batch. The broker forgets an entry kPresenceTtl after it was last set.
struct PresenceChange {
  std::string channel;
  PresenceEntry entry;  ///< of a cleared one: client and user count
  bool set = true;
};

struct PresenceAnswer {
  std::string error;  ///< as in HistoryAnswer
  std::uint32_t clients = 0;
  std::uint32_t users = 0;
  std::vector<PresenceEntry> entries;  ///< unless counts_only
};

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
  /// (unknown content: a gap). `position`: of a channel with history, where its stream stands: what
  /// comes next is offset + 1. After a loss that the history has filled (the missing messages came
  /// as message() before this) position goes on where it was, and `uncovered` is not set.
  virtual void subscribed(std::string_view channel, std::optional<Duration> uncovered,
                          std::optional<proto::Position> position) = 0;
  /// A message; `position` only of channels with history. Within an epoch such offsets come +1
  /// each: the broker drops what comes twice and fetches what is missing before it tells more. On
  /// a channel with history one without a position stands beside the history: published past it.
  virtual void message(std::string_view channel, proto::Bytes payload, proto::Bytes meta,
                       std::optional<proto::Position> position) = 0;
  /// The same, assembled in the memory that the ring may keep.
  virtual void message(std::string_view channel, EntryDraft message) = 0;
  /// A message of so many bytes came, which no link carries; nobody holds it.
  virtual void message_oversized(std::string_view channel, std::uint64_t bytes) = 0;
  /// A channel with history goes on behind this position, and what was missing can't be had:
  /// same epoch: messages up to it are gone; another: the history was lost or removed.
  virtual void position_lost(std::string_view channel, proto::Position position) = 0;
  /// `position`: of what was published, on channels with history.
  virtual void published(PublishId id, PublishOutcome outcome, std::string_view detail,
                         std::optional<proto::Position> position) = 0;
  // Each query ends in one of these, from the loop; `memory` may answer from inside.
  virtual void history(QueryId id, HistoryAnswer answer) = 0;
  virtual void presence(QueryId id, PresenceAnswer answer) = 0;
};

class Broker {
 public:
  virtual ~Broker() = default;
  /// Begins; events come from the loop. `events` outlives the broker.
  virtual void start(BrokerEvents& events) = 0;
  /// Wanted until unsubscribe(); the broker re-subscribes by itself after a loss. Idempotent.
  virtual void subscribe(std::string_view channel, const ChannelOptions& options) = 0;
  virtual void unsubscribe(std::string_view channel) = 0;
  /// Room for one more publish of this size now: connected, every wanted subscription confirmed
  /// after a reconnection, pipeline below its bound. The caller holds what finds no room; the
  /// broker calls broker_connected() again when room returns.
  [[nodiscard]] virtual bool can_publish(std::size_t payload_bytes) const = 0;
  /// Only after can_publish() said yes. One FIFO: what is given first reaches the broker first.
  /// Without envelope a shared broker does not carry `meta`. Without history in the options of a
  /// channel that has one: heard beside it.
  virtual void publish(PublishId id, std::string_view channel, proto::Bytes payload,
                       proto::Bytes meta, const ChannelOptions& options) = 0;
  /// What a channel with history holds. Bounded by kQueriesInFlightMax: over it, and while away,
  /// the answer is an error.
  virtual void history(QueryId id, std::string_view channel, const proto::HistoryQuery& query,
                       const ChannelOptions& options) = 0;
  /// Removes it; the epoch ends. Answered by history(), with no publications.
  virtual void remove_history(QueryId id, std::string_view channel,
                              const ChannelOptions& options) = 0;
  /// In order; nothing is answered. While away: false, and nothing is done; the caller sets all
  /// of its entries again when broker_connected() comes, and every kPresenceRefresh.
  [[nodiscard]] virtual bool update_presence(std::span<const PresenceChange> changes) = 0;
  virtual void presence(QueryId id, std::string_view channel, bool counts_only) = 0;
  /// For logs and status, no secrets: "memory:", "redis://user@host:6379/0".
  [[nodiscard]] virtual std::string describe() const = 0;
};

}  // namespace sluice::relay
