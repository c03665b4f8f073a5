// Steps 7 and 8 of a message's path on Redis pub/sub: exactly one subscriber and one publisher
// connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/backoff.h"
#include "common/random.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/redis_connection.h"
#include "relay/brokers/redis_link_owner.h"
#include "relay/brokers/redis_publisher.h"
#include "relay/brokers/redis_subscriber.h"
#include "relay/brokers/redis_url.h"
#include "relay/event_handles.h"

namespace sluice::relay {

/// Connected = both connections up, to the same master, and every wanted channel subscribed. When
/// one is lost it alone is made anew, so that without the publisher no message is missed; a server
/// that is no master ends both. What travels is the payload as it is, so that any Redis client
/// takes part: `meta` has no place in it and is not carried.
class RedisBroker final : public Broker, RedisLinkOwner {
 public:
  /// `base` and `random` outlive it.
  RedisBroker(RedisOptions options, event_base* base, Random& random);
  RedisBroker(const RedisBroker&) = delete;
  RedisBroker& operator=(const RedisBroker&) = delete;

  void start(BrokerEvents& events) override;
  void subscribe(std::string_view channel, const ChannelOptions& /*options*/) override {
    subscriber_.subscribe(channel);
  }
  void unsubscribe(std::string_view channel) override { subscriber_.unsubscribe(channel); }
  [[nodiscard]] bool can_publish(std::size_t payload_bytes) const override;
  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               const ChannelOptions& options) override;
  void history(QueryId, std::string_view, const proto::HistoryQuery&,
               const ChannelOptions&) override {}
  void remove_history(QueryId, std::string_view, const ChannelOptions&) override {}
  [[nodiscard]] bool update_presence(std::span<const PresenceChange>) override { return false; }
  void presence(QueryId, std::string_view, bool) override {}
  [[nodiscard]] std::string describe() const override;

  // ---- from program to program

  /// No publish waits for its answer; true also while Redis is away.
  [[nodiscard]] bool quiet() const { return publisher_.idle(); }
  /// What another program can go on with.
  [[nodiscard]] std::vector<int> descriptors() const;
  void save(StateWriter& out) const;
  /// Instead of beginning anew; before start(). Of no use when the reader has found a fault.
  void resume(StateReader& in, Descriptors& descriptors);
  [[nodiscard]] const RedisSubscriptions& subscriptions() const {
    return subscriber_.subscriptions();
  }

  [[nodiscard]] const RedisStats& stats() const { return context_.stats; }

 private:
  /// When one of the two connections is made anew.
  struct Reconnect {
    Backoff backoff;
    EventPtr event;
    bool was_ready = false;  ///< ever
    bool ready = false;
    TimePoint ready_since{};
  };

  void link_ready(RedisLink link) override;
  void link_lost(RedisLink link, const RedisLoss& loss) override;
  void link_has_room() override;

  void open_subscriber();
  void open_publisher();
  void reopen_later(RedisLink link);
  void drop_both(std::string_view reason);
  void away(std::string_view reason);
  [[nodiscard]] bool same_server() const;
  [[nodiscard]] Reconnect& reconnect(RedisLink link);

  RedisContext context_;
  RedisSubscriber subscriber_;
  RedisPublisher publisher_;
  Reconnect subscriber_reconnect_;
  Reconnect publisher_reconnect_;
  BrokerEvents* events_ = nullptr;
  bool connected_ = false;
  std::string away_reason_;  ///< the last told
};

}  // namespace sluice::relay
