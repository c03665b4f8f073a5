#include "relay/gap_collector.h"

namespace sluice::relay {

using proto::GapCause;

proto::Gap& GapCollector::gap_of(std::uint32_t channel_id, bool& fresh) {
  const auto [found, added] = place_.try_emplace(channel_id, gaps_.size());
  fresh = added;
  if (added) gaps_.emplace_back().channel_id = channel_id;
  return gaps_[found->second];
}

void GapCollector::add_message(std::uint32_t channel_id, proto::Position position, bool beside) {
  add_one(channel_id, position, GapCause::kOverrun, beside);
}

void GapCollector::add_oversized(std::uint32_t channel_id, proto::Position position, bool beside) {
  add_one(channel_id, position, GapCause::kOversized, beside);
}

void GapCollector::add_one(std::uint32_t channel_id, proto::Position position, GapCause cause,
                           bool beside) {
  bool fresh = false;
  proto::Gap& gap = gap_of(channel_id, fresh);
  if (fresh) {
    gap.cause = cause;
    // What comes next is the first that could be missing among the numbered ones.
    gap.first_missing = beside ? position.offset + 1 : position.offset;
    gap.count = 0;
  } else if (gap.cause == GapCause::kBroker) {
    gap.cause = GapCause::kBoth;
  } else if (gap.cause != cause && gap.cause != GapCause::kBoth) {
    gap.cause = GapCause::kOverrun;
  }
  if (gap.count != proto::kCountUnknown) ++gap.count;
  gap.position = position;
}

void GapCollector::add_break(std::uint32_t channel_id, proto::Position position,
                             std::uint64_t duration_ms) {
  bool fresh = false;
  proto::Gap& gap = gap_of(channel_id, fresh);
  gap.cause = fresh || gap.cause == GapCause::kBroker ? GapCause::kBroker : GapCause::kBoth;
  gap.first_missing = 0;
  gap.count = proto::kCountUnknown;
  gap.duration_ms += duration_ms;
  gap.position = position;
}

void GapCollector::add_loss(std::uint32_t channel_id, proto::Position position,
                            std::uint64_t count) {
  bool fresh = false;
  proto::Gap& gap = gap_of(channel_id, fresh);
  if (fresh) {
    gap.cause = GapCause::kBroker;
    gap.first_missing = position.offset - count + 1;
    gap.count = 0;
  } else if (gap.cause != GapCause::kBroker) {
    gap.cause = GapCause::kBoth;
  }
  if (gap.count != proto::kCountUnknown) gap.count += count;
  gap.position = position;
}

void GapCollector::positions(std::unordered_map<std::uint32_t, proto::Position>& out) const {
  for (const proto::Gap& gap : gaps_) {
    const bool known = gap.first_missing != 0;
    out[gap.channel_id] =
        known ? proto::Position{gap.position.epoch, gap.first_missing - 1} : proto::Position{};
  }
}

void GapCollector::clear() {
  gaps_.clear();
  place_.clear();
}

void GapCollector::take(std::uint64_t previous, std::uint64_t last, std::vector<proto::Gap>& out) {
  for (proto::Gap& gap : gaps_) {
    gap.sequence = previous;
    out.push_back(gap);
  }
  if (!gaps_.empty()) out.back().sequence = last;
  clear();
}

}  // namespace sluice::relay
