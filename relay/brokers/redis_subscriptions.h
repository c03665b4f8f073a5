// Which channels are wanted, asked for and confirmed: the bookkeeping of step 8's subscriber. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

/// Told as answers come, and from next_command().
class SubscriptionEvents {
 public:
  virtual ~SubscriptionEvents() = default;
  /// `uncovered`: see BrokerEvents::subscribed().
  virtual void confirmed(std::string_view channel, std::optional<Duration> uncovered) = 0;
  /// Redis said no to this channel alone; it is asked for again with retry_refused(). `first`:
  /// since it was last confirmed.
  virtual void refused(std::string_view channel, std::string_view text, bool first) = 0;
};

/// Everything is O(1) per channel and answer. Redis answers in the order asked, a SUBSCRIBE once
/// per name, so that a queue of the commands under way tells whose answer it is; a channel given up
/// and wanted again meanwhile is confirmed by its last one.
class RedisSubscriptions {
  friend struct RedisSubscriptionsCodec;  // handover/

  struct State;
  using Node = StringMap<State>::value_type;

 public:
  enum class Verb { kSubscribe, kUnsubscribe, kPing };
  class Command {
   public:
    [[nodiscard]] Verb verb() const { return verb_; }
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }
    [[nodiscard]] std::string_view name(std::size_t i) const;

   private:
    friend class RedisSubscriptions;
    friend struct RedisSubscriptionsCodec;
    Verb verb_ = Verb::kSubscribe;
    std::vector<Node*> nodes_;
    std::size_t answered_ = 0;
  };

  explicit RedisSubscriptions(SubscriptionEvents& events) : events_(events) {}

  void want(std::string_view channel);
  void unwant(std::string_view channel);
  [[nodiscard]] bool is_wanted(std::string_view channel) const;
  /// Confirmed and not lost since.
  [[nodiscard]] bool is_confirmed(std::string_view channel) const;
  [[nodiscard]] std::size_t channels() const { return channels_.size(); }
  /// Those that are wanted now.
  [[nodiscard]] std::size_t wanted() const;

  /// Everything wanted is to be asked for.
  void connected();
  [[nodiscard]] bool is_connected() const { return connected_; }
  /// Nothing is subscribed any more; until `known_good` it was.
  void lost(TimePoint known_good);
  /// Since connected() each channel wanted then has been confirmed, refused or given up.
  [[nodiscard]] bool restored() const { return connected_ && restoring_ == 0; }

  /// To be written now, or null; valid until the next call. At most kSubscribeNamesMax names.
  [[nodiscard]] const Command* next_command(TimePoint now);
  void ping_written();
  /// Channels that were refused are to be asked for again.
  void retry_refused();
  [[nodiscard]] bool any_refused() const { return !parked_.empty(); }

  /// The answers. False: not the answer to what was asked; the connection is of no use.
  [[nodiscard]] bool answer(Verb verb, std::string_view channel, TimePoint now);
  [[nodiscard]] bool pong();
  /// An error, which answers a whole command. kPing is for the caller to judge.
  [[nodiscard]] std::optional<Verb> error(std::string_view text);

 private:
  struct State {
    bool wanted = false;
    bool queued = false;     ///< stands in todo_
    bool parked = false;     ///< stands in parked_
    bool at_server = false;  ///< subscribed, once everything under way is answered
    bool confirmed = false;  ///< told so since it was last wanted, and not lost since
    bool alone = false;      ///< to be asked for in a command of its own
    bool restoring = false;  ///< counted in restoring_
    bool refusal_told = false;
    std::uint32_t in_flight = 0;             ///< commands under way that name it
    std::optional<TimePoint> covered_until;  ///< confirmed on a lost connection, not since
  };

  void enqueue(Node& node);
  void settle(State& state);
  void confirm(Node& node, TimePoint now);
  void refuse_one(Node& node, std::string_view text);
  void forget_if_unused(Node& node);

  SubscriptionEvents& events_;
  StringMap<State> channels_;
  std::deque<Node*> todo_;
  std::deque<Command> commands_;
  std::vector<Node*> parked_;
  std::size_t restoring_ = 0;
  bool connected_ = false;
};

}  // namespace sluice::relay
