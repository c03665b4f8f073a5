// Steps 2 and 12: what a client's messages mean and what its frames look like. Chosen at the
// upgrade, shared by all clients of one kind, keeps nothing per client: state lives in
// SessionState.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/client_session.h"
#include "gateway/frame_log.h"
#include "proto/frame.h"

namespace sluice::gateway {

/// A channel message on its way to the clients.
struct ChannelMessage {
  std::string_view channel;
  proto::Position position;
  proto::Bytes payload;
  proto::Bytes meta;
};

/// A hole in a channel, as far as anybody knows it.
struct ChannelGap {
  std::string_view channel;
  const char* cause = "";                      ///< "overrun", "broker", "relay restarted", …
  proto::Position position;                    ///< the channel goes on behind it
  std::uint64_t count = proto::kCountUnknown;  ///< messages missing
  std::uint64_t duration_ms = 0;               ///< 0: no such time
  /// What is missing had link sequences above `after`, up to `through`. Equal: nobody can place it.
  std::uint64_t after = 0;
  std::uint64_t through = 0;
};

/// Why a publish was not done; reason kUnknownFate: nobody knows whether it was.
struct PublishFailure {
  proto::ErrorReason reason{};
};

/// What a protocol may ask for. Implemented by the Hub.
class ProtocolActions {
 public:
  virtual ~ProtocolActions() = default;
  /// False: the gateway has as many channels as it may have.
  [[nodiscard]] virtual bool subscribe(ClientSession& session, std::string_view channel) = 0;
  /// The outcome comes as publish_failed() or not at all. False: refused at once, the queue is
  /// full.
  [[nodiscard]] virtual bool publish(ClientSession& session, std::string_view channel,
                                     proto::Bytes payload) = 0;
  /// The name of the first channel of the session; empty: none.
  [[nodiscard]] virtual std::string_view first_channel(const ClientSession& session) const = 0;
  virtual void deliver(ClientSession& session, FrameRef frame) = 0;
  virtual void close(ClientSession& session, CloseCode code, const char* reason) = 0;
};

class ClientProtocol {
 public:
  virtual ~ClientProtocol() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The frame of a channel message for every client of this protocol. Deterministic
  /// (ARCHITECTURE.md, Frames). `scratch` is the caller's: what is made here may stand there.
  [[nodiscard]] virtual EncodedMessage encode(const ChannelMessage& message,
                                              std::string& scratch) const = 0;

  virtual void opened(ClientSession& session, std::string_view channel,
                      ProtocolActions& actions) const = 0;
  /// A whole message; text is valid UTF-8.
  virtual void received(ClientSession& session, proto::Bytes payload, bool text,
                        ProtocolActions& actions) const = 0;
  virtual void greeting_due(ClientSession& session, ProtocolActions& actions) const = 0;
  virtual void publish_failed(ClientSession& session, const PublishFailure& failure,
                              ProtocolActions& actions) const = 0;
  virtual void gap(ClientSession& session, const ChannelGap& gap,
                   ProtocolActions& actions) const = 0;
};

}  // namespace sluice::gateway
