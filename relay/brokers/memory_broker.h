// Steps 7 and 8 of a message's path, embedded: what is published goes to this relay's own
// subscribers. Pure.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relay/brokers/broker.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

class MemoryBroker final : public Broker {
 public:
  /// `schedule` is called when run() has something to do; run() must then be called from the loop,
  /// not from inside.
  explicit MemoryBroker(std::function<void()> schedule) : schedule_(std::move(schedule)) {}

  /// Tells what start() and subscribe() owe.
  void run();

  void start(BrokerEvents& events) override;
  void subscribe(std::string_view channel, const ChannelOptions& options) override;
  void unsubscribe(std::string_view channel) override;
  [[nodiscard]] bool can_publish(std::size_t payload_bytes) const override;
  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               const ChannelOptions& options) override;
  void history(QueryId, std::string_view, const proto::HistoryQuery&,
               const ChannelOptions&) override {}
  void remove_history(QueryId, std::string_view, const ChannelOptions&) override {}
  [[nodiscard]] bool update_presence(std::span<const PresenceChange>) override { return false; }
  void presence(QueryId, std::string_view, bool) override {}
  [[nodiscard]] std::string describe() const override { return "memory:"; }

 private:
  std::function<void()> schedule_;
  BrokerEvents* events_ = nullptr;
  bool connected_ = false;
  StringSet wanted_;
  std::vector<std::string> unconfirmed_;
};

}  // namespace sluice::relay
