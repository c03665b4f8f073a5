// What the embedded broker keeps, in a relay's state: histories, and who is where. Pure.
#pragma once

#include "relay/brokers/memory_broker.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct MemoryBrokerCodec {
  static void write(StateWriter& out, const MemoryBroker& broker);
  /// Into a new broker that nobody has used; of no use when the reader has found a fault.
  static void read(StateReader& in, MemoryBroker& broker);

 private:
  static void write_histories(StateWriter& out, const MemoryHistory& history);
  static void read_histories(StateReader& in, MemoryHistory& history);
  static void read_publications(StateReader& in, MemoryHistory& all,
                                MemoryHistory::History& history);
};

}  // namespace sluice::relay
