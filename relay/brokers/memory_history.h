// The histories that the embedded broker keeps: publications per channel, bounded by size and age
// as its rules say and by memory in all. Pure: time and randomness come in from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "common/random.h"
#include "relay/brokers/broker.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

/// Of all publications kept, what they cost beside their bytes included. Over it the oldest ones of
/// the channel that was published on longest ago go first.
inline constexpr std::size_t kMemoryHistoryBytesMax = 256U << 20U;
/// A channel's position outlives its publications by so much, unless somebody listens.
inline constexpr Duration kMemoryPositionTtl = std::chrono::hours(24 * 30);
/// Channels with a position; over it those that were published on longest ago lose it, unless
/// somebody listens.
inline constexpr std::size_t kMemoryPositionsMax = 1'000'000;

class MemoryHistory {
  friend struct MemoryBrokerCodec;  // handover/

 public:
  struct Bounds {
    std::size_t bytes_max = kMemoryHistoryBytesMax;
    std::size_t positions_max = kMemoryPositionsMax;
  };
  /// `listened` says whether a channel's position must stay.
  MemoryHistory(Random& random, Bounds bounds, std::function<bool(std::string_view)> listened)
      : random_(random), bounds_(bounds), listened_(std::move(listened)) {}
  MemoryHistory(const MemoryHistory&) = delete;
  MemoryHistory& operator=(const MemoryHistory&) = delete;

  /// Where it stands; a new channel begins an epoch.
  [[nodiscard]] proto::Position position(std::string_view channel, TimePoint now);
  [[nodiscard]] proto::Position add(std::string_view channel, proto::Bytes payload,
                                    proto::Bytes meta, const ChannelOptions& options,
                                    TimePoint now);
  /// A channel that was never published on or listened to has none: epoch 0. Behind a position of
  /// another epoch there is nothing.
  [[nodiscard]] HistoryAnswer find(std::string_view channel, const proto::HistoryQuery& query,
                                   TimePoint now);
  /// All is gone, and a new epoch begins.
  [[nodiscard]] proto::Position remove(std::string_view channel, TimePoint now);
  /// What is too old goes. A little of it at a time does, whoever else is called.
  void expire(TimePoint now);

  [[nodiscard]] std::size_t channels() const { return channels_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Publications that went before their time, for want of room.
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

 private:
  struct Kept {
    std::string payload;
    std::string meta;
    [[nodiscard]] std::size_t cost() const;
  };
  struct History {
    proto::Position top;
    std::deque<Kept> kept;  ///< offsets (top - size, top]
    TimePoint used_at{};    ///< last published on, or begun
    TimePoint expires_at{};
  };
  using Channels = StringMap<History>;
  /// Names live as long as their channel.
  using Order = std::set<std::pair<TimePoint, const std::string*>>;

  [[nodiscard]] Channels::value_type& channel_for(std::string_view name, TimePoint now);
  void drop_oldest(History& history);
  void forget_publications(Channels::value_type& channel);
  void set_expiry(Channels::value_type& channel, TimePoint at);
  void set_used(Channels::value_type& channel, TimePoint at);
  void keep_bytes_bound();
  void keep_positions_bound(const std::string* fresh, TimePoint now);
  void erase(Channels::iterator channel);

  Random& random_;
  Bounds bounds_;
  std::function<bool(std::string_view)> listened_;
  Channels channels_;
  Order by_use_;       ///< all
  Order by_use_full_;  ///< those that keep publications
  Order by_expiry_;    ///< all: of publications, then of the position
  std::size_t bytes_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace sluice::relay
