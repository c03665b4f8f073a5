// A push that the subscriber's reader has read in part, in a relay's state: where it is in it and
// what of it has come. Pure.
#pragma once

#include "relay/brokers/redis_push_reader.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct RedisPushCodec {
  /// Of a reader that has not met malformed bytes.
  static void write(StateWriter& out, const RedisPushReader& reader);
  /// Into a new reader; of no use when the state reader has found a fault.
  static void read(StateReader& in, RedisPushReader& reader);

 private:
  static void read_draft(StateReader& in, RedisPushReader& reader);
  /// What the steps of the reader take for granted.
  static void check(StateReader& in, const RedisPushReader& reader);
  [[nodiscard]] static bool plausible(const RedisPushReader& reader);
};

}  // namespace sluice::relay
