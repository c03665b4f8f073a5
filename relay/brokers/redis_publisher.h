// Step 7 of a message's path: the one connection on which everything is published and asked, in
// order.
#pragma once

#include <hiredis/hiredis.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "relay/block_queue.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/redis_connection.h"
#include "relay/brokers/redis_link_owner.h"
#include "relay/brokers/redis_reply_reader.h"
#include "relay/brokers/redis_scripts.h"
#include "relay/event_handles.h"
#include "relay/handover/descriptors.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

/// How a call of a script ended.
struct RedisAnswer {
  const redisReply* reply = nullptr;  ///< null: `problem` says why
  std::string_view problem{};
  bool lost = false;  ///< with the connection: whether it was done is not known
};
/// From the loop, once; not after the publisher's end.
using RedisDone = std::function<void(const RedisAnswer&)>;

class RedisPublisher final : RedisConnectionUser {
 public:
  using Words = std::span<const std::string_view>;

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
  /// By PUBLISH, under this name. Only when ready and there is room. Nothing is told from inside.
  void publish(PublishId id, std::string_view name, std::string_view bytes);
  /// By the script, whose answer is the position. The same.
  void publish(PublishId id, std::string_view channel, Words keys, Words arguments);
  /// Any other script. Only when ready; the caller bounds how many are under way.
  void call(RedisScript script, Words keys, Words arguments, RedisDone done);
  [[nodiscard]] const std::string& server_id() const { return connection_.server_id(); }

 private:
  enum class Asked { kPublish, kPing, kRole, kLoad, kScript };
  /// What a script's call is: kept to be sent again, should Redis have forgotten the script.
  struct Call {
    RedisScript script{};
    std::string command;
    std::string channel;  ///< of a publish
    RedisDone done;       ///< of the others
    unsigned tries = 1;
  };
  struct InFlight {
    Asked asked = Asked::kPublish;
    PublishId id = 0;  ///< 0: no publish
    std::size_t bytes = 0;
    std::unique_ptr<Call> call{};  ///< of kScript
  };

  void connection_ready() override;
  void connection_read(std::string_view bytes) override;
  void connection_drained() override {}
  void connection_closed(const RedisLoss& loss) override;

  void reply(const redisReply& reply);
  void begin();
  void load_scripts();
  void ping();
  void ask(Asked what, std::string_view word);
  void start_call(InFlight one);
  void send_call(InFlight one);
  /// The usual answer; false: something else stands at the front of `bytes`.
  [[nodiscard]] bool take_published(std::string_view& bytes);
  void count(std::size_t bytes);
  void settle(const InFlight& publish);
  void publish_answer(const InFlight& publish, const redisReply& reply);
  void publish_error(const InFlight& publish, std::string_view text);
  void publish_not_understood(const InFlight& publish);
  void script_answer(InFlight one, const redisReply& reply);
  void script_published(const InFlight& publish, const redisReply& reply);
  void call_again();
  void refuse_overtaken(std::string_view channel);
  void load_answer(const redisReply& reply);
  void role_answer(const redisReply& reply);
  void ping_answer(const redisReply& reply);
  void tell_room();
  void end_connection(std::string_view reason);
  void lose(InFlight one, std::string_view reason);

  RedisContext& context_;
  RedisLinkOwner& owner_;
  BrokerEvents* events_ = nullptr;
  RedisConnection connection_;
  std::optional<RedisReplyReader> reader_;
  EventPtr ping_event_;
  BlockQueue<InFlight> in_flight_;
  std::size_t scripts_out_ = 0;  ///< kScript in in_flight_
  /// Calls that Redis did not know the script of, and those given since: they go again, in this
  /// order, when no call is under way any more.
  std::deque<InFlight> again_;
  std::size_t publishes_ = 0;      ///< in in_flight_ and again_
  std::size_t publish_bytes_ = 0;  ///< the same
  bool ping_out_ = false;
  mutable bool room_refused_ = false;  ///< somebody waits to hear that there is room
};

}  // namespace sluice::relay
