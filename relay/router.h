// Steps 6 and 9 of a message's path: gateways × channels. Publishes go to the broker or wait in
// order; what the broker delivers gets its position, one entry in the ring, and a place in the
// index of each subscribed gateway. Pure: links, broker, log, time and randomness come in from
// outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/random.h"
#include "common/result.h"
#include "relay/brokers/broker.h"
#include "relay/drain_marks.h"
#include "relay/publish_hold.h"
#include "relay/publishes_in_flight.h"
#include "relay/replay_ring.h"
#include "relay/router_ports.h"
#include "relay/router_state.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

struct RouterOptions {
  Duration linger = std::chrono::seconds(60);
  ReplayRingOptions ring;
  std::size_t gateway_queue_bytes = 16U << 20U;
  std::size_t publish_queue_bytes = 16U << 20U;
  std::size_t gateways_max = 64;
  std::size_t channels_max = 100000;
  std::size_t payload_bytes_max = 1U << 20U;
};

/// Counters, never reset.
struct RouterStats {
  std::uint64_t messages_in = 0;  ///< from the broker
  std::uint64_t message_bytes_in = 0;
  std::uint64_t messages_routed = 0;  ///< one per gateway
  std::uint64_t messages_out = 0;     ///< handed to a link
  std::uint64_t message_bytes_out = 0;
  std::uint64_t messages_oversized = 0;  ///< larger than the link carries: told as gaps
  std::uint64_t messages_unwanted = 0;   ///< of a channel that nobody holds
  std::uint64_t published = 0;
  std::uint64_t publish_timed_out = 0;
  std::uint64_t publish_queue_full = 0;
  std::uint64_t publish_unknown_fate = 0;
  std::uint64_t publish_refused = 0;
  std::uint64_t publish_too_large = 0;
  std::uint64_t gaps_overrun = 0;    ///< GAPs sent
  std::uint64_t gaps_oversized = 0;  ///< GAPs sent
  std::uint64_t gaps_broker = 0;     ///< continuity lost, one per channel
  std::uint64_t messages_lost = 0;   ///< stood in GAPs that were sent
  std::uint64_t overruns = 0;
  std::uint64_t broker_connects = 0;
  std::uint64_t broker_losses = 0;
  std::uint64_t resumes = 0;
  std::uint64_t upgrades = 0;              ///< this process went on as another program
  std::uint64_t upgrades_refused = 0;      ///< the new program did not stand its check
  std::uint64_t upgrades_failed = 0;       ///< the system or the state refused; served on
  std::uint64_t upgrade_unknown_fate = 0;  ///< of publish_unknown_fate
  std::uint64_t upgrade_pause_micros = 0;  ///< of the last one: links not read
};

class Router final : public BrokerEvents {
  friend struct RouterCodec;  // handover/

 public:
  Router(RouterOptions options, Broker& broker, RouterWatcher& watcher, const TimeSource& time,
         Random& random);

  // ---- links. A GatewayState* is valid from attach() to detach() or end() of its link.

  struct Attached {
    GatewayState* gateway = nullptr;
    bool resumed = false;
    std::uint64_t last_sequence = 0;  ///< for WELCOME
  };
  /// A HELLO with a valid id. kInUse: that id has a live link; kPermission: too many gateways.
  [[nodiscard]] Result<Attached> attach(LinkPort& port, const proto::Hello& hello,
                                        std::int64_t pid = 0);
  /// A HELLO of an operator's tool. kPermission: too many tools.
  [[nodiscard]] Result<Attached> attach_tool(LinkPort& port, const proto::Hello& hello,
                                             std::int64_t pid = 0);
  /// After WELCOME: the broker's state, then the subscriptions whose confirmation may have been
  /// lost.
  void greet(GatewayState& gateway, std::uint64_t last_received);
  /// The same for a gateway that has forgotten everything: all subscriptions, each with where its
  /// stream goes on, then the broker's state.
  void greet_forgotten(GatewayState& gateway, std::uint64_t last_received);
  /// The link is gone; the state lingers, but not a tool's.
  void detach(GatewayState& gateway);
  /// The gateway said that it ends for good.
  void end(GatewayState& gateway);

