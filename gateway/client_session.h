// Step 2 of a message's path: one client's state, whatever carries its bytes. SessionState is plain
// data from which the session can be built again in another process; the rest of ClientSession
// belongs to this process alone.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/utf8.h"
#include "gateway/client_address.h"
#include "gateway/close_code.h"
#include "gateway/outbox.h"

struct lws;

namespace sluice::gateway {

class ClientProtocol;

/// A session by slot and generation: a stale one finds nothing.
struct ClientRef {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  ///< never 0 for a live session
  friend bool operator==(const ClientRef&, const ClientRef&) = default;
};

/// Random, made once, survives handoff.
using ClientId = std::array<std::uint64_t, 2>;

/// A channel that the client gets.
struct Subscription {
  std::uint32_t channel = 0;         ///< the Hub's channel slot
  std::uint32_t place = 0;           ///< index in that channel's subscriber array
  std::uint64_t began_sequence = 0;  ///< link sequence after which messages are due
};

/// The message that the client is in the middle of sending.
struct InboundMessage {
  std::string bytes;
  Utf8Validator utf8;
  bool open = false;
  bool text = false;
};

struct SessionState {
  ClientId id{};
  ClientAddress address;
  TimePoint connected_at{};
  std::uint64_t last_sequence = 0;  ///< link sequence of the last message put into the outbox
  std::vector<Subscription> subscriptions;
  InboundMessage inbound;
  TimePoint greeting_at{};    ///< zero: none due
  TimePoint ping_at{};        ///< next ping
  TimePoint pong_deadline{};  ///< zero: none awaited
};

enum class SessionPhase : std::uint8_t { kOpen, kClosing, kClosed };

struct ClientSession {
  ClientRef ref;
  SessionPhase phase = SessionPhase::kOpen;
  bool dirty = false;          ///< on the sender's list of this wake-up
  bool blocked = false;        ///< the socket took no more: wait for the writeable callback
  bool peer_closed = false;    ///< the client sent a close frame
  bool close_started = false;  ///< lws is told; nothing may be sent beside it
  CloseCode close_code = CloseCode::kNormal;
  const char* close_reason = "";  ///< static text
  int fd = -1;                    ///< for direct sends; owned by lws
  struct lws* wsi = nullptr;      ///< owned by the endpoint
  const ClientProtocol* protocol = nullptr;
  Outbox outbox;
  SessionState state;
};

/// 32 lower-case hexadecimal digits.
[[nodiscard]] std::string to_string(const ClientId& id);

}  // namespace sluice::gateway
