// Steps 2 and 12: what a client's messages mean and what its frames look like. Chosen at the
// upgrade, shared by all clients of one kind, keeps nothing per client: state lives in
// SessionState, a protocol's own in its ProtocolState.
//
// What a protocol asks of the Hub and the relay is answered later, never from inside, by the
// virtuals of the same name. A ticket is the protocol's own number for it: of one session, 0 where
// no answer is wanted. After a takeover nothing that was asked before is answered: the protocol
// asks again (resumed()).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/client_session.h"
#include "gateway/frame_log.h"
#include "gateway/upgrade_request.h"
#include "proto/frame.h"

namespace sluice::gateway {

/// A channel message on its way to the clients.
struct ChannelMessage {
  std::string_view channel;
  proto::Position position;  ///< offset 0: beside the channel's history, without a place in it
  proto::Bytes payload;
  proto::Bytes meta;
};

/// A hole in a channel, as far as anybody knows it.
struct ChannelGap {
  std::string_view channel;
  const char* cause = "";  ///< "overrun", "broker", "relay restarted", …
  /// The channel goes on behind it. After a takeover a gap may be told again to a client that has
  /// more than this by then.
  proto::Position position;
  std::uint64_t count = proto::kCountUnknown;  ///< messages missing
  std::uint64_t duration_ms = 0;               ///< 0: no such time
  /// What is missing had link sequences above `after`, up to `through`. Equal: nobody can place it.
  std::uint64_t after = 0;
  std::uint64_t through = 0;
};

using Ticket = std::uint32_t;
/// For a protocol that need not tell its requests apart.
inline constexpr Ticket kAnyTicket = 1;

/// Why a publish was not done; reason kUnknownFate: nobody knows whether it was.
struct PublishFailure {
  proto::ErrorReason reason{};
  Ticket ticket = 0;
};

/// The Hub's number of a channel: valid while anybody is subscribed to it.
using ChannelNumber = std::uint32_t;

/// To get a channel, and first, with `since`, all that came behind that position, or the word that
/// this can't be had. An epoch of 0 there stands for the one that the channel has now.
struct JoinRequest {
  std::string_view channel;
  Ticket ticket = 0;
  std::optional<proto::Position> since;
  std::uint32_t recover_max = 0;  ///< publications; more than that can't be had
};

struct PublicationView {
  std::uint64_t offset = 0;
  proto::Bytes payload;
  proto::Bytes meta;
};

/// The client is a subscriber from here on: what comes next has position.offset + 1.
struct Joined {
  ChannelNumber channel = 0;
  proto::Position position;
  bool history = false;    ///< the position is the same on every host
  bool recovered = false;  ///< `since` was set: `publications` is all between it and `position`
  std::span<const PublicationView> publications;  ///< for the call
};

struct HistoryFound {
  proto::Position top;  ///< epoch 0: the channel has no position
  std::span<const PublicationView> publications;
};

struct PresenceView {
  std::string_view client;
  proto::Bytes info;  ///< envelope.proto, Client
};

struct PresenceFound {
  std::uint32_t clients = 0;
  std::uint32_t users = 0;
  std::span<const PresenceView> entries;  ///< empty when only counts were asked for
};

struct PublishRequest {
  std::string_view channel;
  proto::Bytes payload{};
  proto::Bytes meta{};
  Ticket ticket = 0;
};

/// What a protocol may ask for. Implemented by the Hub.
class ProtocolActions {
 public:
  virtual ~ProtocolActions() = default;
  /// False: the gateway has as many channels as it may have.
  [[nodiscard]] virtual bool subscribe(ClientSession& session, std::string_view channel) = 0;
  /// As subscribe(), and tells where the stream begins: joined() or request_failed(). False: the
  /// gateway has as many channels, or sessions that wait, as it may have; no answer comes. A second
  /// one for a channel that the session has, or waits for, is the protocol's fault. While the relay
  /// is away it waits; of a session that closes no answer comes.
  [[nodiscard]] virtual bool join(ClientSession& session, const JoinRequest& request) = 0;
  /// Of a channel that it has, or waits for: then no answer comes any more. What was due of it
  /// until now still goes out first. Idempotent.
  virtual void leave(ClientSession& session, std::string_view channel) = 0;
  /// Nothing: no session of this gateway has it.
  [[nodiscard]] virtual std::optional<ChannelNumber> channel_number(
      std::string_view channel) const = 0;
  [[nodiscard]] virtual std::string_view channel_name(ChannelNumber channel) const = 0;
  /// The outcome is published() or publish_failed() when there is a ticket. False: refused at once,
  /// the queue is full.
  [[nodiscard]] virtual bool publish(ClientSession& session, const PublishRequest& request) = 0;
  /// For nobody in particular: members channels. Failures are counted.
  virtual void publish(std::string_view channel, proto::Bytes payload) = 0;
  /// Answered by history() or request_failed(), which it is too when the relay stays away. False:
  /// too many are unanswered, or the relay does not know how.
  [[nodiscard]] virtual bool ask_history(ClientSession& session, Ticket ticket,
                                         std::string_view channel,
                                         const proto::HistoryQuery& query) = 0;
  /// Answered by presence() or request_failed().
  [[nodiscard]] virtual bool ask_presence(ClientSession& session, Ticket ticket,
                                          std::string_view channel, bool counts_only) = 0;
  /// The client is in the channel, which it has: else nothing is done. The Hub says it again to a
  /// relay that may have forgotten, and clears it when the client leaves the channel or ends.
  /// `client` and `user` as presence shall have them: of a session always the same. After a
  /// takeover the protocol says it again (resumed()), or the client counts as gone.
  virtual void set_presence(ClientSession& session, const proto::PresenceSet& presence) = 0;
  virtual void clear_presence(ClientSession& session, std::string_view channel,
                              std::string_view client) = 0;
  /// The session's record is to be written again, in front of what is sent next: its ProtocolState
  /// has changed. Also after due_at was set outside of a ClientProtocol's call.
  virtual void changed(ClientSession& session) = 0;
  /// The name of the first channel of the session; empty: none.
  [[nodiscard]] virtual std::string_view first_channel(const ClientSession& session) const = 0;
  virtual void deliver(ClientSession& session, FrameRef frame) = 0;
  virtual void close(ClientSession& session, CloseCode code, const char* reason) = 0;
  /// The same, counted as something else than its code says.
  virtual void close_as(ClientSession& session, CloseCode code, const char* reason,
                        CloseReason /*counted*/) {
    close(session, code, reason);
  }
};

class ClientProtocol {
 public:
  virtual ~ClientProtocol() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The frame of a channel message for every client of this protocol. Deterministic
  /// (ARCHITECTURE.md, Frames). `scratch` is the caller's: what is made here may stand there.
  [[nodiscard]] virtual EncodedMessage encode(const ChannelMessage& message,
                                              std::string& scratch) const = 0;

