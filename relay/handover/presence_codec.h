// Who is in which channel, in a relay's state. Pure.
#pragma once

#include <cstddef>

#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"
#include "relay/presence_table.h"

namespace sluice::relay {

struct PresenceCodec {
  static void write(StateWriter& out, const PresenceTable& table);
  /// Into an empty one; more than `entries_max` are a fault.
  static void read(StateReader& in, PresenceTable& table, std::size_t entries_max);
};

}  // namespace sluice::relay
