// Encoded WebSocket frames, one behind the other in one block of memory, shared by all clients that
// get them. Server frames are not masked (RFC 6455 5.1), so the same bytes serve everybody.
//
// A frame that one client gets (a ping, a greeting) is a run of its own, in one allocation. The
// frames of a channel are appended to a run with room for more, so that what a wake-up brought is
// contiguous and leaves in one send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/ref_ptr.h"

namespace sluice::gateway {

enum class Opcode : std::uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

class FrameRun {
 public:
  /// One whole unfragmented frame whose payload is `prefix` then `payload`. Deterministic: the
  /// bytes depend on the arguments alone.
  [[nodiscard]] static RefPtr<const FrameRun> make(Opcode opcode, std::string_view prefix,
                                                   std::span<const std::uint8_t> payload);
  /// An empty run with room for so many bytes.
  [[nodiscard]] static RefPtr<FrameRun> reserve(std::size_t capacity);
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

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void add_ref() const { ++refs_; }
  void release() const;

  FrameRun(const FrameRun&) = delete;
  FrameRun& operator=(const FrameRun&) = delete;

 private:
  FrameRun(std::uint8_t* data, std::size_t capacity) : data_(data), capacity_(capacity) {}
  ~FrameRun() = default;

  mutable std::size_t refs_ = 1;
  std::uint8_t* data_;
  std::size_t size_ = 0;
  std::size_t capacity_;
  std::unique_ptr<std::uint8_t[]> own_;  ///< null: the bytes stand behind this object
};

/// One frame, or several that stay together.
using FrameRef = RefPtr<const FrameRun>;

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
