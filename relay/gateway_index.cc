#include "relay/gateway_index.h"

#include <algorithm>

#include "common/check.h"

namespace sluice::relay {

void GatewayIndex::lose(const Entry& entry, GapCollector& losses) {
  const proto::Position position{entry.epoch, entry.offset};
  if (entry.is_loss()) {
    losses.add_loss(entry.channel_id, position, entry.lost());
  } else if (entry.bytes == 0) {
    losses.add_break(entry.channel_id, position, entry.serial());
  } else if (entry.serial() == 0) {
    losses.add_oversized(entry.channel_id, position, entry.is_beside());
  } else {
    losses.add_message(entry.channel_id, position, entry.is_beside());
  }
}

std::uint64_t GatewayIndex::queue_front() const {
  return std::max({cursor_, cut_end_, base_});
}

bool GatewayIndex::append_message(const ReplayRing& ring, std::uint64_t serial,
                                  std::uint32_t channel_id, const RingEntry& entry) {
  const bool was_behind = cut_end_ > cursor_;
  append(Entry{.marked_serial = serial | (entry.beside() ? kBesideMark : 0),
               .epoch = entry.position().epoch,
               .offset = entry.position().offset,
               .channel_id = channel_id,
               .bytes = static_cast<std::uint32_t>(proto::kHeaderBytes + entry.body().size())});
  cut_oldest(ring);
  return !was_behind && cut_end_ > cursor_;
}

void GatewayIndex::append_oversized(std::uint32_t channel_id, proto::Position position,
                                    bool beside) {
  append(Entry{.marked_serial = beside ? kBesideMark : 0,
               .epoch = position.epoch,
               .offset = position.offset,
               .channel_id = channel_id,
               .bytes = proto::kHeaderBytes});
}

void GatewayIndex::append_break(std::uint32_t channel_id, proto::Position position,
                                std::uint64_t duration_ms) {
  append(Entry{.marked_serial = duration_ms & ~kLossMark,
               .epoch = position.epoch,
               .offset = position.offset,
               .channel_id = channel_id,
               .bytes = 0});
}

void GatewayIndex::append_loss(std::uint32_t channel_id, proto::Position position,
                               std::uint64_t count) {
  CHECK(count > 0 && count <= position.offset && (count & kLossMark) == 0);
  append(Entry{.marked_serial = kLossMark | count,
               .epoch = position.epoch,
               .offset = position.offset,
               .channel_id = channel_id,
               .bytes = 0});
}

void GatewayIndex::append(const Entry& entry) {
  if (entries_.size() >= options_.entries_max) forget_oldest();
  entries_.push_back(entry);
  queue_bytes_ += entry.bytes;
}

void GatewayIndex::forget_oldest() {
  if (base_ >= cursor_) {
    const Entry& oldest = entries_.front();
    if (base_ >= queue_front()) queue_bytes_ -= oldest.bytes;
    lose(oldest, folded_);
    cut_end_ = std::max(cut_end_, base_ + 1);
  }
  entries_.drop_front();
  ++base_;
}

void GatewayIndex::cut_oldest(const ReplayRing& ring) {
  const std::uint64_t front = queue_front();
  const std::uint64_t last = last_sequence();
  std::uint64_t end = front;
  const auto cut_one = [&] { queue_bytes_ -= at(end++).bytes; };
  // A message on its own is never over the bound: it could not be sent at all.
  if (queue_bytes_ > options_.queue_bytes_max) {
    // A little more than needed, so that an overrun is one gap and not one per message.
    const std::size_t target = options_.queue_bytes_max - options_.queue_bytes_max / 8;
    while (end < last && queue_bytes_ > target) cut_one();
  }
  while (end < last && at(end).bytes != 0 && ring.gone(at(end).serial())) cut_one();
  if (end > front) cut_end_ = end;
}

void GatewayIndex::take(const ReplayRing& ring, Outgoing& out) {
  out.kind = Outgoing::Kind::kNothing;
  out.gaps.clear();
  if (!pending()) return;
  const std::uint64_t previous = cursor_ - 1;
  GapCollector& losses = cursor_ < base_ ? folded_ : losses_;
  cursor_ = std::max(cursor_, base_);
  for (; pending(); ++cursor_) {
    const Entry& entry = at(cursor_);
    const bool cut = cursor_ < cut_end_;
    if (entry.bytes != 0 && !cut && !ring.gone(entry.serial())) break;
    if (!cut) queue_bytes_ -= entry.bytes;
    lose(entry, losses);
  }
  if (!losses.empty()) {
    out.kind = Outgoing::Kind::kGaps;
    losses.take(previous, cursor_ - 1, out.gaps);
    return;
  }
  const Entry& entry = at(cursor_);
  out.kind = Outgoing::Kind::kMessage;
  out.entry = ring.find(entry.serial());
  CHECK(out.entry != nullptr);
  out.channel_id = entry.channel_id;
  out.sequence = cursor_++;
  queue_bytes_ -= entry.bytes;
}

std::unordered_map<std::uint32_t, proto::Position> GatewayIndex::positions_at_cursor() const {
  std::unordered_map<std::uint32_t, proto::Position> next;
  std::unordered_map<std::uint32_t, proto::Position> last;
  if (cursor_ < base_) folded_.positions(next);
  for (std::uint64_t sequence = base_; sequence <= last_sequence(); ++sequence) {
    const Entry& entry = at(sequence);
    const proto::Position position{entry.epoch, entry.offset};
    if (sequence < cursor_) {
      last[entry.channel_id] = position;
    } else if (entry.bytes != 0) {
      next.try_emplace(entry.channel_id, entry.before());
    } else if (entry.is_loss()) {
      next.try_emplace(entry.channel_id,
                       proto::Position{position.epoch, position.offset - entry.lost()});
    } else {
      const auto before = last.find(entry.channel_id);
      next.try_emplace(entry.channel_id, before == last.end() ? proto::Position{} : before->second);
    }
  }
  return next;
}

bool GatewayIndex::can_resume(std::uint64_t last_received) const {
  if (last_received > last_sequence()) return false;
  return last_received + 1 >= base_ || (!folded_.empty() && last_received + 1 == cursor_);
}

void GatewayIndex::resume(const ReplayRing& ring, std::uint64_t last_received) {
  CHECK(can_resume(last_received));
  cursor_ = last_received + 1;
  if (cursor_ >= base_) folded_.clear();
  cut_end_ = std::max(cursor_, base_);
  queue_bytes_ = 0;
  for (std::uint64_t sequence = cut_end_; sequence <= last_sequence(); ++sequence) {
    queue_bytes_ += at(sequence).bytes;
  }
  cut_oldest(ring);
}

}  // namespace sluice::relay
