// Sums up what a gateway will not get: one GAP per channel, however many messages it stands for.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "proto/frame.h"

namespace sluice::relay {

/// At most one gap per channel id of the gateway, so --max-channels bounds it.
class GapCollector {
  friend struct IndexCodec;  // handover/

 public:
  /// A message that was there and will not be sent.
  /// `beside`: it had no place of its own, the channel stood at `position`.
  void add_message(std::uint32_t channel_id, proto::Position position, bool beside = false);
  /// A message too large for any link: it was never in the ring.
  void add_oversized(std::uint32_t channel_id, proto::Position position, bool beside = false);
  /// The broker was not listened to; the channel goes on in a new epoch behind `position`.
  void add_break(std::uint32_t channel_id, proto::Position position, std::uint64_t duration_ms);

  /// The broker's history has so many messages no longer that come up to `position`, of the epoch
  /// in which the channel goes on.
  void add_loss(std::uint32_t channel_id, proto::Position position, std::uint64_t count);

  [[nodiscard]] bool empty() const { return gaps_.empty(); }
  /// Of each channel id in it: the position in front of its first loss. epoch 0: not known.
  void positions(std::unordered_map<std::uint32_t, proto::Position>& out) const;
  void clear();
  /// Hands all out, in the order of their channels' first loss. Only the last one uses up the link
  /// sequences to `last`, the others carry the `previous` one: a link that ends between them
  /// resumes in front of all, so none is lost in silence.
  void take(std::uint64_t previous, std::uint64_t last, std::vector<proto::Gap>& out);

 private:
  [[nodiscard]] proto::Gap& gap_of(std::uint32_t channel_id, bool& fresh);
  void add_one(std::uint32_t channel_id, proto::Position position, proto::GapCause cause,
               bool beside);

  std::vector<proto::Gap> gaps_;
  std::unordered_map<std::uint32_t, std::size_t> place_;
};

}  // namespace sluice::relay
