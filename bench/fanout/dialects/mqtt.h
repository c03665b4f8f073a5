// MQTT 3.1.1 over WebSocket (subprotocol "mqtt"): a client that connects, subscribes to its
// channel's topic at QoS 0 and hears PUBLISH packets.
//
// A frame may hold several packets. The standard also lets a packet be spread over frames; no
// broker of this bench does that, and a dialect keeps nothing about a client: that is kBroken here,
// so that it could not pass for a lost message.
#pragma once

#include <memory>

#include "bench/fanout/dialect.h"

namespace sluice::fanout {

[[nodiscard]] std::unique_ptr<Dialect> make_mqtt_dialect();

}  // namespace sluice::fanout
