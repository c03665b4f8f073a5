// Steps 7 and 8 of a message's path, embedded: what is published goes to this relay's own
// subscribers. History and presence are kept in memory. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/memory_history.h"
#include "relay/presence_table.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

/// An entry that was not set again for so long is forgotten.
inline constexpr Duration kMemoryPresenceTtl = std::chrono::seconds(60);
/// Clients × channels, of all gateways; what is set beyond it is not kept.
inline constexpr std::size_t kMemoryPresenceMax = 4'000'000;

class MemoryBroker final : public Broker {
  friend struct MemoryBrokerCodec;  // handover/

 public:
  /// `schedule` is called when run() has something to do; run() must then be called from the loop,
  /// not from inside.
  MemoryBroker(std::function<void()> schedule, const TimeSource& time, Random& random,
               MemoryHistory::Bounds bounds = {});

  /// Tells what start() and subscribe() owe.
  void run();
  /// Call from time to time: what is too old goes.
  void tick();

  void start(BrokerEvents& events) override;
  void subscribe(std::string_view channel, const ChannelOptions& options) override;
  void unsubscribe(std::string_view channel) override;
  [[nodiscard]] bool can_publish(std::size_t payload_bytes) const override;
  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               const ChannelOptions& options) override;
  void history(QueryId id, std::string_view channel, const proto::HistoryQuery& query,
               const ChannelOptions& options) override;
  void remove_history(QueryId id, std::string_view channel, const ChannelOptions& options) override;
  [[nodiscard]] bool update_presence(std::span<const PresenceChange> changes) override;
  void presence(QueryId id, std::string_view channel, bool counts_only) override;
  [[nodiscard]] std::string describe() const override { return "memory:"; }

  [[nodiscard]] const MemoryHistory& histories() const { return history_; }
  [[nodiscard]] std::size_t presence_entries() const { return present_.size(); }

 private:
  std::function<void()> schedule_;
  const TimeSource& time_;
  MemoryHistory history_;
  PresenceTable present_;
  BrokerEvents* events_ = nullptr;
  bool connected_ = false;
  StringMap<ChannelOptions> wanted_;
  std::vector<std::string> unconfirmed_;
};

}  // namespace sluice::relay
