// Whether connections of another process can go on in this one, with the libwebsockets at hand: it
// is tried, on socket pairs of our own, by the same code that does it for clients.
#pragma once

#include "common/result.h"

namespace sluice::gateway {

/// At start-up, before the process's own WsEndpoint is started: the receive hook serves one at a
/// time. Takes a few milliseconds, two seconds when it fails by silence, and leaves nothing behind.
/// The error says what went wrong; then no client may be taken over.
[[nodiscard]] Result<void> test_resuming();

}  // namespace sluice::gateway
