// Steps 6 and 9 of a message's path: gateways × channels. Publishes go to the broker or wait in
// order; what the broker delivers gets its position, one entry in the ring, and a place in the
// index of each subscribed gateway. Pure: links, broker, log, time and randomness come in from
// outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
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
#include "relay/local_requests.h"
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
  std::uint64_t upgrades = 0;                     ///< this process went on as another program
  std::uint64_t upgrades_refused = 0;             ///< the new program did not stand its check
  std::uint64_t upgrades_failed = 0;              ///< the system or the state refused; served on
  std::uint64_t upgrade_unknown_fate = 0;         ///< of publish_unknown_fate
  std::uint64_t upgrade_pause_micros = 0;         ///< of the last one: links not read
  std::uint64_t history_requests = 0;             ///< HISTORY of links
  std::uint64_t history_recoveries = 0;           ///< of these with `recover`
  std::uint64_t history_from_ring = 0;            ///< recoveries that needed no broker
  std::uint64_t history_from_broker = 0;          ///< asked of the broker, each time
  std::uint64_t history_recovered_by_broker = 0;  ///< recoveries
  std::uint64_t history_incomplete = 0;           ///< recoveries that could not be had whole
  std::uint64_t presence_requests = 0;            ///< PRESENCE of links
  std::uint64_t requests_refused = 0;             ///< HISTORY and PRESENCE answered with ERROR
  std::uint64_t presence_changes = 0;             ///< given to the broker, those set again included
  std::uint64_t presence_refused = 0;             ///< over kPresenceEntriesMax
};

class Router final : public BrokerEvents, public LocalRequests {
  friend struct RouterCodec;  // handover/

 public:
  /// `policy` outlives the Router; null: no channel has a history, nor an envelope.
  Router(RouterOptions options, Broker& broker, RouterWatcher& watcher, const TimeSource& time,
         Random& random, const ChannelPolicy* policy = nullptr);

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
  void history(GatewayState& gateway, const proto::History& asked);
  void presence(GatewayState& gateway, const proto::Presence& asked);
  void set_presence(GatewayState& gateway, const proto::PresenceSet& set);
  void clear_presence(GatewayState& gateway, const proto::PresenceClear& clear);
  /// The gateway has said all that it has since its WELCOME.
  void presence_synced(GatewayState& gateway);
  void inform(GatewayState& gateway, const proto::GatewayInfo& info) { gateway.info = info; }
  void mark_drain(GatewayState& gateway, const proto::DrainMark& mark);
  /// Passed on to the gateway named; `tool` hears whether that could be done. Without a name it is
  /// for the relay: the watcher hears of it once the tool's answer stands in its queue.
  void control(GatewayState& tool, const proto::Control& control);
  /// What is to be sent next.
  void take(GatewayState& gateway, Outgoing& out);
  /// The next piece of an answer to HISTORY or PRESENCE. Asks nobody: so it may be called from
  /// wherever a link is written.
  void take_answer(GatewayState& gateway, AnswerPiece& out);
  /// An answer has begun and not ended: nothing else may be said on the link.
  [[nodiscard]] static bool answering(const GatewayState& gateway) {
    return gateway.requests.current.has_value();
  }

  // ---- the daemon

  /// Call every kTickInterval: deadlines, linger, age, presence to be set again.
  void tick();
  /// `schedule` is called when work() has something to do; work() must then be called when the loop
  /// turn's other work is done, not from inside. Without it tick() does it.
  void on_work(std::function<void()> schedule) { schedule_ = std::move(schedule); }
  /// Gives the broker what was gathered for it: changes of presence, questions.
  void work();
  /// What an earlier relay knew; before the first link.
  void restore(DrainMarks marks) { drain_marks_ = std::move(marks); }
  [[nodiscard]] const DrainMarks& drain_marks() const { return drain_marks_; }
  /// Held publishes fail now, later ones at once.
  void shut_down();

  // ---- a program that follows another in the same process (handover/)

