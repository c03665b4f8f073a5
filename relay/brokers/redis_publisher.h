// Step 7 of a message's path: the one connection on which everything is published, in order.
#pragma once

#include <hiredis/hiredis.h>

#include <cstddef>
#include <optional>
#include <string_view>

#include "relay/block_queue.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/redis_connection.h"
#include "relay/brokers/redis_link_owner.h"
#include "relay/brokers/redis_reply_reader.h"
#include "relay/event_handles.h"
#include "relay/handover/descriptors.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

class RedisPublisher final : RedisConnectionUser {
 public:
  RedisPublisher(RedisContext& context, RedisLinkOwner& owner);

  void start(BrokerEvents& events) { events_ = &events; }
  void open() { connection_.open(); }
  /// Ends the connection, if there is one; the owner knows already. What is in flight is of unknown
  /// fate.
  void drop(std::string_view reason);

  // ---- from program to program

  /// Nothing is under way on it, in either direction.
  [[nodiscard]] bool idle() const;
  /// The descriptor, when it is ready and idle: else another program makes its own connection, and
  /// what is in flight is of unknown fate.
  [[nodiscard]] std::optional<int> carried() const;
  void save(StateWriter& out) const;
  /// Before start().
  void resume(StateReader& in, Descriptors& descriptors);

  [[nodiscard]] bool closed() const { return connection_.closed(); }
  [[nodiscard]] bool ready() const { return connection_.ready(); }
  /// Below the bounds of what may be in flight. After a no the owner hears of it when there is room
  /// again.
  [[nodiscard]] bool has_room(std::size_t payload_bytes) const;
  /// Only when ready. Nothing is told from inside.
  void publish(PublishId id, std::string_view channel, proto::Bytes payload);
  [[nodiscard]] const std::string& server_id() const { return connection_.server_id(); }

 private:
  enum class Asked { kPublish, kPing, kRole };
  struct InFlight {
    Asked asked = Asked::kPublish;
    PublishId id = 0;
    std::size_t bytes = 0;
  };

  void connection_ready() override;
  void connection_read(std::string_view bytes) override;
  void connection_drained() override {}
  void connection_closed(const RedisLoss& loss) override;

  void reply(const redisReply& reply);
  void begin();
  void ping();
  void ask(Asked what, std::string_view word);
  /// The usual answer; false: something else stands at the front of `bytes`.
  [[nodiscard]] bool take_published(std::string_view& bytes);
  void settle(const InFlight& publish);
  void publish_answer(const InFlight& publish, const redisReply& reply);
  void role_answer(const redisReply& reply);
  void ping_answer(const redisReply& reply);
  void tell_room();
  void end_connection(std::string_view reason);

  RedisContext& context_;
  RedisLinkOwner& owner_;
  BrokerEvents* events_ = nullptr;
  RedisConnection connection_;
  std::optional<RedisReplyReader> reader_;
  EventPtr ping_event_;
  BlockQueue<InFlight> in_flight_;
  std::size_t publishes_ = 0;      ///< in in_flight_
  std::size_t publish_bytes_ = 0;  ///< in in_flight_
  bool ping_out_ = false;
  mutable bool room_refused_ = false;  ///< somebody waits to hear that there is room
};

}  // namespace sluice::relay
