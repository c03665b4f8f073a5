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
  push_last(std::move(frame));
  return Enqueue::kOk;
}

void Outbox::push_last(FrameRef frame) {
  if (head_ > 0 && head_ * 2 >= frames_.size()) {
    frames_.erase(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  bytes_ += frame->size();
  frames_.push_back(std::move(frame));
}

std::size_t Outbox::fill(std::span<iovec> vectors) const {
  const std::size_t n = std::min(vectors.size(), frames());
  for (std::size_t i = 0; i < n; ++i) {
    const auto bytes = frames_[head_ + i]->bytes().subspan(i == 0 ? begun_ : 0);
    vectors[i] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  }
  return n;
}

void Outbox::consume(std::size_t bytes) {
  CHECK(bytes <= bytes_);
  bytes_ -= bytes;
  begun_ += bytes;
  while (head_ < frames_.size() && begun_ >= frames_[head_]->size()) {
    begun_ -= frames_[head_]->size();
    frames_[head_++] = FrameRef();
  }
  if (empty()) clear();
}

void Outbox::clear() {
  // An idle client keeps no buffer.
  std::vector<FrameRef>().swap(frames_);
  head_ = 0;
  begun_ = 0;
  bytes_ = 0;
}

}  // namespace sluice::gateway
