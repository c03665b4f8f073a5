// RFC 6455 section 7.4 and the IANA registry: the codes that this gateway sends.
#pragma once

#include <cstdint>

namespace sluice::gateway {

enum class CloseCode : std::uint16_t {
  kNone = 0,  ///< a close frame without a code, in answer to one
  kNormal = 1000,
  kGoingAway = 1001,  ///< draining: come back, another gateway will take you
  kProtocolError = 1002,
  kInvalidPayload = 1007,  ///< text that is not UTF-8
  kPolicy = 1008,          ///< too slow (the queue bound was reached), or too many messages
  kTooBig = 1009,
  kServiceRestart = 1012,  ///< a gap with --on-gap close: reload and come back
  kTryAgainLater = 1013,   ///< a publish could not be done in time
};

}  // namespace sluice::gateway
