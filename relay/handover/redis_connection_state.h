// A connection to Redis on which the handshake is done, in a relay's state. Pure.
#pragma once

#include <string>

#include "common/clock.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct RedisConnectionState {
  int descriptor = -1;
  std::string server_id;
  std::string unsent;
  bool expecting = false;  ///< an answer
  TimePoint expecting_since{};
  TimePoint last_received{};
};

void write(StateWriter& out, const RedisConnectionState& connection);
[[nodiscard]] RedisConnectionState read_redis_connection(StateReader& in);

}  // namespace sluice::relay
