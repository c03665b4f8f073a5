#include "relay/handover/index_codec.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kEntryBytes = 8 + 8 + 8 + 4 + 4;
constexpr std::size_t kGapBytes = 4 + 4 + 16 + 8 + 8 + 8;
constexpr std::uint64_t kSequenceMax = std::uint64_t{1} << 62U;
constexpr std::uint32_t kEntryBytesMax =
    proto::kHeaderBytes + proto::kPayloadBytesMax + proto::kMetaBytesMax;

}  // namespace

void IndexCodec::write(StateWriter& out, const GatewayIndex& index) {
  out.number(index.base_);
  out.number(index.cursor_);
  out.number(index.cut_end_);
  out.number<std::uint64_t>(index.entries_.size());
  for (std::size_t i = 0; i < index.entries_.size(); ++i) {
    const GatewayIndex::Entry& entry = index.entries_[i];
    out.number(entry.marked_serial);
    out.number(entry.epoch);
    out.number(entry.offset);
    out.number(entry.channel_id);
    out.number(entry.bytes);
  }
  write_losses(out, index.folded_);
}

void IndexCodec::read(StateReader& in, const ReplayRing& ring, GatewayIndex& index) {
  index.base_ = in.number<std::uint64_t>("index base");
  index.cursor_ = in.number<std::uint64_t>("index cursor");
  index.cut_end_ = in.number<std::uint64_t>("index cut");
  in.require(index.base_ >= 1 && index.base_ < kSequenceMax, "index base", "is out of range");
  const std::size_t count = in.count("index entries", kEntryBytes);
  const std::uint64_t serials_end = ring.evicted() + 1 + ring.messages();
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    GatewayIndex::Entry entry;
    entry.marked_serial = in.number<std::uint64_t>("index serial");
    entry.epoch = in.number<std::uint64_t>("index epoch");
    entry.offset = in.number<std::uint64_t>("index offset");
    entry.channel_id = in.number<std::uint32_t>("index channel");
    entry.bytes = in.number<std::uint32_t>("index bytes");
    in.require(entry.channel_id != 0, "index channel", "is 0");
    in.require(entry.bytes <= kEntryBytesMax, "index bytes", "are more than a link carries");
    // A break has its duration in that place.
    in.require(entry.bytes == 0 || entry.serial() < serials_end, "index serial",
               "is beyond the ring");
    in.require(!entry.is_loss() || (entry.lost() > 0 && entry.lost() <= entry.offset), "index loss",
               "is of more than there were");
    index.entries_.push_back(entry);
  }
  read_losses(in, index.folded_);
  check(in, index);
  if (!in.good()) return;
  for (std::uint64_t sequence = index.queue_front(); sequence <= index.last_sequence(); ++sequence)
    index.queue_bytes_ += index.at(sequence).bytes;
}

void IndexCodec::check(StateReader& in, const GatewayIndex& index) {
  const std::uint64_t end = index.last_sequence() + 1;
  in.require(index.cursor_ >= 1 && index.cursor_ <= end, "index cursor", "is out of range");
  in.require(index.cut_end_ >= 1 && index.cut_end_ <= end, "index cut", "is out of range");
  in.require(index.folded_.empty() == (index.cursor_ >= index.base_), "index cursor",
             "does not fit what is lost");
}

void IndexCodec::write_losses(StateWriter& out, const GapCollector& losses) {
  out.number<std::uint64_t>(losses.gaps_.size());
  for (const proto::Gap& gap : losses.gaps_) {
    out.number(gap.channel_id);
    out.number(gap.cause);
    out.position(gap.position);
    out.number(gap.first_missing);
    out.number(gap.count);
    out.number(gap.duration_ms);
  }
}

void IndexCodec::read_losses(StateReader& in, GapCollector& losses) {
  const std::size_t count = in.count("gaps", kGapBytes);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    const auto channel_id = in.number<std::uint32_t>("gap's channel");
    bool fresh = false;
    proto::Gap& gap = losses.gap_of(channel_id, fresh);
    in.require(fresh && channel_id != 0, "gap's channel", "is there twice, or 0");
    gap.cause = in.number<proto::GapCause>("gap's cause");
    in.require(gap.cause >= proto::GapCause::kOverrun && gap.cause <= proto::GapCause::kOversized,
               "gap's cause", "is unknown");
    gap.position = in.position("gap's position");
    gap.first_missing = in.number<std::uint64_t>("gap's first");
    gap.count = in.number<std::uint64_t>("gap's count");
    gap.duration_ms = in.number<std::uint64_t>("gap's duration");
  }
}

}  // namespace sluice::relay
