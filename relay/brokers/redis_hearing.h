// Step 8 of a message's path: what the subscriber hears, by the names that things have in Redis.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/clock.h"
#include "proto/frame.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

class RedisHearing {
 public:
  virtual ~RedisHearing() = default;
  /// `uncovered`: see BrokerEvents::subscribed().
  virtual void confirmed(std::string_view name, std::optional<Duration> uncovered) = 0;
  virtual void heard(std::string_view name, proto::Bytes bytes) = 0;
  /// The same, put together in the memory that the ring may keep.
  virtual void heard(std::string_view name, EntryDraft bytes) = 0;
  /// So many bytes came, more than anything of ours has; nobody holds them.
  virtual void heard_oversized(std::string_view name, std::uint64_t bytes) = 0;
  /// Nothing is heard any more until confirmed() comes.
  virtual void subscriber_lost() = 0;
};

}  // namespace sluice::relay
