// The codes of close frames that this gateway sends: RFC 6455 section 7.4 and the IANA registry,
// and from 3000 on those of the Centrifuge protocol. There a client comes back by itself below
// 3500.
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

  kConnectionClosed = 3000,
  kShutdown = 3001,
  kServerError = 3004,
  kExpired = 3005,  ///< the connection's token was not refreshed in time
  kSubscriptionExpired = 3006,
  kSlow = 3008,
  kInsufficientState = 3010,  ///< a gap in a server-side subscription
  kForceReconnect = 3011,
  kNoPong = 3012,
  kTooManyRequests = 3013,
  kInvalidToken = 3500,
  kBadRequest = 3501,
  kStale = 3502,  ///< no connect command in time
  kForceDisconnect = 3503,
  kConnectionLimit = 3504,
  kChannelLimit = 3505,
  kPermissionDenied = 3507,
  kNotAvailable = 3508,
};

/// What a client is told at the end; the text lives for the call.
struct Farewell {
  CloseCode code{};
  const char* reason = "";
};

}  // namespace sluice::gateway
