// Step 10 of a message's path: whole frames on their way to one socket. Headers, small frames and
// small bodies lie in one buffer, larger bodies stay where the ring has them; all leave in one
// sendmsg. Pure.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ref_ptr.h"
#include "proto/encoder.h"
#include "relay/limits.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

/// What a batch takes at most, but for the frame that reaches it.
struct BatchBounds {
  std::size_t shared_bodies = kBatchSharedBodiesMax;
  std::size_t text_bytes = kBatchTextBytesTarget;
  std::size_t bytes = kBatchBytesTarget;
};

/// Filled while empty, then consumed to its end: what is added later can't get inside a frame.
class OutputBatch {
 public:
  explicit OutputBatch(const BatchBounds& bounds = {}) : bounds_(bounds) {}

  /// Whole frames.
  void add_text(std::string_view frames) { text_.append(frames); }
  void add_message(const proto::HeaderBytes& header, const RingEntry& entry) {
    ++messages_;
    add(header, entry);
  }
  /// The same, as the answer to a question.
  void add_publication(const proto::HeaderBytes& header, const RingEntry& entry) {
    add(header, entry);
  }
  /// For encoders that append.
  [[nodiscard]] std::string& text() { return text_; }

  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] std::size_t messages() const { return messages_; }
  [[nodiscard]] std::size_t bytes() const { return text_.size() + shared_bytes_ - consumed_; }
  [[nodiscard]] bool full() const { return filled(1); }
  [[nodiscard]] bool half_full() const { return filled(2); }

  /// What is left, at most as many pieces as there is room for. Returns how many.
  [[nodiscard]] std::size_t pieces(std::span<iovec> out) const;
  /// The first `bytes` of what was left are gone. At the end everything is let go.
  void consume(std::size_t bytes);

 private:
  void add(const proto::HeaderBytes& header, const RingEntry& entry);
  /// To so much of its bounds: all, or half.
  [[nodiscard]] bool filled(std::size_t part) const;

  /// A body that is not copied.
  struct Shared {
    std::size_t text_end = 0;  ///< it follows this much of the text
    RefPtr<const RingEntry> entry;
  };

  BatchBounds bounds_;
  std::string text_;
  std::vector<Shared> shared_;
  std::size_t shared_bytes_ = 0;
  std::size_t messages_ = 0;
  std::size_t consumed_ = 0;
};

}  // namespace sluice::relay
