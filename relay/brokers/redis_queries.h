// What is asked of Redis beside publishing: history and presence for the Router, positions and what
// was missed for the continuity. All of it on the publisher's connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/random.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/redis_channels.h"
#include "relay/brokers/redis_publisher.h"
#include "relay/event_handles.h"

namespace sluice::relay {

class RedisQueries {
 public:
  RedisQueries(RedisContext& context, RedisPublisher& publisher, RedisContinuity& continuity);

  void start(BrokerEvents& events) { events_ = &events; }

  // ---- for the Router, as Broker has them

  void publish(PublishId id, std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               const ChannelOptions& options);
  void history(QueryId id, std::string_view channel, const proto::HistoryQuery& query);
  void remove_history(QueryId id, std::string_view channel, const ChannelOptions& options);
  [[nodiscard]] bool update_presence(std::span<const PresenceChange> changes);
  void presence(QueryId id, std::string_view channel, bool counts_only);
  /// The publisher's connection is gone: what waits is answered with an error.
  void link_lost(std::string_view reason);

  // ---- for the continuity

  void ask_position(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                    std::optional<proto::Position> heard);
  void ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                   proto::Position since);

  /// Asked by the Router and not answered.
  [[nodiscard]] std::size_t in_flight() const {
    return writes_out_ + reads_out_ + waiting_.size() + refused_.size();
  }

 private:
  enum class Kind : std::uint8_t { kHistory, kPresence };
  /// Of which only a few are under way at the same time.
  struct Read {
    Kind kind{};
    QueryId id = 0;
    RedisScript script{};
    std::vector<std::string> keys;
    std::vector<std::string> arguments;
    bool reverse = false;
  };
  struct Refused {
    Kind kind{};
    QueryId id = 0;
  };

  [[nodiscard]] bool takes_one() const;
  void read(Read one);
  void send(const Read& one);
  void read_done();
  void refuse(Kind kind, QueryId id);
  void tell_refused();
  void fail(Kind kind, QueryId id, std::string_view problem);
  void history_done(QueryId id, bool reverse, const RedisAnswer& answer);
  void presence_done(QueryId id, const RedisAnswer& answer);
  void asked_failed(RedisAsk ask, std::string_view channel, const RedisAnswer& answer);
  void set_presence(std::string_view channel, std::span<const PresenceChange* const> changes);
  [[nodiscard]] std::string new_epoch();

  RedisContext& context_;
  RedisPublisher& publisher_;
  RedisContinuity& continuity_;
  BrokerEvents* events_ = nullptr;
  std::deque<Read> waiting_;
  std::size_t reads_out_ = 0;
  std::size_t writes_out_ = 0;
  std::vector<Refused> refused_;
  EventPtr refused_event_;
  std::size_t presence_bytes_ = 0;  ///< of changes not answered
  bool failure_told_ = false;       ///< one line per failure of what the continuity asks
};

}  // namespace sluice::relay
