// Channels that are heard with an envelope, and where those with history stand, in a relay's state.
// What was held while something earlier was being read is not in it: it is read again. Pure.
#pragma once

#include "relay/brokers/redis_channels.h"
#include "relay/brokers/redis_subscriptions.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct RedisChannelsCodec {
  static void write(StateWriter& out, const RedisChannels& channels);
  /// Into new channels that nobody has used; of no use when the reader has found a fault.
  /// `subscriptions` as they were, by the names that things have in Redis.
  static void read(StateReader& in, RedisChannels& channels,
                   const RedisSubscriptions& subscriptions);

 private:
  static void read_channel(StateReader& in, RedisChannels& channels,
                           const RedisSubscriptions& subscriptions);
  static void read_continuity(StateReader& in, RedisContinuity& continuity,
                              RedisContinuity::Node& node, bool confirmed);
};

}  // namespace sluice::relay
