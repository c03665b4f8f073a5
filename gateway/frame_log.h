// Step 12: the frames of a channel that some of its subscribers have not been given yet, in order,
// contiguous where that is possible. Frames are numbered from the log's beginning; the numbers wrap
// around and are compared for equality and by difference alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gateway/frame_run.h"

namespace sluice::gateway {

/// What a channel message looks like to the clients of one protocol: one frame. The views live
/// until the protocol encodes the next one.
struct EncodedMessage {
  Opcode opcode = Opcode::kText;
  std::string_view prefix;
  std::span<const std::uint8_t> payload;

  [[nodiscard]] std::size_t frame_bytes() const {
    return FrameRun::frame_bytes(prefix.size() + payload.size());
  }
};

/// Runs that nobody uses at the moment, so that a message costs no allocation. Two sizes: one for
/// what an ordinary wake-up brings, one for a burst.
class RunPool {
 public:
  /// Room for at least `bytes`. `more`: the log has filled a run already.
  [[nodiscard]] RefPtr<FrameRun> take(std::size_t bytes, bool more);
  void give_back(RefPtr<FrameRun> run);

 private:
  std::vector<RefPtr<FrameRun>> small_;
  std::vector<RefPtr<FrameRun>> large_;
};

class FrameLog {
 public:
  struct Stamp {
    std::uint64_t sequence = 0;         ///< link sequence of the message
    std::uint32_t received_micros = 0;  ///< as on the wire
  };

  void append(RunPool& pool, const EncodedMessage& message, Stamp stamp);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Number of the oldest frame, and of the one that comes next.
  [[nodiscard]] std::uint32_t first() const { return first_; }
  [[nodiscard]] std::uint32_t top() const {
    return first_ + static_cast<std::uint32_t>(entries_.size());
  }
  [[nodiscard]] Stamp stamp(std::uint32_t number) const { return entries_[number - first_].stamp; }
  /// Adds the frames [from, to) to `out`, one view per run that they stand in.
  void view(std::uint32_t from, std::uint32_t to, std::vector<RunView>& out) const;

  /// Everybody has what stands before `number`: whole runs are let go.
  void drop_before(RunPool& pool, std::uint32_t number);
  /// Everybody has everything.
  void clear(RunPool& pool);

 private:
  struct Entry {
    Stamp stamp;
    std::uint32_t run = 0;  ///< index in runs_
    std::uint32_t end = 0;  ///< where the frame ends in it
  };
  struct Run {
    RefPtr<FrameRun> frames;
    std::uint32_t first = 0;  ///< number of its first frame
  };

  void let_go(RunPool& pool, Run& run);

  std::vector<Run> runs_;
  std::vector<Entry> entries_;
  std::uint32_t first_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::gateway
