// What a broker's subscriber and publisher tell it.
#pragma once

#include "relay/brokers/redis_error.h"

namespace sluice::relay {

enum class RedisLink { kSubscriber, kPublisher };

class RedisLinkOwner {
 public:
  virtual ~RedisLinkOwner() = default;
  /// The subscriber's handshake is done; ready() follows when all is subscribed again. It may be
  /// dropped from inside.
  virtual void subscriber_open() = 0;
  /// ready() has become true. From the loop.
  virtual void link_ready(RedisLink link) = 0;
  /// Closed; to be opened again, later.
  virtual void link_lost(RedisLink link, const RedisLoss& loss) = 0;
  /// The publisher said that it had no room and now has.
  virtual void link_has_room() = 0;
};

}  // namespace sluice::relay
