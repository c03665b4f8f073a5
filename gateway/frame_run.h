// Encoded WebSocket frames, one behind the other in one block of memory, shared by all clients that
// get them. Server frames are not masked (RFC 6455 5.1), so the same bytes serve everybody.
//
// A frame that one client gets (a ping, a greeting) is a run of its own, in one allocation. The
// frames of a channel are appended to a run with room for more, so that what a wake-up brought is
// contiguous and leaves in one send.
//
// With handoff the bytes lie where a successor finds them (RunMemory), and each run knows its block
// there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/ref_ptr.h"
#include "gateway/run_memory.h"

namespace sluice::gateway {

enum class Opcode : std::uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

class FrameRun;
/// One frame, or several that stay together.
using FrameRef = RefPtr<const FrameRun>;

class FrameRun {
 public:
  /// One whole unfragmented frame whose payload is `prefix` then `payload`. Deterministic: the
  /// bytes depend on the arguments alone.
  [[nodiscard]] static FrameRef make(Opcode opcode, std::string_view prefix,
                                     std::span<const std::uint8_t> payload);
  /// An empty run with room for so many bytes.
  [[nodiscard]] static RefPtr<FrameRun> reserve(std::size_t capacity);
  /// A run that lies in `memory` already, whole: nothing is appended to it. Frees the block when it
  /// ends.
  [[nodiscard]] static FrameRef adopt(RunMemory& memory, const RunMemory::Block& block,
                                      std::size_t size);
  /// Where the bytes of runs made from now on lie; null, as at first: in the heap. Outlives them.
  static void use(RunMemory* memory) { in_use_ = memory; }
  /// Bytes of a frame with a payload of this length.
  [[nodiscard]] static std::size_t frame_bytes(std::size_t payload_bytes);

  /// Puts a frame behind what is there; it must fit (frame_bytes() <= room()). What others hold of
  /// the run does not move.
  void append(Opcode opcode, std::string_view prefix, std::span<const std::uint8_t> payload);
  [[nodiscard]] std::size_t room() const { return capacity_ - size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// Empties it for other frames. Only while nobody else holds it.
  void reset();
  /// Gives back the room that is not used. Only while nobody works with addresses of its bytes.
  void shrink();
  [[nodiscard]] bool shared() const { return refs_ > 1; }
  /// Its block in the memory; 0: it lies in the heap, because it was made before there was such a
  /// memory or when that was full.
  [[nodiscard]] keeper::ArenaUnit unit() const { return unit_; }
  /// From the heap into the memory, if there is one with room. Where the bytes were they stay as
  /// well, until the run ends: sends may be on their way to them. Returns unit().
  keeper::ArenaUnit move_in() const;

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void add_ref() const { ++refs_; }
  void release() const;

  FrameRun(const FrameRun&) = delete;
  FrameRun& operator=(const FrameRun&) = delete;

 private:
  FrameRun(std::uint8_t* data, std::size_t capacity) : data_(data), capacity_(capacity) {}
  FrameRun(RunMemory& memory, const RunMemory::Block& block, std::size_t capacity)
      : data_(block.data), capacity_(capacity), memory_(&memory), unit_(block.unit) {}
  ~FrameRun();
  [[nodiscard]] static FrameRun* in_memory(std::size_t capacity);
  void set_size(std::size_t size);
  /// A reader must find whole frames below it: they stand there before it says so.
  void note_used() const;

  inline static RunMemory* in_use_ = nullptr;

  mutable std::size_t refs_ = 1;
  // Where the bytes lie is no part of what they are: a run moves in while clients share it.
  mutable std::uint8_t* data_;
  std::size_t size_ = 0;
  std::size_t capacity_;
  mutable RunMemory* memory_ = nullptr;  ///< null: the heap
  mutable keeper::ArenaUnit unit_ = 0;
  std::unique_ptr<std::uint8_t[]> own_;  ///< in the heap. Null: the bytes stand behind this object
};

/// A part of a run that its owner keeps alive: whole frames, unless a socket took some of it.
struct RunView {
  const FrameRun* run = nullptr;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t frames = 0;  ///< that end in it

  [[nodiscard]] std::size_t size() const { return end - begin; }
  [[nodiscard]] const std::uint8_t* data() const { return run->bytes().data() + begin; }
};

}  // namespace sluice::gateway
