// Socket.IO 5 over Engine.IO 4, WebSocket transport alone: the client names its room in CONNECT,
// the server (peers/node/socketio_server.mjs) says "joined", messages are events "m" with one text.
#pragma once

#include <memory>

#include "bench/fanout/dialect.h"

namespace sluice::fanout {

[[nodiscard]] std::unique_ptr<Dialect> make_socketio_dialect();

}  // namespace sluice::fanout
