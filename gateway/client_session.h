// Step 2 of a message's path: one client's state, whatever carries its bytes. SessionState is plain
// data from which the session can be built again in another process; the rest of ClientSession
// belongs to this process alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/token_bucket.h"
#include "gateway/client_identity.h"
#include "gateway/close_code.h"
#include "gateway/gateway_stats.h"
#include "gateway/outbox.h"
#include "gateway/ws_scanner.h"
#include "keeper/shared_state.h"

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
  std::uint32_t audience = 0;        ///< FanOut's slot: the channel's clients of this protocol
  std::uint32_t place = 0;           ///< index in that audience's subscriber array
  std::uint64_t began_sequence = 0;  ///< link sequence after which messages are due
};

/// The message that the client is in the middle of sending. Where in the byte stream that is, and
/// whether a text is UTF-8 so far, the scanner knows.
struct InboundMessage {
  std::string bytes;
  bool open = false;
  bool text = false;
  std::size_t recorded = 0;  ///< so many of `bytes` stand in the state memory (handoff/in_recorder)
};

/// What a protocol keeps of a client beside all this; made by the protocol, saved and restored by
/// it.
class ProtocolState {
 public:
  virtual ~ProtocolState() = default;
};

struct SessionState {
  std::uint64_t last_sequence = 0;  ///< link sequence up to which it was given what was due
  std::vector<Subscription> subscriptions;
  ClientId id{};
  ClientAddress address;
  std::unique_ptr<const ClientFacts> facts;  ///< null: none were told
  TimePoint connected_at{};
  TimePoint spoke_at{};    ///< its last message; never: when it connected
  TimePoint expires_at{};  ///< --max-connection-age; zero: never, or told to go
  WsScanner scanner;
  InboundMessage inbound;
  TokenBucket messages;         ///< --client-message-rate
  TimePoint due_at{};           ///< when the protocol wants to be called (due()); zero: never
  TimePoint ping_at{};          ///< next ping
  TimePoint pong_deadline{};    ///< zero: none awaited
  bool protocol_pings = false;  ///< the protocol asks for signs of life itself: no WebSocket pings
  std::unique_ptr<ProtocolState> protocol;  ///< null: the protocol keeps nothing
};

/// Where our byte stream to the client stands, for the records that a successor goes by
/// (handoff/out_recorder).
struct OutPosition {
  std::uint64_t written = 0;   ///< bytes that the socket has taken since the slot opened
  std::uint64_t sequence = 0;  ///< what channels bring up to here was sent or stands in the outbox
  std::uint32_t link_generation = 0;  ///< of which that sequence is
  keeper::ArenaUnit queue_block = 0;  ///< in which the outbox is recorded; 0: in none
  bool recorded = false;              ///< has a slot in the state memory
  bool has_counters = false;          ///< as Slot::has_counters
  bool unrecoverable = false;         ///< its record is such
  bool changed = false;               ///< the record does not say yet what the outbox holds
  bool close_queued = false;          ///< our close frame is in the outbox or has left
};

/// kClosing: our close frame is queued or sent. kClosed: the socket is shut down; libwebsockets
/// finds its end in a later turn.
enum class SessionPhase : std::uint8_t { kOpen, kClosing, kClosed };

/// What a fan-out looks at stands first, in one cache line.
struct alignas(64) ClientSession {
  ClientRef ref;
  int fd = -1;  ///< for direct sends; owned by lws
  SessionPhase phase = SessionPhase::kOpen;
  bool dirty = false;          ///< on the sender's list
  bool sending = false;        ///< in the sender's batch
  bool blocked = false;        ///< the socket took no more: wait for the writeable callback
  bool peer_closed = false;    ///< the client's close frame came, or what it sent ended in a fault:
                               ///< nothing more is read
  bool close_sent = false;     ///< our close frame has left; nothing may follow it
  bool settling = false;       ///< on the endpoint's list: the stream ended, what came before it is
                               ///< still being worked off
  bool has_published = false;  ///< what it published may be on its way back
  CloseReason ended_by = CloseReason::kClientGone;
  std::uint16_t peer_close_code = 0;  ///< 0: its close frame had none
  Outbox outbox;
  SessionState state;

  struct lws* wsi = nullptr;  ///< owned by the endpoint
  const ClientProtocol* protocol = nullptr;
  std::uint64_t data_received = 0;  ///< came out of lws, counted like WsScanner::data_passed()
  std::uint64_t read = 0;  ///< taken from the socket; the first byte behind the request head is one
  bool skip_fragment = false;  ///< the next that lws tells was made up for it (ResumeBytes)
  std::uint32_t publishes_pending = 0;  ///< not answered yet
  bool record_stale = false;      ///< its record is to be written before anything more is sent
  bool ended = false;             ///< its protocol has said its last words (Hub::closed)
  std::uint32_t timer_stamp = 0;  ///< ClientTimers: of the one entry that counts
  TimePoint timer_at{};           ///< and when that is looked at; zero: not begun, max(): never
  OutPosition out;

  /// What the client sends still counts: also after a close that is no fault of its, until it has
  /// heard of it.
  [[nodiscard]] bool takes_messages() const {
    return phase == SessionPhase::kOpen ||
           (phase == SessionPhase::kClosing &&
            (ended_by == CloseReason::kDrained || ended_by == CloseReason::kAged ||
             ended_by == CloseReason::kGap));
  }
};

/// 32 lower-case hexadecimal digits.
[[nodiscard]] std::string to_string(const ClientId& id);

}  // namespace sluice::gateway
