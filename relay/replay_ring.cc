#include "relay/replay_ring.h"

#include <cstring>
#include <new>
#include <utility>

#include "common/check.h"

namespace sluice::relay {

RefPtr<const RingEntry> RingEntry::make(ChannelOrdinal channel, proto::Position position,
                                        TimePoint arrived, proto::Bytes payload, proto::Bytes meta,
                                        bool beside) {
  RingEntry* entry = allocate(channel, position, arrived, payload.size(), meta.size());
  entry->beside_ = beside;
  std::uint8_t* bytes = entry->writable();
  if (!payload.empty()) std::memcpy(bytes, payload.data(), payload.size());
  if (!meta.empty()) std::memcpy(bytes + payload.size(), meta.data(), meta.size());
  return RefPtr<const RingEntry>::adopt(entry);
}

RingEntry* RingEntry::allocate(ChannelOrdinal channel, proto::Position position, TimePoint arrived,
                               std::size_t payload_bytes, std::size_t meta_bytes) {
  void* raw = ::operator new(sizeof(RingEntry) + payload_bytes + meta_bytes);
  return new (raw) RingEntry(channel, position, arrived, payload_bytes, meta_bytes);
}

void RingEntry::release() const {
  if (--references_ != 0) return;
  auto* raw = const_cast<RingEntry*>(this);
  raw->~RingEntry();
  ::operator delete(raw);
}

EntryDraft::EntryDraft(std::size_t payload_bytes)
    : entry_(RefPtr<RingEntry>::adopt(RingEntry::allocate(0, {}, {}, payload_bytes, 0))) {
}

void EntryDraft::append(proto::Bytes piece) {
  CHECK(piece.size() <= missing());
  if (!piece.empty()) std::memcpy(entry_->writable() + filled_, piece.data(), piece.size());
  filled_ += piece.size();
}

RefPtr<const RingEntry> EntryDraft::finish(ChannelOrdinal channel, proto::Position position,
                                           TimePoint arrived, bool beside) && {
  CHECK(missing() == 0);
  entry_->channel_ = channel;
  entry_->position_ = position;
  entry_->arrived_ = arrived;
  entry_->beside_ = beside;
  RefPtr<const RingEntry> made(entry_.get());
  entry_ = {};
  return made;
}

std::uint64_t ReplayRing::append(RefPtr<const RingEntry> entry) {
  const std::uint64_t serial = first_serial_ + entries_.size();
  bytes_ += entry->cost();
  if (!entry->beside()) {
    ChannelEntries& channel = by_channel_[entry->channel()];
    channel.serials.push_back(serial);
    channel.bytes += entry->cost();
  }
  entries_.push_back(std::move(entry));
  while (entries_.size() > 1 &&
         (entries_.size() > options_.messages_max || bytes_ > options_.bytes_max)) {
    evict_oldest();
  }
  return serial;
}

void ReplayRing::expire(TimePoint now) {
  while (!entries_.empty() && now - entries_.front()->arrived() > options_.age_max) evict_oldest();
}

const RingEntry* ReplayRing::find(std::uint64_t serial) const {
  if (gone(serial)) return nullptr;
  const std::uint64_t place = serial - first_serial_;
  CHECK(place < entries_.size());
  return entries_[place].get();
}

const std::deque<std::uint64_t>* ReplayRing::serials(ChannelOrdinal channel) const {
  const auto found = by_channel_.find(channel);
  return found == by_channel_.end() ? nullptr : &found->second.serials;
}

std::size_t ReplayRing::bytes_of(ChannelOrdinal channel) const {
  const auto found = by_channel_.find(channel);
  return found == by_channel_.end() ? 0 : found->second.bytes;
}

void ReplayRing::evict_oldest() {
  const RefPtr<const RingEntry> oldest = entries_.pop_front();
  bytes_ -= oldest->cost();
  // Not in the list if it is beside the history, or its channel began a new epoch or ended since.
  const auto list = by_channel_.find(oldest->channel());
  if (list != by_channel_.end() && list->second.serials.front() == first_serial_) {
    list->second.serials.pop_front();
    list->second.bytes -= oldest->cost();
    if (list->second.serials.empty()) by_channel_.erase(list);
  }
  ++first_serial_;
}

}  // namespace sluice::relay
