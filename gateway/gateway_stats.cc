#include "gateway/gateway_stats.h"

namespace sluice::gateway {

CloseReason reason_of(CloseCode code) {
  switch (code) {
    case CloseCode::kGoingAway:
      return CloseReason::kDrained;
    case CloseCode::kProtocolError:
      return CloseReason::kProtocolError;
    case CloseCode::kInvalidPayload:
      return CloseReason::kInvalidPayload;
    case CloseCode::kPolicy:
      return CloseReason::kTooSlow;
    case CloseCode::kTooBig:
      return CloseReason::kTooBig;
    case CloseCode::kServiceRestart:
      return CloseReason::kGap;
    case CloseCode::kTryAgainLater:
      return CloseReason::kPublishFailed;
    case CloseCode::kShutdown:
      return CloseReason::kDrained;
    case CloseCode::kSlow:
      return CloseReason::kTooSlow;
    case CloseCode::kInsufficientState:
      return CloseReason::kGap;
    case CloseCode::kTooManyRequests:
      return CloseReason::kRateLimited;
    case CloseCode::kNoPong:
      return CloseReason::kNoPong;
    case CloseCode::kBadRequest:
    case CloseCode::kNotAvailable:
      return CloseReason::kBadRequest;
    case CloseCode::kStale:
      return CloseReason::kStale;
    case CloseCode::kExpired:
    case CloseCode::kSubscriptionExpired:
      return CloseReason::kExpired;
    case CloseCode::kInvalidToken:
    case CloseCode::kConnectionLimit:
    case CloseCode::kChannelLimit:
    case CloseCode::kPermissionDenied:
      return CloseReason::kRefused;
    case CloseCode::kServerError:
      return CloseReason::kServerError;
    case CloseCode::kConnectionClosed:
    case CloseCode::kForceReconnect:
    case CloseCode::kForceDisconnect:
      return CloseReason::kDisconnected;
    case CloseCode::kNone:
    case CloseCode::kNormal:
      return CloseReason::kClientClosed;
  }
  // An application's own code (hooks, the server API).
  return static_cast<std::uint16_t>(code) >= 3000 ? CloseReason::kDisconnected
                                                  : CloseReason::kClientClosed;
}

}  // namespace sluice::gateway
