// Steps 3 and 12 of a message's path: who gets what. Pure: no libwebsockets, no sockets; the
// simulator runs it as it is.
//
// A channel lives from its first subscriber to its last. Who they are, and what they have still to
// get, the fan-out knows: one audience per protocol that is spoken on the channel.
//
// Joining (hub_joins.cc) is more than subscribing: the client is told where the channel stands, and
// gets what it has missed. Nobody waits for another: many joins wait for one SUBSCRIBE.
//
// After a takeover (ARCHITECTURE.md, Taking over) clients are at different link sequences. In this
// order: RelayLink::take_over(), each session with its last_sequence and resubscribe() for each of
// its subscriptions, begin_catch_up(), RelayLink::connected(). Then messages up to the highest
// sequence that any client has go at once, and only to who lacks them; from there on by the
// fan-out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/delivery.h"
#include "gateway/fan_out.h"
#include "gateway/joins.h"
#include "gateway/limits.h"
#include "gateway/presence_book.h"
#include "gateway/protocols/client_protocol.h"
#include "gateway/relay_link.h"
#include "gateway/session_table.h"

namespace sluice::gateway {

struct HubOptions {
  std::size_t channels_max = 0;
};

/// Counters, never reset.
struct HubStats {
  std::uint64_t messages_in = 0;   ///< channel messages from the relay
  std::uint64_t gap_events = 0;    ///< one per channel and hole
  std::uint64_t gap_messages = 0;  ///< missing messages, where the number is known
  std::uint64_t gaps_unknown = 0;  ///< holes of unknown size
  std::uint64_t received = 0;      ///< messages from clients
  std::uint64_t received_bytes = 0;
  std::uint64_t channels_refused = 0;  ///< over channels_max
  std::uint64_t joined = 0;
  std::uint64_t join_failures = 0;
  std::uint64_t recovered = 0;    ///< joins that got all since their position
  std::uint64_t unrecovered = 0;  ///< joins that asked for it in vain
  std::uint64_t recovered_publications = 0;
};

/// A client's subscription as its record keeps it.
struct SubscriptionRecord {
  std::string_view channel;  ///< until a channel is added or given up
  std::uint64_t began_sequence = 0;
};

/// What the Hub tells beside deliveries.
class HubObserver {
 public:
  virtual ~HubObserver() = default;
  /// RelayLinkEvents::link_begins, when the Hub is done with it. Not resumed: everybody's queue has
  /// all that was due on the link that was, and all last_sequence and began_sequence count from
  /// `last_sequence` of the new one.
  virtual void link_began(std::uint64_t /*relay_instance*/, std::uint64_t /*last_sequence*/,
                          bool /*resumed*/) {}
  virtual void link_state(bool up) = 0;
  virtual void broker_state(bool connected, std::string_view reason) = 0;
  virtual void channel_gap(const ChannelGap& gap) = 0;
  virtual void channel_subscribed(std::string_view channel) = 0;
  virtual void channel_refused(std::string_view channel, std::string_view reason) = 0;
  /// A message has been given to all its subscribers of one protocol; time stamp as on the wire.
  virtual void message_given(std::uint32_t received_micros) = 0;
  /// What its record says of it is not so any more: its subscriptions, its protocol's state.
  virtual void session_changed(ClientSession& /*session*/) {}
  /// Its due_at is sooner than ClientTimers knows.
  virtual void due_sooner(ClientSession& /*session*/) {}
  // As RelayLinkEvents tells them.
  virtual void drain_marks(const std::vector<std::string_view>& /*balancers*/) {}
  virtual void relay_keeps(Duration /*ring_age*/, Duration /*linger*/) {}
  virtual void drain_mark_kept(std::string_view /*balancer*/) {}
  virtual void control(const proto::Control& /*control*/) {}
};

class Hub final : public RelayLinkEvents, public ProtocolActions, private PresenceSink {
 public:
  /// What a channel carries, for somebody who is no client.
  using Listener = std::function<void(proto::Bytes payload, proto::Bytes meta)>;

  Hub(HubOptions options, SessionTable& sessions, Delivery& delivery, HubObserver& observer);
  /// Before anything else; `link` outlives the Hub's use.
  void attach(RelayLink& link) { link_ = &link; }