  /// Nothing is given to the broker while it is on: what waits goes on waiting.
  void hold_publishes(bool on);
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
  /// Without those that no client can name (proto/names.h).
  [[nodiscard]] std::size_t public_channels() const { return channels_.size() - internal_; }
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
  /// Without those that nobody has asked for: what relays tell each other of themselves.
  [[nodiscard]] std::size_t asked_publishes_in_flight() const {
    return in_flight_.count() - unasked_in_flight_;
  }
  /// Questions that the broker has not answered.
  [[nodiscard]] std::size_t queries_in_flight() const { return queries_.size(); }
  /// HISTORY and PRESENCE of all links that are not answered.
  [[nodiscard]] std::size_t requests() const;
  /// Clients × channels, of all gateways.
  [[nodiscard]] std::size_t presence_entries() const;
  /// Entries of gateways that are gone, to be cleared.
  [[nodiscard]] std::size_t presence_leaving() const { return leaving_entries_; }
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

  // ---- LocalRequests

  void publish(const LocalPublish& publish,
               std::function<void(const LocalPublished&)> done) override;
  void history(std::string_view channel, const proto::HistoryQuery& query,
               std::function<void(const HistoryAnswer&)> done) override;
  void remove_history(std::string_view channel,
                      std::function<void(const HistoryAnswer&)> done) override;
  void presence(std::string_view channel, bool counts_only,
                std::function<void(const PresenceAnswer&)> done) override;
  void listen(std::string_view channel, std::function<void(proto::Bytes payload)> heard) override;

 private:
  /// Of the relay itself, and of no use later: nobody waits for its answer.
  [[nodiscard]] static bool unasked(const PublishRequest& origin) {
    return origin.link == kNoLink && !origin.acknowledge;
  }
  /// What the broker was asked, and for whom.
  struct Query {
    std::uint64_t link = 0;  ///< 0: of a part of the relay
    LinkRequest asked;
    std::function<void(const HistoryAnswer&)> history_done;
    std::function<void(const PresenceAnswer&)> presence_done;
  };

  // router_links.cc
  [[nodiscard]] Result<GatewayState*> fresh_state(std::string_view id);
  [[nodiscard]] bool make_room_for_gateway();
  [[nodiscard]] GatewayIndexOptions index_options(bool tool) const;
  void control_relay(GatewayState& tool, const proto::Control& control);
  void join(GatewayState& gateway, LinkPort& port, const proto::Hello& hello, std::int64_t pid);
  [[nodiscard]] Subscription* subscription_for(GatewayState& gateway, Channel& channel);
  void forget(GatewayState& gateway, TimePoint since);
  [[nodiscard]] Result<Channel*> channel_for(std::string_view name);
  Channel& add_channel(std::string_view name);
  [[nodiscard]] Channel* find_channel(std::string_view name) const;
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
  /// At once, or held in order.
  void submit(const PublishRequest& origin, std::string_view name, proto::Bytes payload,
              proto::Bytes meta, Duration wait, bool beside = false);
  void send_publish(const PublishRequest& origin, std::string_view channel, proto::Bytes payload,
                    proto::Bytes meta, bool beside);
  void release_held();
  void refuse(const PublishRequest& origin, proto::ErrorReason reason, std::string_view text);
  void expire_held(TimePoint now);

  // router_requests.cc
  void take_request(GatewayState& gateway, LinkRequest request);
  /// Begins the next answer. False: there is none.
  [[nodiscard]] bool begin_answer(GatewayState& gateway, AnswerPiece& out);
  void begin_waiting(GatewayState& gateway, LinkRequest request);
  [[nodiscard]] bool needs_broker(const LinkRequest& request) const;
  /// What the Router knows, where that needs no broker.
  [[nodiscard]] AnswerUnderWay answer_of_ours(const LinkRequest& request) const;
  void begin_answered(GatewayState& gateway, HeldAnswer held, AnswerPiece& out);
  /// False: the channel has gone on, and the ring has not all of what came since.
  [[nodiscard]] bool complete_history(const LinkRequest& asked, HistoryAnswer& found,
                                      AnswerUnderWay& answer) const;
  [[nodiscard]] bool complete_recovery(const LinkRequest& asked, HistoryAnswer& found,
                                       AnswerUnderWay& answer) const;
  [[nodiscard]] bool ring_has(const Channel& channel, std::uint64_t behind) const;
  /// The ring's entries of offsets (behind, top of the channel]; false: it has not all of them.
  [[nodiscard]] bool entries_behind(const Channel& channel, std::uint64_t behind,
                                    std::vector<RefPtr<const RingEntry>>& out) const;
  void want_broker(GatewayState& gateway);
  void ask_broker();
  void ask(GatewayState& gateway, LinkRequest request);
  void answered(Query query, std::variant<HistoryAnswer, PresenceAnswer, RequestRefusal> answer);
  void refuse_requests(GatewayState& gateway);
  [[nodiscard]] ChannelOptions options_of(std::string_view channel) const;
  /// Options of what is subscribed stay as they are.
  [[nodiscard]] ChannelOptions options_now(std::string_view channel) const;

