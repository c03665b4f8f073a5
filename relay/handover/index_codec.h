// A gateway's index, which is its queue, in a relay's state. Pure.
#pragma once

#include "relay/gateway_index.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct IndexCodec {
  static void write(StateWriter& out, const GatewayIndex& index);
  /// Into a new index over `ring`, which has been read; of no use when the reader has found a
  /// fault.
  static void read(StateReader& in, const ReplayRing& ring, GatewayIndex& index);

 private:
  static void write_losses(StateWriter& out, const GapCollector& losses);
  static void read_losses(StateReader& in, GapCollector& losses);
  static void check(StateReader& in, const GatewayIndex& index);
};

}  // namespace sluice::relay
