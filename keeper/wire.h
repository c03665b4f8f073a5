// What a gateway and its keeper say to each other: a Unix socket of type SOCK_SEQPACKET, one
// message per packet, descriptors along with it (SCM_RIGHTS). Host byte order: both are on one
// machine.
//
//   type u8 │ 0 u8 │ descriptors u16 │ bytes of the body u32 │ body
//
// A conversation, from the gateway's side:
//
//   HELLO → (IN_USE …) WELCOME, HELD_LISTENER …, HELD_CLIENTS …, HELD_PENDING …, HELD_END;
//           or REFUSED
//   nothing held:    STATE, LISTEN …, TAKEN; then GIVE and TAKE as clients come and go
//   something held:  TAKEN as soon as the clients are its own, or RELEASE, STATE, LISTEN …, TAKEN
//   reconnected:     HELLO (serving) → WELCOME of nothing, HELD_END; STATE, LISTEN …, GIVE …, TAKEN
//   planned end:     PENDING …, PARK, and the process ends or executes another program
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sluice::keeper {

inline constexpr std::uint32_t kWireVersion = 1;
/// The kernel takes 253 per packet.
inline constexpr std::size_t kPacketFdsMax = 250;
inline constexpr std::size_t kTextBytesMax = 512;  ///< of names, ids and reasons
inline constexpr std::size_t kPendingBytesMax = 16 * 1024;
inline constexpr std::size_t kPacketBytesMax = 18 * 1024;
inline constexpr std::uint32_t kHandoffWaitMsMax = 3'600'000;
inline constexpr std::uint32_t kCloseRateMax = 1'000'000;

/// A client by its slot in the state memory.
struct ClientRef {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  friend bool operator==(const ClientRef&, const ClientRef&) = default;
};

// ---- gateway to keeper. "fd:" says what goes along; without it nothing may.

/// First message of a connection. fd: a pidfd of the process that connected. Of another version
/// nothing but `version` is read.
struct Hello {
  std::uint32_t version = kWireVersion;
  std::string gateway_id;
  std::uint32_t handoff_wait_ms = 0;  ///< how long clients are held after its end
  std::uint32_t close_rate = 0;       ///< clients per second, when nobody came for them; at least 1
  /// Its connection was lost, or there was no keeper when it started: it has clients and will tell
  /// of them. Nothing is handed to it; what a process before it has left is released.
  bool serving = false;
};
/// fd: memfd of a new state memory (SharedState). The one before is dropped and, without a close
/// frame, so are the clients held with it; listeners stay.
struct State {
  bool moved = false;  ///< the same state in other memory: the clients held with it stay
};
/// fd: a listening socket; replaces one of the same name, e.g. "clients 127.0.0.1:8080".
struct Listen {
  std::string name;
};
struct Unlisten {
  std::string name;
};
/// fd: dup of a client's socket; replaces one of the same slot. Not before HELD_END.
struct Give {
  ClientRef client;
};
/// The client has been closed: so is the dup. Nothing happens when the generation is another.
struct Take {
  ClientRef client;
};
/// fd: a connection in mid-handshake; only just before PARK.
struct Pending {
  std::string listener;  ///< name of the listener that it came from
  std::string bytes;     ///< read from it so far
};
/// A planned end: what comes next is the process's end, or the program that it executes.
struct Park {};
/// The takeover is complete: the clock of unclaimed clients stops, connections in mid-handshake are
/// no longer held.
struct Taken {};
/// The state can't be read, or the gateway ends and nobody is to follow: the keeper closes all the
/// clients that it held up to here. The gateway must not write to any of them.
struct Release {
  std::string reason;
};

// ---- keeper to gateway

/// The descriptors are another process's until its death; the asker stays connected and waits.
struct InUse {
  std::uint32_t pid = 0;  ///< of the holder; 0: not of our namespace
};
enum class Ending : std::uint8_t {
  kNone = 0,     ///< nothing was held
  kPlanned = 1,  ///< PARK
  kCrashed = 2,
};
/// fd: the state memory if has_state, else nothing. Counts say how much follows up to HELD_END.
struct Welcome {
  bool has_state = false;
  Ending ending = Ending::kNone;
  std::uint32_t clients = 0;
  std::uint32_t listeners = 0;
  std::uint32_t pending = 0;
  std::uint32_t crashes = 0;           ///< of this id within the keeper's window
  std::uint32_t clients_max = 0;       ///< further ones can't be held
  std::uint64_t parked_at_micros = 0;  ///< CLOCK_MONOTONIC at PARK; 0: crashed, or nothing held
};
/// fd: the listening socket
struct HeldListener {
  std::string name;
};
/// fd: one per client, in the same order
struct HeldClients {
  std::vector<ClientRef> clients;  ///< 1 to kPacketFdsMax
};
/// fd: the connection
struct HeldPending {
  std::string listener;
  std::string bytes;
};
struct HeldEnd {};
/// For good: the connection ends behind it.
struct Refused {
  std::string text;
};

/// The index in here is the type in the header: append only.
using Message =
    std::variant<Hello, State, Listen, Unlisten, Give, Take, Pending, Park, Taken, Release, InUse,
                 Welcome, HeldListener, HeldClients, HeldPending, HeldEnd, Refused>;

/// A whole packet. Bounds above are the caller's matter.
[[nodiscard]] std::vector<std::byte> encode(const Message& message, std::size_t fds);
/// kInvalid: not a packet of ours, over a bound, or another number of descriptors than its type
/// has.
[[nodiscard]] Result<Message> decode(std::span<const std::byte> packet, std::size_t fds);

enum class SendOutcome {
  kSent,
  kFull,     ///< nothing has left; again when the socket is writable
  kCrowded,  ///< nothing has left; this user has too many descriptors in flight: again a little
             ///< later
};
/// Never blocks. `fds` stay the caller's. kUnavailable: the other side is gone; kSystem: anything
/// else; kTooLarge: over a bound, nothing was sent.
[[nodiscard]] Result<SendOutcome> send_packet(int socket, const Message& message,
                                              std::span<const int> fds = {});

struct Received {
  enum class What { kMessage, kNothing, kEnd };
  What what = What::kNothing;  ///< kNothing: not now; kEnd: the other side has closed
  Message message;
  std::vector<UniqueFd> fds;  ///< close-on-exec; as many as the type has
};
/// Never blocks. kInvalid: malformed or cut short, to be answered by ending the connection (its
/// descriptors are closed already); kUnavailable, kSystem: the connection is gone.
[[nodiscard]] Result<Received> receive_packet(int socket);

}  // namespace sluice::keeper
