// How long a client that has lost its connection waits before the next try, as SDKs of the field do
// by default. Pure.
#pragma once

#include "common/clock.h"
#include "common/random.h"

namespace sluice::bench {

/// Whose defaults a client has.
enum class Sdk {
  kCentrifuge,  ///< centrifuge-js: 500 ms to 20 s, doubling, full jitter
  kSocketIo,    ///< socket.io-client 4: 1 s to 5 s, doubling, half of it jitter either way
};

/// `attempt`: tries that have failed since the connection was lost, 0 for the first wait.
[[nodiscard]] Duration reconnect_wait(Sdk sdk, unsigned attempt, Random& random);

}  // namespace sluice::bench