  virtual void opened(ClientSession& session, const UpgradeRequest& request,
                      ProtocolActions& actions) const = 0;
  /// A whole message; text is valid UTF-8.
  virtual void received(ClientSession& session, proto::Bytes payload, bool text,
                        ProtocolActions& actions) const = 0;
  /// SessionState::due_at has come; it has been set to zero.
  virtual void due(ClientSession& session, ProtocolActions& actions) const = 0;
  virtual void publish_failed(ClientSession& session, const PublishFailure& failure,
                              ProtocolActions& actions) const = 0;
  virtual void gap(ClientSession& session, const ChannelGap& gap,
                   ProtocolActions& actions) const = 0;

  /// What a client is told when the gateway ends its connection: of the gateway's own codes those
  /// that the protocol's clients understand. Codes of the protocol stay as they are.
  [[nodiscard]] virtual Farewell farewell(Farewell own, CloseReason /*counted*/) const {
    return own;
  }

  // What not every protocol asks for.
  virtual void joined(ClientSession& /*session*/, Ticket /*ticket*/, const Joined& /*joined*/,
                      ProtocolActions& /*actions*/) const {}
  virtual void published(ClientSession& /*session*/, Ticket /*ticket*/,
                         ProtocolActions& /*actions*/) const {}
  virtual void history(ClientSession& /*session*/, Ticket /*ticket*/, const HistoryFound& /*found*/,
                       ProtocolActions& /*actions*/) const {}
  virtual void presence(ClientSession& /*session*/, Ticket /*ticket*/,
                        const PresenceFound& /*found*/, ProtocolActions& /*actions*/) const {}
  /// join(), ask_history() or ask_presence() came to nothing.
  virtual void request_failed(ClientSession& /*session*/, Ticket /*ticket*/,
                              proto::ErrorReason /*reason*/, ProtocolActions& /*actions*/) const {}
  /// The session ends: last words about it, while it still has its channels. Nothing can be sent to
  /// it. Not called when its process parks or dies: then it goes on in another.
  virtual void closed(ClientSession& /*session*/, ProtocolActions& /*actions*/) const {}
  /// Its ProtocolState as bytes for the session's record; nothing when it has none.
  virtual void save(const ClientSession& /*session*/, std::string& /*record*/) const {}
  /// False: bytes that save() never made. No actions yet: subscriptions come after it.
  [[nodiscard]] virtual bool restore(ClientSession& /*session*/, proto::Bytes record) const {
    return record.empty();
  }
  /// A restored session has its channels again, and nothing of it was received yet. The link to
  /// the relay may not stand: questions and joins wait for it.
  virtual void resumed(ClientSession& /*session*/, ProtocolActions& /*actions*/) const {}
};

}  // namespace sluice::gateway
