// Steps 3 and 12 of a message's path: who gets what. Pure: no libwebsockets, no sockets; the
// simulator runs it as it is.
//
// A channel lives from its first subscriber to its last. Who they are, and what they have still to
// get, the fan-out knows: one audience per protocol that is spoken on the channel.
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
#include "gateway/limits.h"
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
  // As RelayLinkEvents tells them.
  virtual void drain_marks(const std::vector<std::string_view>& /*balancers*/) {}
  virtual void relay_keeps(Duration /*ring_age*/, Duration /*linger*/) {}
  virtual void drain_mark_kept(std::string_view /*balancer*/) {}
  virtual void control(const proto::Control& /*control*/) {}
};

class Hub final : public RelayLinkEvents, public ProtocolActions {
 public:
  Hub(HubOptions options, SessionTable& sessions, Delivery& delivery, HubObserver& observer);
  /// Before anything else; `link` outlives the Hub's use.
  void attach(RelayLink& link) { link_ = &link; }

  // Client side.
  void opened(ClientSession& session, const UpgradeRequest& request);
  /// The same of a request that names a channel and nothing else.
  void opened(ClientSession& session, std::string_view channel);
  void received(ClientSession& session, proto::Bytes payload, bool text);
  /// Leaves all channels. Idempotent.
  void closed(ClientSession& session);
  /// Of a session that a process before this one had: in the order in which it subscribed, with
  /// last_sequence set. `earlier_link`: it was there before the link that is taken over began, and
  /// that was not the first one: it may have missed something. Sequences of an earlier link mean
  /// nothing on this one and count as 0. False: more channels than the gateway may have.
  [[nodiscard]] bool resubscribe(ClientSession& session, std::string_view channel,
                                 std::uint64_t began_sequence, bool earlier_link);
  /// All sessions are back; no client has been given what comes after `top`.
  void begin_catch_up(std::uint64_t top);
  /// In the order in which it subscribed.
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
  void link_state(bool up) override { observer_.link_state(up); }
  void broker_state(bool connected, std::string_view reason) override {
    observer_.broker_state(connected, reason);
  }
  void channel_message(std::uint32_t channel, const proto::Message& message) override;
  void channel_gap(std::uint32_t channel, const ChannelGap& gap) override;
  void channel_subscribed(std::uint32_t channel, proto::Position start) override;
  void channel_refused(std::uint32_t channel, std::string_view reason) override;
  void published(ClientRef origin) override;
  void publish_failed(ClientRef origin, proto::ErrorReason reason) override;
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
  [[nodiscard]] std::size_t channels() const { return by_name_.size(); }
  [[nodiscard]] std::size_t subscriptions() const { return subscriptions_; }
  [[nodiscard]] const FanOut& fan_out_state() const { return fan_out_; }

 private:
  struct Channel {
    std::string name;
    proto::Position position;
    std::vector<std::uint32_t> audiences;  ///< one per protocol: few
  };

  /// A subscriber of a channel, and the link sequence up to which it has what it carried.
  struct Reader {
    ClientRef ref;
    std::uint64_t has = 0;
  };

  /// Null: the bound on channels. `added`: the relay is to be asked for it.
  [[nodiscard]] Channel* find_or_add(std::string_view name, std::uint32_t& slot, bool& added);
  /// No session is further than `sequence`.
  void limit_sequences(std::uint64_t sequence);
  [[nodiscard]] static bool lacks(const Reader& reader, const ChannelGap& gap) {
    return gap.after == gap.through || reader.has < gap.through;
  }
  void tell_gap(ClientSession& session, const ChannelGap& gap, std::uint64_t has);
  [[nodiscard]] std::uint32_t audience_of(std::uint32_t slot, const ClientProtocol& protocol);
  void audience_left(std::uint32_t audience);
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
  FanOut fan_out_;
  HubStats stats_;
};

}  // namespace sluice::gateway
