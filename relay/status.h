// What `sluice status` shows: the relay's state as JSON text (docs/STATUS.md). Pure and bounded: of
// gateways and channels the totals, and rows of so many.
#pragma once

#include <cstddef>
#include <string>

#include "relay/router.h"

namespace sluice::relay {

/// At most proto::kStatusBytesMax bytes. `channels_wanted`: rows of channels, those with the most
/// subscribers; kStatusChannelsMax bounds it.
[[nodiscard]] std::string status_json(const Router& router, std::size_t channels_wanted);

}  // namespace sluice::relay