  void subscribe(GatewayState& gateway, const proto::Subscribe& subscribe);
  void unsubscribe(GatewayState& gateway, std::uint32_t channel_id);
  void publish(GatewayState& gateway, const proto::Publish& publish);
  void inform(GatewayState& gateway, const proto::GatewayInfo& info) { gateway.info = info; }
  void mark_drain(GatewayState& gateway, const proto::DrainMark& mark);
  /// Passed on to the gateway named; `tool` hears whether that could be done. Without a name it is
  /// for the relay: the watcher hears of it once the tool's answer stands in its queue.
  void control(GatewayState& tool, const proto::Control& control);
  /// What is to be sent next.
  void take(GatewayState& gateway, Outgoing& out);

  // ---- the daemon

  /// Call every kTickInterval: deadlines, linger, age.
  void tick();
  /// What an earlier relay knew; before the first link.
  void restore(DrainMarks marks) { drain_marks_ = std::move(marks); }
  [[nodiscard]] const DrainMarks& drain_marks() const { return drain_marks_; }
  /// Held publishes fail now, later ones at once.
  void shut_down();

  // ---- a program that follows another in the same process (handover/)

  /// Nothing is given to the broker while it is on: what waits goes on waiting.
  void hold_publishes(bool on) { holding_ = on; }
  /// The gateway or tool of a link that came with the state; null: there is none, or it has been
  /// adopted.
  [[nodiscard]] GatewayState* adopt(LinkPort& port, std::uint64_t link);
  [[nodiscard]] bool adoptable(std::uint64_t link) const { return links_.contains(link); }
  /// All links, of gateways and tools.
  [[nodiscard]] std::size_t all_links() const { return links_.size(); }
  /// The broker had these and did not answer in time: whoever asked is told.
  void lose_publishes(const std::vector<PublishRequest>& requests, std::string_view text);
  void count_upgrade(Duration pause);
  void count_upgrade_refused() { ++stats_.upgrades_refused; }
  void count_upgrade_failed() { ++stats_.upgrades_failed; }

  [[nodiscard]] std::uint64_t instance() const { return instance_; }
  [[nodiscard]] const RouterOptions& options() const { return options_; }
  [[nodiscard]] const RouterStats& stats() const { return stats_; }
  [[nodiscard]] const ReplayRing& ring() const { return ring_; }
  [[nodiscard]] const PublishHold& hold() const { return hold_; }
  [[nodiscard]] bool broker_is_connected() const { return broker_connected_; }
  [[nodiscard]] const std::string& broker_reason() const { return broker_reason_; }
  /// Connected, or away, since then.
  [[nodiscard]] TimePoint broker_since() const { return broker_since_; }
  [[nodiscard]] std::string broker_address() const { return broker_.describe(); }
  [[nodiscard]] TimePoint now() const { return time_.now(); }
  [[nodiscard]] TimePoint started_at() const { return started_at_; }
  [[nodiscard]] bool shutting_down() const { return shutting_down_; }
  [[nodiscard]] std::size_t channels() const { return channels_.size(); }
  [[nodiscard]] std::size_t subscriptions() const { return subscriptions_; }
  [[nodiscard]] std::size_t gateways() const { return gateways_.size(); }
  /// Live ones of gateways.
  [[nodiscard]] std::size_t links() const { return links_.size() - tools_.size(); }
  [[nodiscard]] std::size_t tools() const { return tools_.size(); }
  // For the status: to be looked at, not kept.
  [[nodiscard]] const StringMap<std::unique_ptr<Channel>>& channel_table() const {
    return channels_;
  }
  [[nodiscard]] const StringMap<std::unique_ptr<GatewayState>>& gateway_table() const {
    return gateways_;
  }
  [[nodiscard]] std::size_t publishes_in_flight() const { return in_flight_.count(); }
  /// Of all gateways.
  [[nodiscard]] std::size_t queue_bytes() const;

  // ---- BrokerEvents

