// Step 6 of a message's path: publishes that can't go yet, because the broker is away, has no room,
// or because the subscription of their channel is in flight. In order, bounded in bytes, each with
// its own deadline. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "common/clock.h"
#include "proto/frame.h"
#include "relay/transparent_hash.h"

namespace sluice::relay {

/// No link has this number: a part of the relay itself asks.
inline constexpr std::uint64_t kNoLink = 0;

/// Who asked, and whether it wants to know.
struct PublishRequest {
  std::uint64_t link = 0;
  std::uint64_t request = 0;
  bool acknowledge = false;
};

struct HeldPublish {
  PublishRequest origin;
  std::string channel;
  std::string payload;
  std::string meta;
  TimePoint deadline{};
  bool beside = false;  ///< without a place in the channel's history
};

class PublishHold {
  friend struct HoldCodec;  // handover/

 public:
  explicit PublishHold(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// False: no room, nothing was taken.
  [[nodiscard]] bool push(HeldPublish publish);
  /// Does something of this channel wait? Then what follows on the channel must wait behind it.
  [[nodiscard]] bool waits(std::string_view channel) const { return counts_.contains(channel); }

  enum class Verdict { kTake, kSkip, kStop };
  /// Offers all in the order in which they came, until `judge` says kStop. It must say kSkip to all
  /// of a channel or to none. `use` gets what was taken; neither may call back into the hold.
  void release(const std::function<Verdict(const HeldPublish&)>& judge,
               const std::function<void(HeldPublish)>& use);
  /// Hands out those whose deadline has passed.
  void expire(TimePoint now, const std::function<void(HeldPublish)>& use);
  /// Hands out all.
  void clear(const std::function<void(HeldPublish)>& use);

  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] std::size_t count() const { return items_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  using Items = std::map<std::uint64_t, HeldPublish>;  ///< by arrival
  [[nodiscard]] HeldPublish remove(Items::iterator item);

  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t next_arrival_ = 1;
  Items items_;
  std::set<std::pair<TimePoint, std::uint64_t>> deadlines_;
  StringMap<std::size_t> counts_;  ///< per channel
};

}  // namespace sluice::relay
