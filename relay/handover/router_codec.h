// What the Router remembers, in a relay's state: channels, gateways and their subscriptions, ring,
// queues, waiting publishes, drain marks, counters. Pure.
#pragma once

#include <memory>
#include <vector>

#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"
#include "relay/router.h"

namespace sluice::relay {

struct RouterCodec {
  static void write(StateWriter& out, const Router& router);
  /// Into a new Router that nobody has used; of no use when the reader has found a fault. Nothing
  /// is told to anybody: links are to be adopted, the broker is to be told what is wanted. Returns
  /// the publishes that the broker had not answered.
  [[nodiscard]] static std::vector<PublishRequest> read(StateReader& in, Router& router);

 private:
  using Channels = std::vector<Channel*>;

  static void write_channels(StateWriter& out, const Router& router);
  static void write_gateway(StateWriter& out, const Router& router, const GatewayState& gateway);
  static void write_presence(StateWriter& out, const Router& router);
  static void write_subscription(StateWriter& out, const Subscription& subscription);
  static void write_marks(StateWriter& out, const DrainMarks& marks);

  [[nodiscard]] static Channels read_channels(StateReader& in, Router& router);
  static void read_gateway(StateReader& in, Router& router, const Channels& channels);
  [[nodiscard]] static std::unique_ptr<GatewayState> read_identity(StateReader& in, Router& router);
  static void read_subscription(StateReader& in, Router& router, GatewayState& gateway,
                                const Channels& channels);
  static void read_presence(StateReader& in, Router& router);
  static void read_marks(StateReader& in, DrainMarks& marks);
  static void list_idle(Router& router);
};

}  // namespace sluice::relay
