#include "gateway/outbox.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "gateway/limits.h"

namespace sluice::gateway {

Enqueue Outbox::push(FrameRef frame, std::size_t bytes_max) {
  // One frame always fits an empty outbox: a message the gateway accepts can be delivered whatever
  // the bound.
  if (!empty() && (bytes_ + frame->size() > bytes_max || frames() >= kClientQueueFramesMax))
    return Enqueue::kFull;
  if (head_ > 0 && head_ * 2 >= frames_.size()) {
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  bytes_ += frame->size();
  frames_.push_back(std::move(frame));
  return Enqueue::kOk;
}

std::size_t Outbox::fill(std::span<iovec> vectors) const {
  const std::size_t n = std::min(vectors.size(), frames());
  for (std::size_t i = 0; i < n; ++i) {
    const auto bytes = frames_[head_ + i]->bytes();
    vectors[i] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  }
  return n;
}

Outbox::Cut Outbox::consume(std::size_t bytes) {
  CHECK(bytes <= bytes_);
  Cut cut;
  while (bytes > 0) {
    FrameRef frame = std::move(frames_[head_++]);
    bytes_ -= frame->size();
    if (bytes < frame->size()) {
      cut.taken = bytes;
      cut.frame = std::move(frame);
      break;
    }
    bytes -= frame->size();
  }
  if (empty()) clear();
  return cut;
}

void Outbox::clear() {
  // An idle client keeps no buffer.
  std::vector<FrameRef>().swap(frames_);
  head_ = 0;
  bytes_ = 0;
}

}  // namespace sluice::gateway
