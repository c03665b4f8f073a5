// What a gateway leaves behind, in the memory that it shares with its keeper (a memfd): enough for
// the next process of the same id to go on from the very byte, whether this one has left or was
// killed at any instruction. Shapes alone; see ARCHITECTURE.md, "Handoff".
//
//   StateHeader │ Slot × slots │ View × views │ arena
//
// One thread of one process writes. What changes as a whole has two copies and the number of the
// one that counts: the other is written, then one store flips. A killed process has done its stores
// in program order as far as anybody can see afterwards (they are one core's, and its end is waited
// for), so only the compiler must be kept from moving them: see flip().
//
// Host byte order, one machine. Every number is to be checked before use: a reader trusts no writer
// (SharedState::open, recover()).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sluice::keeper {

inline constexpr std::uint64_t kStateMagic = 0x3145545343554C53;  // "SLUCSTE1"
/// Another version can't be read: its clients are closed, paced, with 1012.
inline constexpr std::uint32_t kStateVersion = 1;

/// Arena addresses count units of this many bytes; 0 is no address.
inline constexpr std::size_t kArenaUnit = 64;
using ArenaUnit = std::uint32_t;

/// Stands before each block of the arena, in its first bytes; data follow. `bytes` is the room for
/// data; while the block is in use it only ever shrinks, to no less than `used`.
struct BlockHeader {
  std::uint32_t bytes = 0;
  std::uint32_t used = 0;  ///< of a run of frames: so much of it is whole frames
};
static_assert(sizeof(BlockHeader) == 8);

/// A part of a run of frames. Runs begin with a frame's first byte.
struct View {
  ArenaUnit run = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// Our byte stream to the client, and what still has to follow.
///
/// `written` bytes have left. Behind them come the intent's views and then the queue's parts, in
/// that order; all that the client is due of channels up to last_sequence stands there or has left.
/// A send may have taken any number of these bytes: how many, the kernel's counters tell. What an
/// intent speaks of need not be there any more once all of it has left. One cache line: each send
/// writes one.
struct alignas(64) OutRecord {
  std::uint64_t written = 0;
  std::uint64_t last_sequence = 0;    ///< link sequence
  std::uint32_t link_generation = 0;  ///< of which last_sequence is; see LinkRecord
  std::uint32_t intent_bytes = 0;     ///< 0: no intent. All of them gone: the views are stale
  std::uint32_t intent_first = 0;     ///< index in the view region
  std::uint32_t intent_count = 0;
  ArenaUnit queue = 0;  ///< block with an array of View; 0: nothing queued
  std::uint32_t queue_head = 0;
  std::uint32_t queue_count = 0;       ///< from queue_head on
  std::uint32_t queue_head_begin = 0;  ///< counts in place of the first part's `begin`
  std::uint32_t queue_tail_end = 0;    ///< counts in place of the last part's `end`
  std::uint32_t flags = 0;             ///< OutFlag
};

enum OutFlag : std::uint32_t {
  kCloseQueued = 1U << 0U,    ///< the last frame is a close frame, sent or not
  kUnrecoverable = 1U << 1U,  ///< outgrew the arena: to be closed
};

/// The client's byte stream to us.
struct InRecord {
  std::uint64_t read = 0;  ///< bytes taken from the socket and worked off
  ArenaUnit message = 0;   ///< block with what there is of a half message; 0: none
  std::uint32_t message_bytes = 0;
  ArenaUnit scanner = 0;            ///< block with the scanner's state; 0: between two messages
  std::uint32_t scanner_bytes = 0;  ///< UINT32_MAX: outgrew the arena, the client is to be closed
};

enum class SlotPhase : std::uint32_t {
  kFree = 0,
  kOpen = 1,  ///< the 101 has left, everything below is valid
};

/// One client. The keeper holds a dup of its socket under the same number and generation.
struct alignas(64) Slot {
  std::uint32_t phase = 0;  ///< SlotPhase; written last when it opens, first when it ends
  std::uint32_t generation = 0;
  std::uint64_t sent_before = 0;  ///< the kernel's counters when the slot opened: all bytes ever
  std::uint64_t received_before = 0;  ///< written to the socket, and read from it
  std::uint64_t session = 0;  ///< block with the session's record: unit << 32 | bytes; one store
  std::uint32_t out_now = 0;  ///< 0 or 1
  std::uint32_t in_now = 0;
  std::array<OutRecord, 2> out{};
  std::array<InRecord, 2> in{};
  std::uint32_t has_counters = 0;  ///< 0: a Unix socket; its kernel counts nothing
};

/// Where the link to the relay is.
struct LinkRecord {
  std::uint64_t relay_instance = 0;    ///< 0: no link yet
  std::uint64_t settled_sequence = 0;  ///< everybody has been given what is due up to here
  std::uint32_t generation = 0;        ///< +1 whenever link sequences begin anew
  std::uint32_t reserved = 0;
};

struct alignas(64) StateHeader {
  std::uint64_t magic = 0;  ///< written last when the state is made
  std::uint32_t version = 0;
  std::uint32_t slot_bytes = sizeof(Slot);
  std::uint64_t total_bytes = 0;
  std::uint64_t slots_at = 0;
  std::uint64_t views_at = 0;
  std::uint64_t arena_at = 0;
  std::uint64_t arena_bytes = 0;
  std::uint32_t slots = 0;
  std::uint32_t views = 0;
  /// Nothing is under way and the writer is gone for good: records alone say where streams are.
  std::uint32_t quiescent = 0;
  std::uint32_t link_now = 0;
  std::array<LinkRecord, 2> link{};
  std::uint64_t frozen_micros = 0;  ///< CLOCK_MONOTONIC when the writer stopped serving; 0: killed
};

/// The one of its two link records that counts.
[[nodiscard]] inline const LinkRecord& counting_link(const StateHeader& header) {
  return header.link[header.link_now & 1U];
}

/// Makes the copy that has just been written the one that counts.
inline void flip(std::uint32_t& now) {
  std::atomic_signal_fence(std::memory_order_release);
  *static_cast<volatile std::uint32_t*>(&now) = now ^ 1U;
  std::atomic_signal_fence(std::memory_order_release);
}

/// The same for a number that is valid or not as a whole.
template <typename T>
inline void publish(T& where, T value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  std::atomic_signal_fence(std::memory_order_release);
  *static_cast<volatile T*>(&where) = value;
  std::atomic_signal_fence(std::memory_order_release);
}

static_assert(std::is_trivially_copyable_v<Slot> && std::is_standard_layout_v<Slot>);
static_assert(std::is_trivially_copyable_v<StateHeader> && std::is_standard_layout_v<StateHeader>);

static_assert(sizeof(Slot) == 256);

}  // namespace sluice::keeper
