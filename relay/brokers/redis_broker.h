// Steps 7 and 8 of a message's path on Redis pub/sub: exactly one subscriber and one publisher
// connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/backoff.h"
#include "common/random.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/redis_channels.h"
#include "relay/brokers/redis_connection.h"
#include "relay/brokers/redis_link_owner.h"
#include "relay/brokers/redis_publisher.h"
#include "relay/brokers/redis_queries.h"
#include "relay/brokers/redis_subscriber.h"
#include "relay/brokers/redis_url.h"
#include "relay/event_handles.h"

namespace sluice::relay {

/// Connected = both connections up, to the same master, every wanted channel subscribed, and those
/// with history where they were before. When one connection is lost it alone is made anew, so that
/// without the publisher no message is missed; a server that is no master ends both. What travels
/// on a channel without history and publisher is the payload as it is, so that any Redis client
/// takes part; on the others it is an envelope (redis_envelope.h). What other clients publish under
/// the plain name of a channel with history is heard as well, beside the history.
class RedisBroker final : public Broker, RedisLinkOwner, RedisAsker {
 public:
  /// `base` and `random` outlive it.
  RedisBroker(RedisOptions options, event_base* base, Random& random);
  RedisBroker(const RedisBroker&) = delete;
  RedisBroker& operator=(const RedisBroker&) = delete;

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
  [[nodiscard]] std::string describe() const override;

  // ---- from program to program

  /// No publish waits for its answer; true also while Redis is away.
  [[nodiscard]] bool quiet() const { return publisher_.idle(); }
  /// What another program can go on with.
  [[nodiscard]] std::vector<int> descriptors() const;
  void save(StateWriter& out) const;
  /// Instead of beginning anew; before start(). Of no use when the reader has found a fault.
  void resume(StateReader& in, Descriptors& descriptors);
  /// The Router has been told that the channel is subscribed, and hears no more of that.
  [[nodiscard]] bool is_confirmed(std::string_view channel) const;
  /// Channels that are wanted now. One with a history has two names.
  [[nodiscard]] std::size_t wanted() const {
    return subscriber_.subscriptions().wanted() - channels_.continuity().channels();
  }

  [[nodiscard]] RedisStats stats() const;

 private:
  /// When one of the two connections is made anew.
  struct Reconnect {
    Backoff backoff;
    EventPtr event;
    bool was_ready = false;  ///< ever
    bool ready = false;
    TimePoint ready_since{};
  };

  void subscriber_open() override;
  void link_ready(RedisLink link) override;
  void link_lost(RedisLink link, const RedisLoss& loss) override;
  void link_has_room() override;
  void ask_position(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                    std::optional<proto::Position> heard) override;
  void ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                   proto::Position since) override;
  void caught_up() override;

  /// Connected, if nothing is wanting.
  void connect();
  void retry_history();
  void open_subscriber();
  void open_publisher();
  void reopen_later(RedisLink link);
  void drop_both(std::string_view reason);
  void publisher_gone(std::string_view reason);
  void away(std::string_view reason);
  [[nodiscard]] bool same_server() const;
  [[nodiscard]] Reconnect& reconnect(RedisLink link);

  RedisContext context_;
  RedisChannels channels_;
  RedisSubscriber subscriber_;
  RedisPublisher publisher_;
  RedisQueries queries_;
  Reconnect subscriber_reconnect_;
  Reconnect publisher_reconnect_;
  EventPtr connect_event_;
  EventPtr retry_event_;  ///< of channels whose history could not be read
  BrokerEvents* events_ = nullptr;
  bool connected_ = false;
  bool restoring_ = false;   ///< channels with history are being brought up to where they stand
  std::string away_reason_;  ///< the last told
};

}  // namespace sluice::relay
