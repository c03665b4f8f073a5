#include "gateway/outbox.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "gateway/limits.h"

namespace sluice::gateway {

bool Outbox::fits(std::size_t bytes, std::size_t frames, std::size_t bytes_max) const {
  // One frame always fits an empty outbox: a message that the gateway accepts can be delivered
  // whatever the bound.
  if (empty() && frames <= 1) return true;
  return this->bytes() + bytes <= bytes_max && this->frames() + frames <= kClientQueueFramesMax;
}

Enqueue Outbox::push(const RunView& view, std::size_t bytes_max) {
  if (!fits(view.size(), view.frames, bytes_max)) return Enqueue::kFull;
  push_last(view);
  return Enqueue::kOk;
}

void Outbox::push_last(const RunView& view) {
  add({FrameRef(view.run), view.begin, view.end, view.frames});
}

Enqueue Outbox::push(FrameRef frame, std::size_t bytes_max) {
  if (!fits(frame->size(), 1, bytes_max)) return Enqueue::kFull;
  push_last(std::move(frame));
  return Enqueue::kOk;
}

void Outbox::push_last(FrameRef frame) {
  const auto size = static_cast<std::uint32_t>(frame->size());
  add({std::move(frame), 0, size, 1});
}

void Outbox::push_front(std::span<const RunView> views) {
  if (!queue_) queue_ = std::make_unique<Queue>();
  Queue& q = *queue_;
  std::vector<Part> parts;
  parts.reserve(views.size() + q.parts.size() - q.head);
  for (const RunView& view : views) {
    parts.push_back({FrameRef(view.run), view.begin, view.end, view.frames});
    q.bytes += view.size();
    q.frames += view.frames;
  }
  std::move(q.parts.begin() + static_cast<std::ptrdiff_t>(q.head), q.parts.end(),
            std::back_inserter(parts));
  q.parts = std::move(parts);
  q.head = 0;
  q.mirror = {};
}

void Outbox::add(Part part) {
  if (!queue_) queue_ = std::make_unique<Queue>();
  Queue& q = *queue_;
  q.bytes += part.end - part.begin;
  q.frames += part.frames;
  if (q.head < q.parts.size()) {
    // A run that has grown since is one piece.
    Part& last = q.parts.back();
    if (last.run == part.run && last.end == part.begin) {
      last.end = part.end;
      last.frames += part.frames;
      return;
    }
  }
  if (q.head > 0 && q.head * 2 >= q.parts.size()) {
    q.parts.erase(q.parts.begin(), q.parts.begin() + static_cast<std::ptrdiff_t>(q.head));
    q.head = 0;
  }
  q.parts.push_back(std::move(part));
}

RunView Outbox::part(std::size_t i) const {
  const Part& part = queue_->parts[queue_->head + i];
  return {part.run.get(), part.begin, part.end, part.frames};
}

std::size_t Outbox::fill(std::span<iovec> vectors) const {
  if (empty()) return 0;
  const std::size_t n = std::min(vectors.size(), queue_->parts.size() - queue_->head);
  for (std::size_t i = 0; i < n; ++i) {
    const Part& part = queue_->parts[queue_->head + i];
    vectors[i] = {const_cast<std::uint8_t*>(part.run->bytes().data()) + part.begin,
                  part.end - part.begin};
  }
  return n;
}

void Outbox::Queue::drop_front() {
  parts[head++].run = FrameRef();
  if (mirror.parts == 0) return;
  ++mirror.at;
  --mirror.parts;
  if (mirror.holes > 0) --mirror.holes;
}

std::size_t Outbox::consume(std::size_t bytes) {
  CHECK(bytes <= this->bytes());
  if (empty()) return 0;
  Queue& q = *queue_;
  const std::size_t frames_before = q.frames;
  q.bytes -= bytes;
  while (q.head < q.parts.size()) {
    Part& part = q.parts[q.head];
    const std::size_t size = part.end - part.begin;
    if (bytes < size) {
      part.begin += static_cast<std::uint32_t>(bytes);
      break;
    }
    bytes -= size;
    q.frames -= part.frames;
    q.drop_front();
  }
  const std::size_t left = frames_before - q.frames;
  // An idle client keeps no buffer.
  if (q.head == q.parts.size()) clear();
  return left;
}

}  // namespace sluice::gateway