  void broker_connected() override;
  void broker_away(std::string_view reason) override;
  void subscribed(std::string_view channel, std::optional<Duration> uncovered,
                  std::optional<proto::Position> position = std::nullopt) override;
  void position_lost(std::string_view channel, proto::Position position) override;
  void history(QueryId id, HistoryAnswer answer) override;
  void presence(QueryId id, PresenceAnswer answer) override;
  void message(std::string_view channel, proto::Bytes payload, proto::Bytes meta,
               std::optional<proto::Position> position) override;
  void message(std::string_view channel, EntryDraft message) override;
  void message_oversized(std::string_view channel, std::uint64_t bytes) override;
  void published(PublishId id, PublishOutcome outcome, std::string_view detail,
                 std::optional<proto::Position> position = std::nullopt) override;

 private:
  // router_links.cc
  [[nodiscard]] Result<GatewayState*> fresh_state(std::string_view id);
  [[nodiscard]] bool make_room_for_gateway();
  [[nodiscard]] GatewayIndexOptions index_options(bool tool) const;
  void control_relay(GatewayState& tool, const proto::Control& control);
  void join(GatewayState& gateway, LinkPort& port, const proto::Hello& hello, std::int64_t pid);
  [[nodiscard]] Subscription* subscription_for(GatewayState& gateway, Channel& channel);
  void forget(GatewayState& gateway, TimePoint since);
  [[nodiscard]] Result<Channel*> channel_for(std::string_view name);
  [[nodiscard]] Channel* find_channel(std::string_view name);
  void confirm(Subscription& subscription);
  /// Where the stream starts, and the first of the ring's serials to be replayed.
  void plan_start(Subscription& subscription, std::size_t& first_replayed) const;
  void answer(Subscription& subscription);
  /// Tells who has not asked, or may not have heard the answer.
  static void tell_again(const Subscription& subscription, proto::Position start, bool continuous);
  [[nodiscard]] static bool misses_something(const Subscription& subscription);
  void drop(Subscription& subscription, TimePoint since);
  void expire_gateways(TimePoint now);
  void expire_channels(TimePoint now);
  void expire_drain_marks(TimePoint now);

  // router_publish.cc
  void send_publish(const PublishRequest& origin, std::string_view channel, proto::Bytes payload,
                    proto::Bytes meta);
  void release_held();
  void refuse(const PublishRequest& origin, proto::ErrorReason reason, std::string_view text);
  void expire_held(TimePoint now);

  // router.cc
  [[nodiscard]] std::uint64_t new_epoch();
  void set_broker_state(bool connected, std::string_view reason);
  void break_continuity(Channel& channel, proto::Position top, Duration uncovered);
  /// Null: nobody holds the channel. Else it is counted, and the next position is its own.
  [[nodiscard]] Channel* receive(std::string_view name, std::uint64_t bytes);
  void lose_oversized(Channel& channel, std::uint64_t bytes);
  void route(const Channel& channel, RefPtr<const RingEntry> entry);

  RouterOptions options_;
  Broker& broker_;
  RouterWatcher& watcher_;
  const TimeSource& time_;
  Random& random_;
  std::uint64_t instance_;
  TimePoint started_at_;
  ReplayRing ring_;
  PublishHold hold_;
  bool broker_connected_ = false;
  bool shutting_down_ = false;
  bool holding_ = false;
  std::string broker_reason_ = "not connected yet";
  TimePoint broker_since_;

  StringMap<std::unique_ptr<Channel>> channels_;
  StringMap<std::unique_ptr<GatewayState>> gateways_;
  StringMap<std::unique_ptr<GatewayState>> tools_;
  std::unordered_map<std::uint64_t, GatewayState*> links_;
  /// Channels without subscribers, the longest idle first.
  std::set<std::pair<TimePoint, Channel*>> idle_;
  PublishesInFlight in_flight_;
  DrainMarks drain_marks_;
  TimePoint marks_expire_at_{};
  std::size_t subscriptions_ = 0;
  ChannelOrdinal next_ordinal_ = 1;
  std::uint64_t next_link_ = 1;
  std::uint64_t next_tool_ = 1;
  RouterStats stats_;
};

}  // namespace sluice::relay
