// Publishes that wait, in a relay's state. Pure.
#pragma once

#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"
#include "relay/publish_hold.h"

namespace sluice::relay {

struct HoldCodec {
  static constexpr std::size_t kRequestBytes = 8 + 8 + 1;

  static void write(StateWriter& out, const PublishHold& hold);
  /// In the order in which they came, deadlines as they were; also beyond the bound, which may be
  /// another one now.
  static void read(StateReader& in, PublishHold& hold);

  static void write_request(StateWriter& out, const PublishRequest& request);
  [[nodiscard]] static PublishRequest read_request(StateReader& in);
};

}  // namespace sluice::relay
