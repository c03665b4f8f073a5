// Steps 9 and 10 of a message's path: which messages were routed to one gateway id, by link
// sequence. The send queue is a cursor in it, so a slow gateway, one that was cut at its bound and
// one that comes back are the same thing: the cursor goes on, and what can't be had any more
// becomes GAPs that use up the sequences. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "relay/block_queue.h"
#include "relay/gap_collector.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

struct GatewayIndexOptions {
  /// Unsent bytes, headers included; what is over it is cut, the oldest first.
  std::size_t queue_bytes_max = 16U << 20U;
  /// Sequences remembered, sent ones too.
  std::size_t entries_max = 65536;
};

/// What the cursor meets next.
struct Outgoing {
  enum class Kind { kNothing, kMessage, kGaps };
  Kind kind = Kind::kNothing;
  // kMessage
  const RingEntry* entry = nullptr;
  std::uint32_t channel_id = 0;
  std::uint64_t sequence = 0;
  // kGaps; of different channels, the last one uses up the sequences
  std::vector<proto::Gap> gaps;
};

class GatewayIndex {
  friend struct IndexCodec;  // handover/

 public:
  explicit GatewayIndex(GatewayIndexOptions options) : options_(options) {}

  /// Routes a message of the ring. True: with it an overrun began, the oldest unsent are lost.
  bool append_message(const ReplayRing& ring, std::uint64_t serial, std::uint32_t channel_id,
                      const RingEntry& entry);
  /// Routes a message too large for any link, so for the ring too: a gap of one.
  void append_oversized(std::uint32_t channel_id, proto::Position position, bool beside = false);
  /// Routes a loss of continuity.
  void append_break(std::uint32_t channel_id, proto::Position position, std::uint64_t duration_ms);

  /// Routes that the `count` messages up to `position` can't be had any more. 0 < count <= offset.
  void append_loss(std::uint32_t channel_id, proto::Position position, std::uint64_t count);

  /// Last sequence routed; 0: none yet.
  [[nodiscard]] std::uint64_t last_sequence() const { return base_ + entries_.size() - 1; }
  /// Every sequence below it has been handed out.
  [[nodiscard]] std::uint64_t cursor() const { return cursor_; }
  [[nodiscard]] bool pending() const { return cursor_ <= last_sequence(); }
  /// Messages and gaps that wait to be sent, without those that the bound has cut.
  [[nodiscard]] std::size_t queue_messages() const {
    return static_cast<std::size_t>(last_sequence() + 1 - queue_front());
  }
  [[nodiscard]] std::size_t queue_bytes() const { return queue_bytes_; }
  [[nodiscard]] std::size_t entries() const { return entries_.size(); }
  /// Every sequence from here on is remembered.
  [[nodiscard]] std::uint64_t oldest() const { return base_; }
  /// Of the channel ids that have something to come from the cursor on: the position in front of
  /// it. epoch 0: a new epoch comes first, and where the old one was is not remembered.
  [[nodiscard]] std::unordered_map<std::uint32_t, proto::Position> positions_at_cursor() const;

  /// The next message, or what was lost in front of it; moves the cursor. `out` may be used again
  /// and again.
  void take(const ReplayRing& ring, Outgoing& out);

  /// Can it go on behind the last sequence that the gateway received? If not, it has to start
  /// afresh from its positions.
  [[nodiscard]] bool can_resume(std::uint64_t last_received) const;
  void resume(const ReplayRing& ring, std::uint64_t last_received);

 private:
  /// In the place of the serial, of a break that is a loss of known size: beside it that size.
  static constexpr std::uint64_t kLossMark = std::uint64_t{1} << 63U;
  /// Beside the serial of a message that has no place in the channel's history.
  static constexpr std::uint64_t kBesideMark = kLossMark;
  struct Entry {
    /// In the ring, 0: never was; of a break: its duration in ms. With its mark.
    std::uint64_t marked_serial = 0;
    [[nodiscard]] bool is_loss() const { return bytes == 0 && (marked_serial & kLossMark) != 0; }
    [[nodiscard]] std::uint64_t lost() const { return marked_serial & ~kLossMark; }
    [[nodiscard]] bool is_beside() const {
      return bytes != 0 && (marked_serial & kBesideMark) != 0;
    }
    [[nodiscard]] std::uint64_t serial() const { return marked_serial & ~kBesideMark; }
    /// In front of the message.
    [[nodiscard]] proto::Position before() const {
      return {epoch, is_beside() ? offset : offset - 1};
    }
    std::uint64_t epoch = 0;
    std::uint64_t offset = 0;
    std::uint32_t channel_id = 0;
    std::uint32_t bytes = 0;  ///< on the link; 0: a break
  };

  [[nodiscard]] const Entry& at(std::uint64_t sequence) const { return entries_[sequence - base_]; }
  /// The oldest sequence that still counts as queued.
  [[nodiscard]] std::uint64_t queue_front() const;
  void append(const Entry& entry);
  void forget_oldest();
  /// Lets go of unsent entries that are over the bound, or gone from the ring.
  void cut_oldest(const ReplayRing& ring);
  static void lose(const Entry& entry, GapCollector& losses);

  GatewayIndexOptions options_;
  BlockQueue<Entry> entries_;
  std::uint64_t base_ = 1;     ///< sequence of entries_.front()
  std::uint64_t cursor_ = 1;   ///< next to hand out; below base_ while folded_ holds something
  std::uint64_t cut_end_ = 1;  ///< unsent sequences below it are cut
  GapCollector folded_;        ///< unsent ones below base_
  GapCollector losses_;        ///< scratch of take()
  std::size_t queue_bytes_ = 0;
};

}  // namespace sluice::relay
