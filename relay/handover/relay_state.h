// The whole of what a relay leaves to the next program of its process: preamble and state, written
// from the parts as they run and read into parts that nobody has used yet.
#pragma once

#include <string>
#include <vector>

#include "relay/admin.h"
#include "relay/brokers/broker.h"
#include "relay/brokers/memory_broker.h"
#include "relay/brokers/redis_broker.h"
#include "relay/gateway_listener.h"
#include "relay/handover/descriptors.h"
#include "relay/handover/preamble.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"
#include "relay/router.h"

namespace sluice::relay {

/// Whose state it is. All outlive their use.
struct RelayParts {
  Router& router;
  Broker& broker;
  RedisBroker* redis = nullptr;    ///< the broker, if it is one
  MemoryBroker* memory = nullptr;  ///< the same
};

/// What is not of a part, or must wait until there are others.
struct Leftovers {
  TimePoint stopped_at{};  ///< since then links have not been read
  LinkStats link_stats;
  std::vector<LinkState> links;
  int api_socket = -1;                     ///< listens; among the carried descriptors; -1: none
  std::vector<PublishRequest> unanswered;  ///< of unknown fate
};

/// `links`: see GatewayListener::links(). total_bytes is left open.
[[nodiscard]] Preamble make_preamble(const RelayParts& parts, const std::vector<LinkState>& links,
                                     int link_socket, int admin_socket, int api_socket);
void write_state(StateWriter& out, const RelayParts& parts, const Leftovers& leftovers);
/// Router and broker are of no use when the reader has found a fault. Else the links are to be
/// adopted, all of them and before anything else.
[[nodiscard]] Leftovers read_state(StateReader& in, const RelayParts& parts,
                                   Descriptors& descriptors);

}  // namespace sluice::relay
