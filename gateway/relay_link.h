// Steps 4 and 11 of a message's path: the gateway's side of the relay link as a state machine. No
// I/O: bytes go in and come out, time is handed in, so that the simulator runs the very same code.
// relay_connection moves the bytes.
//
// What survives the loss of a connection: wanted channels with their positions, the link sequence,
// held publishes, questions (link_requests). What does not: publishes written and unanswered;
// nobody knows their fate and they are never sent again.
//
// What survives the loss of the process: the link sequence (take_over) and the names of the
// channels (restore). The relay tells the rest, or the channels begin anew with a gap.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/clock.h"
#include "gateway/balancers.h"
#include "gateway/limits.h"
#include "gateway/link_requests.h"
#include "gateway/protocols/client_protocol.h"
#include "gateway/publish_hold.h"
#include "proto/decoder.h"
#include "proto/encoder.h"

namespace sluice::gateway {

struct RelayLinkOptions {
  std::string gateway_id;
  Duration publish_wait{};
  std::size_t publish_queue_bytes = 0;
  std::size_t channels_max = 10000;  ///< of the Hub: what it may ask of the relay
};

/// Counters, never reset.
struct RelayLinkStats {
  std::uint64_t connects = 0;
  std::uint64_t resumes = 0;
  std::uint64_t losses = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t messages_in = 0;
  std::uint64_t publishes_out = 0;
  std::uint64_t published = 0;         ///< acknowledged
  std::uint64_t publish_timeouts = 0;  ///< waited out here or at the relay
  std::uint64_t publish_queue_full = 0;
  std::uint64_t publish_refused = 0;  ///< any other error
  std::uint64_t publish_unknown = 0;  ///< unknown fate
  std::uint64_t histories = 0;        ///< HISTORY asked for
  std::uint64_t presences = 0;        ///< PRESENCE asked for
};

/// What the link tells the Hub. `channel` is the Hub's own number, given with subscribe().
class RelayLinkEvents : public LinkAnswers {
 public:
  /// WELCOME came. Not resumed: sequences begin anew behind `last_sequence`; until this returns
  /// sequence() is still that of the link that was. Before link_state(true).
  virtual void link_begins(std::uint64_t /*relay_instance*/, std::uint64_t /*last_sequence*/,
                           bool /*resumed*/) {}
  virtual void link_state(bool up) = 0;
  virtual void broker_state(bool connected, std::string_view reason) = 0;
  virtual void channel_message(std::uint32_t channel, const proto::Message& message) = 0;
  virtual void channel_gap(std::uint32_t channel, const ChannelGap& gap) = 0;
  /// Confirmed; first time or again. Epoch 0: the position is not known, a gap will tell it.
  /// `history`: positions are the same on every host.
  virtual void channel_subscribed(std::uint32_t channel, proto::Position start, bool history) = 0;
  /// The relay will not have this channel (its bound on channels).
  virtual void channel_refused(std::uint32_t channel, std::string_view reason) = 0;
  /// Each publish that was not refused at once ends in one of these.
  virtual void published(const PublishOrigin& origin) = 0;
  virtual void publish_failed(const PublishOrigin& origin, proto::ErrorReason reason) = 0;
  /// Of WELCOME: balancers that this gateway's id has marked as told `drain`.
  virtual void drain_marks(const std::vector<std::string_view>& /*balancers*/) {}
  /// Of WELCOME: how long the relay keeps messages, and the place of a gateway that is away.
  virtual void relay_keeps(Duration /*ring_age*/, Duration /*linger*/) {}
  /// The relay keeps the mark.
  virtual void drain_mark_kept(std::string_view /*balancer*/) {}
  /// An operator asks for something.
  virtual void control(const proto::Control& /*control*/) {}
};

class RelayLink final : public DrainMemory {
 public:
  RelayLink(RelayLinkOptions options, RelayLinkEvents& events, const TimeSource& time);

