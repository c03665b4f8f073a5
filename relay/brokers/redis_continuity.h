// Step 8 of a message's path, channels with history: what is heard becomes what is told, each
// publication once and in order. What was not heard is read from the history first; what can't be
// had is told as lost. Pure.
//
// Two connections bring what it works with, and Redis orders nothing between them: publications
// are heard on one, positions and history answered on the other. It needs no more than that an
// answer is of a moment after its question was sent. So a publication heard before a question was
// sent is covered by the answer, and one of another epoch is never believed by itself (it may be
// older than what is known): a question sent after it was heard decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/frame.h"
#include "relay/brokers/broker.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

/// Numbers a question: +1 each.
using RedisAsk = std::uint64_t;

/// Nothing of it may call back into the continuity.
class RedisContinuityPort {
 public:
  virtual ~RedisContinuityPort() = default;
  /// Ends in position() or failed(). `heard`: where the channel was told to be.
  virtual void ask_position(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                            std::optional<proto::Position> heard) = 0;
  /// What stands behind `since`, or where the epoch is another one all of it. Ends in missing() or
  /// failed().
  virtual void ask_missing(RedisAsk ask, std::string_view channel, const ChannelOptions& options,
                           proto::Position since) = 0;
  /// The channel is heard again, or for the first time, and what comes follows this position.
  virtual void resumed(std::string_view channel, proto::Position position) = 0;
  virtual void next(std::string_view channel, proto::Position position, proto::Bytes payload,
                    proto::Bytes meta) = 0;
  /// It goes on behind this position; what was missing can't be had.
  virtual void lost(std::string_view channel, proto::Position position) = 0;
  /// restored() has become true.
  virtual void caught_up() = 0;
};

/// Nothing but 64-bit counters.
struct RedisContinuityStats {
  std::uint64_t duplicates = 0;     ///< heard, and told before
  std::uint64_t positions = 0;      ///< asked for
  std::uint64_t fetches = 0;        ///< of what was missing
  std::uint64_t fetched = 0;        ///< publications of these
  std::uint64_t losses = 0;         ///< lost() told
  std::uint64_t held_overflow = 0;  ///< heard while a question was under way, over the bounds
};

class RedisContinuity {
  friend struct RedisChannelsCodec;  // handover/

 public:
  explicit RedisContinuity(RedisContinuityPort& port) : port_(port) {}

  // ---- channels

  /// Wanted from now on. Only when it is not.
  void add(std::string_view channel, const ChannelOptions& options);
  void remove(std::string_view channel);
  /// All that is published from now on is heard.
  void confirmed(std::string_view channel);
  /// Nothing is heard any more.
  void subscriber_lost();

  void heard(std::string_view channel, proto::Position position, proto::Bytes payload,
             proto::Bytes meta);
  /// Something was heard that can't be read: it is looked whether that was a publication.
  void suspect(std::string_view channel);

  // ---- questions

  /// Whether questions can be asked. No: those under way have failed or will be told as failed.
  void set_usable(bool usable);
  void position(std::string_view channel, RedisAsk ask, proto::Position top);
  /// Publications in order. `top` with epoch 0: there is no history.
  void missing(std::string_view channel, RedisAsk ask, proto::Position top,
               std::span<const HistoryPublication> publications);
  /// `again`: the connection was lost, it is asked again when there is one. Else it waits for
  /// retry().
  void failed(std::string_view channel, RedisAsk ask, bool again);
  void retry();
  [[nodiscard]] bool any_parked() const { return parked_ > 0; }

  // ---- after a reconnection

  /// From now on restored() is about the channels that are confirmed and behind now.
  void begin_restore();
  /// Each of them goes on, or was refused or given up.
  [[nodiscard]] bool restored() const { return restoring_ == 0; }

  /// Told that it is heard, and nothing is amiss.
  [[nodiscard]] bool is_live(std::string_view channel) const;
  [[nodiscard]] bool has(std::string_view channel) const { return channels_.contains(channel); }
  [[nodiscard]] std::size_t channels() const { return channels_.size(); }
  [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }
  [[nodiscard]] const RedisContinuityStats& stats() const { return stats_; }

 private:
  enum class Phase : std::uint8_t {
    kAway,           ///< not confirmed
    kWantsPosition,  ///< in wanting_[0]
    kWantsMissing,   ///< in wanting_[1]
    kAsksPosition,
    kAsksMissing,
    kParked,  ///< Redis has refused the question
    kLive,
  };
  struct Held {
    proto::Position position;
    RedisAsk ask = 0;  ///< the last that was sent when it was heard
    std::string payload;
    std::string meta;
  };
  struct Channel {
    ChannelOptions options;
    Phase phase = Phase::kAway;
    bool told = false;                  ///< resumed() since it was confirmed
    bool restoring = false;             ///< counted in restoring_
    bool overflowed = false;            ///< something heard was not held: the history has it
    std::optional<proto::Position> at;  ///< told up to
    RedisAsk ask = 0;                   ///< the last sent; answers to earlier ones are nobody's
    std::uint64_t ticket = 0;           ///< place in wanting_
    std::deque<Held> held;
    std::size_t held_bytes = 0;
  };
  using Channels = StringMap<Channel>;
  using Node = Channels::value_type;
  using Wanting = std::map<std::uint64_t, Node*>;

  [[nodiscard]] Node* find(std::string_view channel);
  /// The channel that waits for this answer; null: nobody does any more.
  [[nodiscard]] Node* take_answer(std::string_view channel, RedisAsk ask);
  void want(Node& node, Phase phase);
  void stop_wanting(Node& node);
  void pump();
  void pump(Phase wanted, std::size_t& in_flight, std::size_t in_flight_max);
  void ask(Node& node);
  void hold(Channel& channel, proto::Position position, proto::Bytes payload, proto::Bytes meta);
  void drop_front(Channel& channel);
  void drop_held(Channel& channel);
  void deliver(Node& node, proto::Position position, proto::Bytes payload, proto::Bytes meta);
  void lose(Node& node, proto::Position position);
  /// What the answer brought; true: something was new.
  bool deliver_all(Node& node, std::uint64_t epoch,
                   std::span<const HistoryPublication> publications);
  /// What the history has no longer, up to `top`: heard, or lost.
  void tell_rest(Node& node, proto::Position top);
  /// Told up to where the answer to `ask` has it: what is held follows, or more is asked.
  void catch_up(Node& node, RedisAsk ask);
  void settle(Channel& channel);

  RedisContinuityPort& port_;
  Channels channels_;
  Wanting wants_position_;
  Wanting wants_missing_;
  std::uint64_t next_ticket_ = 1;
  RedisAsk last_ask_ = 0;
  std::size_t positions_in_flight_ = 0;
  std::size_t fetches_in_flight_ = 0;
  std::map<RedisAsk, bool> in_flight_;  ///< whether it is a fetch
  std::size_t held_bytes_ = 0;
  std::size_t restoring_ = 0;
  std::size_t parked_ = 0;
  bool usable_ = false;
  RedisContinuityStats stats_;
};

}  // namespace sluice::relay
