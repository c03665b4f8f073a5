// What a link had asked of history and presence when the relay's program changed. What nobody had
// begun to answer is asked again; of the answer under way only the request is kept, to be refused.
// Pure.
#pragma once

#include <span>

#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"
#include "relay/link_requests.h"

namespace sluice::relay {

struct RequestCodec {
  /// `at_broker`: those that the broker has not answered.
  static void write(StateWriter& out, const LinkRequests& requests,
                    std::span<const LinkRequest* const> at_broker);
  /// Into an empty one.
  static void read(StateReader& in, LinkRequests& requests);
};

}  // namespace sluice::relay