  // The Hub's side.
  void subscribe(std::string_view name, std::uint32_t channel);
  /// Somebody new wants a channel that is subscribed to. Asks anew if the relay has refused it:
  /// those who were told so may still be on their way out.
  void ask_again(std::string_view name);
  /// As subscribe(), after take_over() and before the first connected(): a process that is gone had
  /// clients on it. If the stream can't go on where it was, channel_gap() tells it. `earlier_link`:
  /// they may have been there since before the link that is taken over began. Again for each
  /// client.
  void restore(std::string_view name, std::uint32_t channel, bool earlier_link);
  void unsubscribe(std::string_view name);
  /// kFull: refused, at once and for good.
  [[nodiscard]] Enqueue publish(const PublishOrigin& origin, std::string_view channel,
                                proto::Bytes payload, proto::Bytes meta);
  /// Asked now, or as soon as there is a link. Ends in one of LinkAnswers, never from inside. 0:
  /// too many are unanswered, or the relay does not know how.
  [[nodiscard]] RequestId ask(LinkQuestion question);
  /// Of the relay heard last; true before any was.
  [[nodiscard]] bool knows_history() const { return knows_history_; }
  [[nodiscard]] std::size_t requests_pending() const { return requests_.size(); }
  /// Presence may be said.
  [[nodiscard]] bool takes_presence() const {
    return phase_ == Phase::kReady && knows_history_ && output().size() < kLinkOutputLowBytes;
  }
  void say(const proto::PresenceSet& set) { proto::encode(output_, set); }
  void say(const proto::PresenceClear& clear) { proto::encode(output_, clear); }
  void say_presence_synced() { proto::encode_presence_synced(output_); }
  /// At the next tick the connection is given up: the relay does not keep up with what it is told.
  void give_up() { given_up_ = true; }
  [[nodiscard]] bool up() const { return phase_ == Phase::kReady; }
  /// Before the first connected(): goes on for a process that is gone, behind this sequence of its
  /// link to this relay. relay_instance 0: it had none.
  void take_over(std::uint64_t relay_instance, std::uint64_t last_sequence);
  /// After take_over(): up to this sequence clients are at different places. A link that begins
  /// anew before it is reached can't go on from channels' positions: they are not those of all
  /// clients.
  void catch_up_to(std::uint64_t sequence) { catch_up_top_ = sequence; }
  /// Link sequence of the last message or gap that the Hub has worked off.
  [[nodiscard]] std::uint64_t sequence() const { return sequence_; }
  /// Publishes held here or written and unanswered.
  [[nodiscard]] std::size_t publishes_pending() const { return hold_.count() + in_flight_.size(); }
  [[nodiscard]] std::size_t hold_bytes() const { return hold_.bytes(); }
  [[nodiscard]] const RelayLinkStats& stats() const { return stats_; }
  /// Largest payload that the relay takes; what is larger is refused by it.
  [[nodiscard]] std::size_t payload_bytes_max() const { return payload_bytes_max_; }

  // The connection's side.
  /// A new connection stands: says HELLO.
  void connected();
  /// It is gone, or shall be given up. Idempotent.
  void disconnected();
  [[nodiscard]] std::span<std::uint8_t> prepare() { return decoder_->prepare(); }
  /// Handles what was read into prepare(). An error: give the connection up, the text says why.
  [[nodiscard]] Result<void> commit(std::size_t bytes);
  /// Bytes to be written; take from the front with sent().
  [[nodiscard]] std::string_view output() const {
    return std::string_view(output_).substr(output_sent_);
  }
  void sent(std::size_t bytes);
  /// Call every 100 ms to 1 s: deadlines of held publishes, pings, silence. An error: give the
  /// connection up.
  [[nodiscard]] Result<void> tick();
  /// What the relay's status shall show; told at a later tick, when it has changed.
  void inform(const proto::GatewayInfo& info) { info_ = info; }
  // DrainMemory: told now or as soon as the relay is there, until it has answered.
  void mark_drained(std::string_view balancer) override { tell_mark(balancer, true); }
  void clear_drained(std::string_view balancer) override { tell_mark(balancer, false); }
  /// Refuses what is held: nobody will be there to send it.
  void refuse_held();
  /// Tells the relay that this gateway ends for good.
  void goodbye();

