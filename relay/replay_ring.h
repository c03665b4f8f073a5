// Step 9 of a message's path: the last messages of all channels, shared by every gateway's queue
// and by whoever comes back. Bounded by count, bytes and age. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "common/clock.h"
#include "common/ref_ptr.h"
#include "proto/frame.h"
#include "relay/block_queue.h"

namespace sluice::relay {

/// Numbers a channel's life in the router: a name that is given up and taken again is another one.
using ChannelOrdinal = std::uint64_t;

/// One message, immutable; payload and meta lie behind the object in the same allocation.
class RingEntry {
 public:
  [[nodiscard]] static RefPtr<const RingEntry> make(ChannelOrdinal channel,
                                                    proto::Position position, TimePoint arrived,
                                                    proto::Bytes payload, proto::Bytes meta,
                                                    bool beside = false);
  RingEntry(const RingEntry&) = delete;
  RingEntry& operator=(const RingEntry&) = delete;

  [[nodiscard]] ChannelOrdinal channel() const { return channel_; }
  /// Its own; of one beside the history, where the channel stood.
  [[nodiscard]] proto::Position position() const { return position_; }
  /// It has no place in the channel's history, and can't be asked for by offset.
  [[nodiscard]] bool beside() const { return beside_; }
  [[nodiscard]] TimePoint arrived() const { return arrived_; }
  [[nodiscard]] proto::Bytes payload() const { return {bytes(), payload_bytes_}; }
  [[nodiscard]] proto::Bytes meta() const { return {bytes() + payload_bytes_, meta_bytes_}; }
  /// Payload, then meta: what stands behind the header on the link.
  [[nodiscard]] proto::Bytes body() const { return {bytes(), payload_bytes_ + meta_bytes_}; }
  /// Memory that it costs.
  [[nodiscard]] std::size_t cost() const { return sizeof(RingEntry) + body().size(); }

  void add_ref() const { ++references_; }
  void release() const;

 private:
  RingEntry(ChannelOrdinal channel, proto::Position position, TimePoint arrived,
            std::size_t payload_bytes, std::size_t meta_bytes)
      : channel_(channel),
        position_(position),
        arrived_(arrived),
        payload_bytes_(payload_bytes),
        meta_bytes_(meta_bytes) {}
  ~RingEntry() = default;
  friend class EntryDraft;
  /// The bytes behind the object are not written yet.
  [[nodiscard]] static RingEntry* allocate(ChannelOrdinal channel, proto::Position position,
                                           TimePoint arrived, std::size_t payload_bytes,
                                           std::size_t meta_bytes);
  [[nodiscard]] const std::uint8_t* bytes() const {
    return reinterpret_cast<const std::uint8_t*>(this + 1);
  }
  [[nodiscard]] std::uint8_t* writable() { return reinterpret_cast<std::uint8_t*>(this + 1); }

  mutable std::uint32_t references_ = 1;
  bool beside_ = false;
  ChannelOrdinal channel_;
  proto::Position position_;
  TimePoint arrived_;
  std::size_t payload_bytes_;
  std::size_t meta_bytes_;
};

/// An entry whose payload comes in pieces: each is written once, to where the ring keeps it.
/// Without meta.
class EntryDraft {
 public:
  explicit EntryDraft(std::size_t payload_bytes);

  [[nodiscard]] std::size_t missing() const { return entry_->payload_bytes_ - filled_; }
  /// At most what is missing.
  void append(proto::Bytes piece);
  [[nodiscard]] proto::Bytes payload() const { return entry_->payload(); }
  /// Once nothing is missing. The draft is empty then.
  [[nodiscard]] RefPtr<const RingEntry> finish(ChannelOrdinal channel, proto::Position position,
                                               TimePoint arrived, bool beside = false) &&;

 private:
  RefPtr<RingEntry> entry_;
  std::size_t filled_ = 0;
};

struct ReplayRingOptions {
  std::size_t messages_max = 65536;
  std::size_t bytes_max = 64U << 20U;
  Duration age_max = std::chrono::minutes(5);
};

class ReplayRing {
  friend struct RingCodec;  // handover/

 public:
  explicit ReplayRing(ReplayRingOptions options) : options_(options) {}

  /// Takes one in and lets go of what is over the bounds; the newest always stays. Within an epoch
  /// the offsets of a channel must follow one another; those beside its history are had by serial
  /// alone. Returns its serial: +1 each, starting with 1.
  std::uint64_t append(RefPtr<const RingEntry> entry);
  /// Lets go of what is too old.
  void expire(TimePoint now);
  /// The channel's messages can't be asked for by offset any more: a new epoch began, or the
  /// channel ended. By serial they stay for the queues that still have to send them.
  void forget(ChannelOrdinal channel) { by_channel_.erase(channel); }

  /// Null when it is gone.
  [[nodiscard]] const RingEntry* find(std::uint64_t serial) const;
  [[nodiscard]] bool gone(std::uint64_t serial) const { return serial < first_serial_; }

  /// Serials of the channel's messages, oldest first; their offsets follow one another. Null: none.
  [[nodiscard]] const std::deque<std::uint64_t>* serials(ChannelOrdinal channel) const;

  /// Memory of those.
  [[nodiscard]] std::size_t bytes_of(ChannelOrdinal channel) const;

  [[nodiscard]] std::size_t messages() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t evicted() const { return first_serial_ - 1; }
  [[nodiscard]] const ReplayRingOptions& options() const { return options_; }

 private:
  struct ChannelEntries {
    std::deque<std::uint64_t> serials;
    std::size_t bytes = 0;
  };

  void evict_oldest();

  ReplayRingOptions options_;
  BlockQueue<RefPtr<const RingEntry>> entries_;
  std::unordered_map<ChannelOrdinal, ChannelEntries> by_channel_;
  std::uint64_t first_serial_ = 1;
  std::size_t bytes_ = 0;
};

}  // namespace sluice::relay
