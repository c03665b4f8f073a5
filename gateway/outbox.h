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
  /// Without a bound: for the one close frame at the end.
  void push_last(FrameRef frame);

  [[nodiscard]] bool empty() const { return head_ == frames_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t frames() const { return frames_.size() - head_; }
  /// How many bytes of the first frame have left.
  [[nodiscard]] std::size_t begun() const { return begun_; }

  /// The first frames, without what has left, as iovecs; returns how many were filled.
  [[nodiscard]] std::size_t fill(std::span<iovec> vectors) const;
  /// `bytes` have left from the front, the last frame perhaps in part.
  void consume(std::size_t bytes);

  void clear();

 private:
  std::vector<FrameRef> frames_;
  std::size_t head_ = 0;
  std::size_t begun_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::gateway