  // router_presence.cc
  void change_presence(PresenceChange change);
  void flush_presence();
  void refresh_presence(TimePoint now);
  void refresh_presence_of(GatewayState& gateway, TimePoint now);
  void clear_leaving();
  /// Its entries are cleared by and by.
  void leave(PresenceTable table);
  void schedule_work();

  // router_local.cc
  /// Nothing: too many are under way.
  [[nodiscard]] std::optional<QueryId> add_local_query(Query query);
  void local_published(std::uint64_t id, const LocalPublished& outcome);
  void end_local_requests();

  // router.cc
  [[nodiscard]] std::uint64_t new_epoch();
  void set_broker_state(bool connected, std::string_view reason);
  /// `uncovered` unset: nobody knows of a time without listening.
  void break_continuity(Channel& channel, proto::Position top, std::optional<Duration> uncovered);
  /// A channel with history stands there now: what is between is lost, if anything is.
  void go_on_at(Channel& channel, proto::Position position, std::optional<Duration> uncovered);
  void lose_up_to(Channel& channel, proto::Position position);
  enum class Place { kNext, kBeside, kNone };
  /// The next message's position becomes the channel's top, unless it stands beside the history.
  /// kNone: it is of no use.
  [[nodiscard]] Place place(Channel& channel, const std::optional<proto::Position>& position);
  /// Null: nobody holds the channel. Else it is counted, and the next position is its own.
  [[nodiscard]] Channel* receive(std::string_view name, std::uint64_t bytes);
  void lose_oversized(Channel& channel, std::uint64_t bytes, bool beside);
  void route(const Channel& channel, RefPtr<const RingEntry> entry);

  RouterOptions options_;
  const ChannelPolicy* policy_;
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
  std::size_t internal_ = 0;  ///< of channels_
  StringMap<std::unique_ptr<GatewayState>> gateways_;
  StringMap<std::unique_ptr<GatewayState>> tools_;
  std::unordered_map<std::uint64_t, GatewayState*> links_;
  /// Channels without subscribers, the longest idle first.
  std::set<std::pair<TimePoint, Channel*>> idle_;
  PublishesInFlight in_flight_;
  std::size_t unasked_in_flight_ = 0;  ///< of them
  std::unordered_map<QueryId, Query> queries_;
  QueryId next_query_ = 1;
  std::size_t local_queries_ = 0;
  std::deque<std::uint64_t> askers_;  ///< links with questions for the broker, each once
  std::unordered_map<std::uint64_t, std::function<void(const LocalPublished&)>> local_publishes_;
  std::uint64_t next_local_publish_ = 1;
  StringMap<std::function<void(proto::Bytes)>> listeners_;
  std::vector<PresenceChange> presence_changes_;  ///< to go together, at most kPresenceBatch
  std::uint64_t presence_round_ = 1;              ///< +1 when all must be set again
  bool presence_missed_ = false;                  ///< the broker did not take a change
  std::deque<PresenceTable> leaving_;
  std::size_t leaving_entries_ = 0;
  std::function<void()> schedule_;
  bool work_scheduled_ = false;
  DrainMarks drain_marks_;
  TimePoint marks_expire_at_{};
  std::size_t subscriptions_ = 0;
  ChannelOrdinal next_ordinal_ = 1;
  std::uint64_t next_link_ = 1;
  std::uint64_t next_tool_ = 1;
  RouterStats stats_;
};

}  // namespace sluice::relay