  // Client side.
  void opened(ClientSession& session, const UpgradeRequest& request);
  /// The same of a request that names a channel and nothing else.
  void opened(ClientSession& session, std::string_view channel);
  void received(ClientSession& session, proto::Bytes payload, bool text);
  /// It is told to its protocol; then leaves all channels, waits for nothing and is present
  /// nowhere. Idempotent.
  void closed(ClientSession& session);
  /// SessionState::due_at has come.
  void due(ClientSession& session);
  /// Of a session that a process before this one had: in the order in which it subscribed, with
  /// last_sequence set. `earlier_link`: it was there before the link that is taken over began, and
  /// that was not the first one: it may have missed something. Sequences of an earlier link mean
  /// nothing on this one and count as 0. False: more channels than the gateway may have.
  [[nodiscard]] bool resubscribe(ClientSession& session, std::string_view channel,
                                 std::uint64_t began_sequence, bool earlier_link);
  /// All sessions are back; no client has been given what comes after `top`.
  void begin_catch_up(std::uint64_t top);
  /// Of a session that a process before this one had, when all have their channels again: its
  /// protocol asks again for what was not answered.
  void resumed(ClientSession& session);
  /// The gateway itself hears a channel, for good: links come and go, the channel stays. What a
  /// process that was killed had heard just before its end is heard again. Not counted in
  /// channels_max. Once per channel, which clients can't name.
  void listen(std::string_view channel, Listener listener);
  /// Goes on with what waits: joins, presence that the relay is to be told. True: there is more to
  /// do. Call when a loop turn ends, before fan_out().
  bool work();
  /// Joins and questions of clients that have no answer yet.
  [[nodiscard]] std::size_t unanswered() const { return joins_.size() + queries_.size(); }
  /// In the order in which it subscribed, as long as it has left none.
  [[nodiscard]] std::vector<SubscriptionRecord> subscriptions_of(
      const ClientSession& session) const;
  /// Everybody has been given, or has queued, what is due up to this link sequence. Grows while the
  /// link goes on; link_began() tells when it starts anew. O(1).
  [[nodiscard]] std::uint64_t settled_sequence() const {
    return fan_out_.settled() ? link_->sequence() : fan_out_.settled_sequence();
  }
  /// Gives channel messages to about so many clients. True: there are more to give. Call when a
  /// loop turn ends.
  bool fan_out(std::size_t clients_max);
  /// Has so much to give that the relay's next messages should wait.
  [[nodiscard]] bool congested() const { return fan_out_.pending_bytes() > kFanOutPendingBytesMax; }
  /// What a client has still to get of its channels.
  [[nodiscard]] DueSource& due() { return fan_out_; }

  // ProtocolActions.
  [[nodiscard]] bool subscribe(ClientSession& session, std::string_view channel) override;
  [[nodiscard]] bool publish(ClientSession& session, const PublishRequest& request) override;
  void publish(std::string_view channel, proto::Bytes payload) override;
  [[nodiscard]] bool join(ClientSession& session, const JoinRequest& request) override;
  void leave(ClientSession& session, std::string_view channel) override;
  [[nodiscard]] std::optional<ChannelNumber> channel_number(
      std::string_view channel) const override;
  [[nodiscard]] bool ask_history(ClientSession& session, Ticket ticket, std::string_view channel,
                                 const proto::HistoryQuery& query) override;
  [[nodiscard]] bool ask_presence(ClientSession& session, Ticket ticket, std::string_view channel,
                                  bool counts_only) override;
  void set_presence(ClientSession& session, const proto::PresenceSet& presence) override;
  void clear_presence(ClientSession& session, std::string_view channel,
                      std::string_view client) override;
  void changed(ClientSession& session) override;
  [[nodiscard]] std::string_view first_channel(const ClientSession& session) const override;
  void deliver(ClientSession& session, FrameRef frame) override {
    delivery_.deliver(session, std::move(frame));
  }
  void close(ClientSession& session, CloseCode code, const char* reason) override {
    delivery_.close(session, code, reason);
  }
  void close_as(ClientSession& session, CloseCode code, const char* reason,
                CloseReason counted) override {
    delivery_.close_as(session, code, reason, counted);
  }

  // RelayLinkEvents.
  void link_begins(std::uint64_t relay_instance, std::uint64_t last_sequence,
                   bool resumed) override;
  void link_state(bool up) override;
  void broker_state(bool connected, std::string_view reason) override {
    observer_.broker_state(connected, reason);
  }
  void channel_message(std::uint32_t channel, const proto::Message& message) override;
  void channel_gap(std::uint32_t channel, const ChannelGap& gap) override;
  void channel_subscribed(std::uint32_t channel, proto::Position start, bool history) override;
  void channel_refused(std::uint32_t channel, std::string_view reason) override;
  void published(const PublishOrigin& origin) override;
  void publish_failed(const PublishOrigin& origin, proto::ErrorReason reason) override;
  void history(RequestId request, const HistoryAnswer& answer) override;
  void presence(RequestId request, const PresenceFound& found) override;
  void request_failed(RequestId request, proto::ErrorReason reason) override;
  void drain_marks(const std::vector<std::string_view>& balancers) override {
    observer_.drain_marks(balancers);
  }
  void relay_keeps(Duration ring_age, Duration linger) override {
    observer_.relay_keeps(ring_age, linger);
  }
  void drain_mark_kept(std::string_view balancer) override { observer_.drain_mark_kept(balancer); }
  void control(const proto::Control& control) override { observer_.control(control); }

  [[nodiscard]] const HubStats& stats() const { return stats_; }
  [[nodiscard]] std::string_view channel_name(ChannelNumber channel) const override {
    return channels_[channel].name;
  }
  /// Until a channel is added or given up.
  [[nodiscard]] std::string_view channel_name(const Subscription& subscription) const {
    return channels_[channel_of_[subscription.audience]].name;
  }
  /// Of clients.
  [[nodiscard]] std::size_t channels() const { return by_name_.size() - listeners_.size(); }
  [[nodiscard]] std::size_t subscriptions() const { return subscriptions_; }
  [[nodiscard]] const FanOut& fan_out_state() const { return fan_out_; }
  [[nodiscard]] std::size_t joins_waiting() const { return joins_.size(); }
  [[nodiscard]] const PresenceBook& presence_book() const { return presence_; }

