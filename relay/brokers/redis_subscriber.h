// Step 8 of a message's path: the one connection on which Redis delivers.
#pragma once

#include <optional>
#include <string_view>

#include "common/backoff.h"
#include "relay/brokers/redis_connection.h"
#include "relay/brokers/redis_hearing.h"
#include "relay/brokers/redis_link_owner.h"
#include "relay/brokers/redis_push_reader.h"
#include "relay/brokers/redis_subscriptions.h"
#include "relay/event_handles.h"
#include "relay/handover/descriptors.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

class RedisSubscriber final : RedisConnectionUser, SubscriptionEvents {
 public:
  RedisSubscriber(RedisContext& context, RedisLinkOwner& owner, RedisHearing& hearing);

  void open() { connection_.open(); }
  /// Ends the connection, if there is one; the owner knows already.
  void drop();

  /// By the name that it has in Redis. Idempotent; nothing is told from inside.
  void subscribe(std::string_view name);
  void unsubscribe(std::string_view name);

  // ---- from program to program

  /// The descriptor is of use to another program: the handshake is done.
  [[nodiscard]] std::optional<int> carried() const;
  void save(StateWriter& out) const;
  /// Before start(). The subscriptions as they were, and the connection if it was carried.
  void resume(StateReader& in, Descriptors& descriptors);
  [[nodiscard]] const RedisSubscriptions& subscriptions() const { return subscriptions_; }

  [[nodiscard]] bool closed() const { return connection_.closed(); }
  /// The handshake is done.
  [[nodiscard]] bool connected() const { return connection_.ready(); }
  /// Connected, and everything wanted at that time subscribed again (or refused).
  [[nodiscard]] bool ready() const { return connection_.ready() && subscriptions_.restored(); }
  [[nodiscard]] const std::string& server_id() const { return connection_.server_id(); }

 private:
  void connection_ready() override;
  void connection_read(std::string_view bytes) override;
  void connection_drained() override;
  void connection_closed(const RedisLoss& loss) override;

  void confirmed(std::string_view channel, std::optional<Duration> uncovered) override;
  void refused(std::string_view channel, std::string_view text, bool first) override;

  void begin_pings();
  void pump();
  void write(const RedisSubscriptions::Command& command);
  void tell_when_restored();
  void ping();
  void retry_refused();
  void pushed(RedisPush& push);
  void answer(RedisSubscriptions::Verb verb, std::string_view channel);
  void pong();
  void error(std::string_view text);
  void not_understood();
  void end_connection();

  RedisContext& context_;
  RedisLinkOwner& owner_;
  RedisHearing& hearing_;
  RedisSubscriptions subscriptions_;
  RedisConnection connection_;
  std::optional<RedisPushReader> reader_;  ///< while connected
  Backoff refused_backoff_;
  EventPtr pump_event_;
  EventPtr ping_event_;
  EventPtr retry_event_;
  bool ping_out_ = false;
  bool restored_told_ = false;
};

}  // namespace sluice::relay
