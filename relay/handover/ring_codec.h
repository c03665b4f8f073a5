// The replay ring in a relay's state. Pure.
#pragma once

#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"
#include "relay/replay_ring.h"

namespace sluice::relay {

struct RingCodec {
  static void write(StateWriter& out, const ReplayRing& ring);
  /// Into a new ring; of no use when the reader has found a fault.
  static void read(StateReader& in, ReplayRing& ring);
  /// Of the channel's messages that can be asked for by offset: is the last one at `top`?
  [[nodiscard]] static bool ends_at(const ReplayRing& ring, ChannelOrdinal channel,
                                    proto::Position top);
  /// Channels of which messages can be asked for by offset.
  [[nodiscard]] static std::size_t channels(const ReplayRing& ring) {
    return ring.by_channel_.size();
  }
};

}  // namespace sluice::relay
