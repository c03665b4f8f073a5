#include "relay/handover/ring_codec.h"

#include <utility>
#include <vector>

#include "proto/limits.h"

namespace sluice::relay {
namespace {

/// Channel, position, time, two empty texts, whether it is listed, and whether it is beside the
/// history.
constexpr std::size_t kEntryBytesMin = 8 + 16 + 8 + 8 + 8 + 1 + 1;
/// No counter comes near it; sums of serials and sizes stay far from the end of the type.
constexpr std::uint64_t kSerialMax = std::uint64_t{1} << 62U;

}  // namespace

void RingCodec::write(StateWriter& out, const ReplayRing& ring) {
  std::vector<bool> listed(ring.entries_.size());
  for (const auto& [channel, entries] : ring.by_channel_) {
    for (const std::uint64_t serial : entries.serials) listed[serial - ring.first_serial_] = true;
  }
  out.number(ring.first_serial_);
  out.number<std::uint64_t>(ring.entries_.size());
  for (std::size_t i = 0; i < ring.entries_.size(); ++i) {
    const RingEntry& entry = *ring.entries_[i];
    out.number(entry.channel());
    out.position(entry.position());
    out.time(entry.arrived());
    out.flag(listed[i]);
    out.flag(entry.beside());
    out.text(proto::as_text(entry.payload()));
    out.text(proto::as_text(entry.meta()));
  }
}

void RingCodec::read(StateReader& in, ReplayRing& ring) {
  ring.first_serial_ = in.number<std::uint64_t>("first serial");
  in.require(ring.first_serial_ >= 1 && ring.first_serial_ < kSerialMax, "first serial",
             "is out of range");
  const std::size_t count = in.count("ring entries", kEntryBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    const auto channel = in.number<ChannelOrdinal>("entry's channel");
    const proto::Position position = in.position("entry's position");
    const TimePoint arrived = in.time("entry's arrival");
    const bool listed = in.flag("entry's list");
    const bool beside = in.flag("entry's kind");
    in.require(!listed || !beside, "entry's list", "has one that stands beside it");
    const std::string_view payload = in.text("payload", proto::kPayloadBytesMax);
    const std::string_view meta = in.text("meta", proto::kMetaBytesMax);
    if (!in.good()) return;
    auto entry = RingEntry::make(channel, position, arrived, proto::as_bytes(payload),
                                 proto::as_bytes(meta), beside);
    ring.bytes_ += entry->cost();
    if (listed) {
      ReplayRing::ChannelEntries& entries = ring.by_channel_[channel];
      if (!entries.serials.empty()) {
        const auto& before = *ring.entries_[entries.serials.back() - ring.first_serial_];
        const proto::Position next{before.position().epoch, before.position().offset + 1};
        in.require(position == next, "entry's position", "does not follow the one before");
      }
      entries.serials.push_back(ring.first_serial_ + i);
      entries.bytes += entry->cost();
    }
    ring.entries_.push_back(std::move(entry));
  }
}

bool RingCodec::ends_at(const ReplayRing& ring, ChannelOrdinal channel, proto::Position top) {
  const auto* serials = ring.serials(channel);
  if (serials == nullptr) return true;
  return ring.find(serials->back())->position() == top && serials->size() <= top.offset;
}

}  // namespace sluice::relay
