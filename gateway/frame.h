// One encoded WebSocket frame, shared by all clients that get it. Server frames are not masked (RFC
// 6455 5.1), so the same bytes serve everybody. One allocation: counter, size and bytes together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/ref_ptr.h"

namespace sluice::gateway {

enum class Opcode : std::uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

class Frame {
 public:
  /// A whole unfragmented frame whose payload is `prefix` then `payload`. Deterministic: the bytes
  /// depend on the arguments alone.
  [[nodiscard]] static RefPtr<const Frame> make(Opcode opcode, std::string_view prefix,
                                                std::span<const std::uint8_t> payload);

  [[nodiscard]] std::span<const std::uint8_t> bytes() const { return {data(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void add_ref() const { ++refs_; }
  void release() const;

  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

 private:
  explicit Frame(std::size_t size) : size_(size) {}
  ~Frame() = default;
  [[nodiscard]] const std::uint8_t* data() const {
    return reinterpret_cast<const std::uint8_t*>(this + 1);
  }
  [[nodiscard]] std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }

  mutable std::size_t refs_ = 1;
  std::size_t size_;
};

using FrameRef = RefPtr<const Frame>;

}  // namespace sluice::gateway