 private:
  struct Channel {
    std::string name;
    proto::Position position;
    std::vector<std::uint32_t> audiences;  ///< one per protocol: few
    bool confirmed = false;  ///< on this link, and its position is known: sessions may join
    bool history = false;    ///< positions are the same on every host
    bool awaited = false;    ///< a join is kBehind
    bool listened = false;
  };
  /// A question of a session, or of a join of it.
  struct Query {
    ClientRef session;
    Ticket ticket = 0;
    bool of_join = false;
    std::uint32_t channel = 0;  ///< of_join
  };

  /// A subscriber of a channel, and the link sequence up to which it has what it carried.
  struct Reader {
    ClientRef ref;
    std::uint64_t has = 0;
  };

  [[nodiscard]] std::optional<std::uint32_t> find_channel(std::string_view name) const;
  /// Null: the bound on channels. `added`: the relay is to be asked for it.
  [[nodiscard]] Channel* find_or_add(std::string_view name, std::uint32_t& slot, bool& added);
  [[nodiscard]] std::uint32_t add_channel(std::string name);
  /// No session is further than `sequence`.
  void limit_sequences(std::uint64_t sequence);
  [[nodiscard]] static bool lacks(const Reader& reader, const ChannelGap& gap) {
    return gap.after == gap.through || reader.has < gap.through;
  }
  void tell_gap(ClientSession& session, const ChannelGap& gap, std::uint64_t has);
  [[nodiscard]] std::uint32_t audience_of(std::uint32_t slot, const ClientProtocol& protocol);
  void audience_left(std::uint32_t audience);
  /// The session gets what the channel carries from now on.
  void begin_subscription(ClientSession& session, std::uint32_t slot);
  /// Asks the relay for a channel that is `added`, or that it has refused to others before.
  void ask_for(std::uint32_t slot, bool added);
  /// Index in its subscriptions; nothing: it has not that channel.
  [[nodiscard]] std::optional<std::size_t> subscription_of(const ClientSession& session,
                                                           std::uint32_t slot) const;
  /// Whoever had the channel has it no more: without subscriber, join and listener it ends.
  void end_if_unused(std::uint32_t slot);
  /// The channel's position has moved, or is known.
  void position_moved(std::uint32_t slot);
  /// Behind each call of a session's protocol.
  void called(ClientSession& session) {
    const TimePoint due = session.state.due_at;
    if (due != TimePoint{} && due < session.timer_at) observer_.due_sooner(session);
  }
  [[nodiscard]] bool catching_up() const { return link_->sequence() < catch_up_top_; }

  // hub_joins.cc
  /// Goes on with so many at most. True: more can go on.
  bool run_joins(std::size_t joins_max);
  /// False: not now.
  [[nodiscard]] bool go_on(Joins::Id id);
  void join_answered(Joins::Id id, const HistoryAnswer& answer);
  void finish_join(Joins::Id id, bool recovered, std::span<const PublicationView> publications);
  void fail_join(Joins::Id id, proto::ErrorReason reason);
  void give_up_joins(const ClientSession& session);
  [[nodiscard]] Joins::Id join_of(const Query& query, RequestId request);
  [[nodiscard]] std::optional<Query> take_query(RequestId request);
  /// Null: it has gone, or is going.
  [[nodiscard]] ClientSession* asker(const Query& query) const;

  // PresenceSink.
  [[nodiscard]] bool takes_presence() const override { return link_->takes_presence(); }
  void say(const proto::PresenceSet& set) override { link_->say(set); }
  void say(const proto::PresenceClear& clear) override { link_->say(clear); }
  void say_synced() override { link_->say_presence_synced(); }
  void presence_overrun() override { link_->give_up(); }
  [[nodiscard]] std::string_view presence_channel(std::uint32_t channel) const override {
    return channels_[channel].name;
  }
  /// All of a channel, as they are now: what is done to them may change the channel.
  [[nodiscard]] const std::vector<Reader>& subscribers(const Channel& channel);

  HubOptions options_;
  SessionTable& sessions_;
  Delivery& delivery_;
  HubObserver& observer_;
  RelayLink* link_ = nullptr;
  std::vector<Channel> channels_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> channel_of_;  ///< by audience
  std::unordered_map<std::string, std::uint32_t> by_name_;
  std::size_t subscriptions_ = 0;
  std::uint64_t catch_up_top_ = 0;  ///< 0: nothing to catch up with on this link
  std::vector<Reader> scratch_;
  Joins joins_;
  std::unordered_map<RequestId, Query> queries_;           ///< at most kLinkRequestsMax
  std::unordered_map<std::uint32_t, Listener> listeners_;  ///< by channel
  PresenceBook presence_;
  FanOut fan_out_;
  HubStats stats_;
};

}  // namespace sluice::gateway