 private:
  enum class Phase { kDown, kAwaitWelcome, kReady };

  struct Channel {
    std::string name;
    std::uint32_t hub_channel = 0;
    std::uint32_t id = 0;       ///< 0: not confirmed on this link state
    std::uint64_t request = 0;  ///< of the SUBSCRIBE not yet answered; 0: none
    proto::Position position;   ///< last seen; epoch 0: nothing yet
    bool restored = false;      ///< a process before this one had clients on it
    bool unplaced = false;      ///< restored, and its stream can't go on: something may be missing
  };

  [[nodiscard]] Result<void> handle(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_welcome(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_subscribed(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_unsubscribed(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_message(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_gap(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_published(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_error(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_subscribe_refused(const proto::ErrorFrame& error);
  [[nodiscard]] Result<void> on_broker_state(const proto::FrameView& frame);
  void forget_link_state();
  void subscribe_missing();
  /// Of a MESSAGE or GAP: a subscription that a process before this one gave up, too early to be
  /// told.
  [[nodiscard]] bool ended_before(std::uint32_t channel_id) const {
    return leaving_.contains(channel_id) || sequence_ < recalled_until_;
  }
  [[nodiscard]] Channel& add_channel(std::string_view name, std::uint32_t channel);
  void tell_cut(std::uint64_t through);
  void send_subscribe(Channel& channel);
  [[nodiscard]] Result<void> on_answer(const proto::FrameView& frame);
  template <typename Part>
  [[nodiscard]] Result<void> take_answer(const Result<Part>& part);
  void flush_requests();
  [[nodiscard]] ChannelGap break_of(const Channel& channel, const proto::Subscribed& answer) const;
  [[nodiscard]] bool may_write_publish() const;
  void write_publish(const PublishOrigin& origin, std::string_view channel, proto::Bytes payload,
                     proto::Bytes meta, Duration wait);
  void tell_info();
  void tell_mark(std::string_view balancer, bool set);
  [[nodiscard]] Result<void> on_drain_mark(const proto::FrameView& frame);
  [[nodiscard]] Result<void> on_control(const proto::FrameView& frame);
  void flush_hold();
  void expire_hold();
  void fail_publish(const PublishOrigin& origin, proto::ErrorReason reason);
  [[nodiscard]] Result<void> check_bounds();

  RelayLinkOptions options_;
  RelayLinkEvents& events_;
  const TimeSource& time_;
  Phase phase_ = Phase::kDown;
  std::unique_ptr<proto::Decoder> decoder_;
  std::string output_;
  std::size_t output_sent_ = 0;
  std::uint64_t relay_instance_ = 0;
  std::uint64_t sequence_ = 0;
  bool taken_over_ = false;
  bool forgotten_ = false;  ///< the relay has not told all subscriptions yet
  std::uint64_t recalled_until_ = 0;
  std::uint64_t catch_up_top_ = 0;
  /// GAPs of the cut under way: the one that says how far it goes is still to come.
  std::vector<proto::Gap> cut_;
  std::uint64_t next_request_ = 1;
  std::size_t payload_bytes_max_ = proto::kPayloadBytesMax;
  std::unordered_map<std::string, std::unique_ptr<Channel>> channels_;
  std::unordered_map<std::uint32_t, Channel*> by_id_;
  std::unordered_set<std::uint32_t> leaving_;  ///< unsubscribed, not yet confirmed
  std::unordered_map<std::uint64_t, PublishOrigin> in_flight_;
  LinkRequests requests_;
  bool knows_history_ = true;
  bool given_up_ = false;
  PublishHold hold_;
  TimePoint last_heard_{};
  TimePoint last_tick_{};
  TimePoint down_since_{};
  bool pinged_ = false;
  std::optional<proto::GatewayInfo> info_;
  std::optional<proto::GatewayInfo> told_info_;  ///< on this connection
  TimePoint told_info_at_{};
  std::map<std::string, bool, std::less<>> marks_unanswered_;  ///< at most kMarksUnansweredMax
  RelayLinkStats stats_;
};

}  // namespace sluice::gateway
