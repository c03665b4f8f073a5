// The Centrifuge protocol, version 2: a client that connects without a token, subscribes to its
// channel and hears publications whose data is one text. Pings of the application are answered.
// Sluice speaks it, and so would Centrifugo.
#pragma once

#include <memory>

#include "bench/fanout/dialect.h"

namespace sluice::fanout {

[[nodiscard]] std::unique_ptr<Dialect> make_centrifuge_json_dialect();
[[nodiscard]] std::unique_ptr<Dialect> make_centrifuge_protobuf_dialect();

}  // namespace sluice::fanout
