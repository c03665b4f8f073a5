// Which channels are wanted, asked for and confirmed at Redis, in a relay's state. Pure.
#pragma once

#include <vector>

#include "relay/brokers/redis_subscriptions.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct RedisSubscriptionsCodec {
  static void write(StateWriter& out, const RedisSubscriptions& subscriptions);
  /// Into new bookkeeping that nobody has used; of no use when the reader has found a fault.
  static void read(StateReader& in, RedisSubscriptions& subscriptions);

 private:
  using Node = RedisSubscriptions::Node;
  using Nodes = std::vector<Node*>;

  static void read_channel(StateReader& in, RedisSubscriptions& subscriptions, Nodes& nodes);
  [[nodiscard]] static Node* read_node(StateReader& in, const Nodes& nodes);
  static void read_command(StateReader& in, RedisSubscriptions& subscriptions, const Nodes& nodes);
};

}  // namespace sluice::relay
