// Step 13 of a message's path: what one client still has to get, as references to shared frames, in
// order. Bounded in bytes (by the caller's figure) and in frames; holds no memory while empty.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

#include "gateway/frame.h"

namespace sluice::gateway {

enum class Enqueue { kOk, kFull };

class Outbox {
 public:
  /// kFull: nothing was added; what happens then is the protocol's rule.
  [[nodiscard]] Enqueue push(FrameRef frame, std::size_t bytes_max);

  [[nodiscard]] bool empty() const { return head_ == frames_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t frames() const { return frames_.size() - head_; }

  /// The first frames as iovecs; returns how many were filled.
  [[nodiscard]] std::size_t fill(std::span<iovec> vectors) const;

  struct Cut {
    FrameRef frame;         ///< set when the last byte taken lies inside this frame
    std::size_t taken = 0;  ///< how many of its bytes left
  };
  /// Removes `bytes` from the front. A frame of which a part has left is removed too and returned:
  /// its tail must go out before anything else.
  [[nodiscard]] Cut consume(std::size_t bytes);

  void clear();

 private:
  std::vector<FrameRef> frames_;
  std::size_t head_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::gateway
