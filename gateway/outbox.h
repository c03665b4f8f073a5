// Step 13 of a message's path: what one client still has to get and its socket has not taken: parts
// of shared runs, in order. Most clients have nothing waiting and then this is one null pointer.
// Bounded in bytes (by the caller's figure) and in frames.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "gateway/frame_run.h"

namespace sluice::gateway {

enum class Enqueue { kOk, kFull };

class Outbox {
 public:
  /// kFull: nothing was added; what happens then is the protocol's rule. One frame always fits an
  /// empty outbox.
  [[nodiscard]] Enqueue push(const RunView& view, std::size_t bytes_max);
  [[nodiscard]] Enqueue push(FrameRef frame, std::size_t bytes_max);
  /// Without a bound: for the one close frame at the end, and for what is judged later.
  void push_last(FrameRef frame);
  void push_last(const RunView& view);
  /// What a socket has taken a part of, back to where it was. Without a bound: the caller judges
  /// bytes() afterwards.
  void push_front(std::span<const RunView> views);

  [[nodiscard]] bool empty() const { return queue_ == nullptr; }
  [[nodiscard]] std::size_t bytes() const { return empty() ? 0 : queue_->bytes; }
  [[nodiscard]] std::size_t frames() const { return empty() ? 0 : queue_->frames; }

  /// The front, as iovecs; returns how many were filled.
  [[nodiscard]] std::size_t fill(std::span<iovec> vectors) const;
  /// `bytes` have left from the front, the last frame perhaps in part. Returns how many frames have
  /// left as a whole.
  std::size_t consume(std::size_t bytes);

  void clear() { queue_.reset(); }

  /// How far the queue stands in the state memory as well (handoff/out_recorder, which alone sets
  /// it): the first `parts` of it do, from entry `at` of the recorded array on. Follows what leaves
  /// the front; what comes before the front makes it void.
  struct Mirror {
    std::uint32_t at = 0;
    std::uint32_t parts = 0;
    std::uint32_t holes = 0;  ///< the last of them whose run no record can name; counted from 1
  };
  [[nodiscard]] std::size_t parts() const {
    return empty() ? 0 : queue_->parts.size() - queue_->head;
  }
  /// From the front; the queue keeps the run alive.
  [[nodiscard]] RunView part(std::size_t i) const;
  [[nodiscard]] Mirror mirror() const { return empty() ? Mirror{} : queue_->mirror; }
  /// Not empty.
  void set_mirror(const Mirror& mirror) { queue_->mirror = mirror; }

 private:
  struct Part {
    FrameRef run;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t frames = 0;
  };
  struct Queue {
    std::vector<Part> parts;
    std::size_t head = 0;
    std::size_t bytes = 0;
    std::size_t frames = 0;
    Mirror mirror;

    void drop_front();
  };

  [[nodiscard]] bool fits(std::size_t bytes, std::size_t frames, std::size_t bytes_max) const;
  void add(Part part);

  std::unique_ptr<Queue> queue_;  ///< null: nothing waits
};

}  // namespace sluice::gateway
