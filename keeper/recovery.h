// Where a client's two byte streams stand, from what its gateway has left in the state memory and
// what the kernel has counted. Pure. Nothing in the memory is believed: whatever its bytes are,
// only what lies inside is read, and what contradicts itself closes the client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "keeper/shared_state.h"

namespace sluice::keeper {

/// All bytes ever written to a socket and read from it; see stream_position().
struct Counters {
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

enum class CloseReason {
  kNone,           ///< goes on
  kNoCounters,     ///< needed: a send may have been under way, or it is a TCP client
  kSentOutside,    ///< what has left is less or more than the record allows
  kReadOutside,    ///< killed between a read and its record
  kUnrecoverable,  ///< says so itself
  kBrokenRecord,   ///< not open, or it contradicts itself
};
/// For logs, e.g. "sent outside of the record".
[[nodiscard]] const char* to_string(CloseReason reason);

/// A block of the arena and how many of its first bytes count; its bounds have been judged.
struct Piece {
  ArenaUnit block = 0;  ///< 0: none
  std::uint32_t bytes = 0;
};

struct Recovery {
  CloseReason reason = CloseReason::kNone;
  /// `written`, `pending` and `flags` are exact. Not only of a client that goes on: one whose read
  /// position is unknown can still be told, behind the frame under way, that it is closed.
  bool out_known = false;
  std::uint64_t written = 0;  ///< bytes that have left since the slot opened
  /// Still to be sent, in this order, none of them empty. Each lies in a block that is valid, up to
  /// the block's `used`.
  std::vector<View> pending;
  std::uint64_t last_sequence = 0;
  std::uint32_t link_generation = 0;
  std::uint32_t flags = 0;  ///< OutFlag

  // Valid only when it goes on.
  std::uint64_t read = 0;
  Piece message;
  Piece scanner;
  Piece session;

  [[nodiscard]] bool goes_on() const { return reason == CloseReason::kNone; }
};

/// `views`, `arena`: the state's regions. `quiescent`: the header says so. `counters`: of the
/// client's socket, if it has any. Costs the parts of this one client.
[[nodiscard]] Recovery recover(const Slot& slot, std::span<const View> views,
                               std::span<const std::byte> arena, bool quiescent,
                               std::optional<Counters> counters);

/// Length of the server frame (RFC 6455 5.2, never masked) that `bytes` begin with; 0: no whole
/// one.
[[nodiscard]] std::uint64_t server_frame_bytes(std::span<const std::byte> bytes);

/// Where the frame ends that `position` stands in, both from the beginning of the run's data;
/// `position` itself where a frame begins, and at the run's end. `run`: the block's data, of which
/// the first `used` are whole server frames (RFC 6455, not masked). Nothing: they are not, or the
/// position is outside.
[[nodiscard]] std::optional<std::uint32_t> frame_end(std::span<const std::byte> run,
                                                     std::uint32_t used, std::uint32_t position);

}  // namespace sluice::keeper
