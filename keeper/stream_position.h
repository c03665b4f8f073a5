// What the kernel says of a TCP connection's two byte streams.
#pragma once

#include <optional>

#include "keeper/recovery.h"

namespace sluice::keeper {

/// Bytes that this side's processes have ever written to the connection and taken from it, SYN and
/// FIN left out; a constant may be in them that is the same for all of a connection's life (a
/// connecting side counts its SYN), so compare differences. Nothing for what is no TCP socket (Unix
/// sockets), for one that is reset or over, and for one that does not stand still.
[[nodiscard]] std::optional<Counters> stream_position(int socket);

}  // namespace sluice::keeper
