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
    case CloseCode::kNone:
    case CloseCode::kNormal:
      break;
  }
  return CloseReason::kClientClosed;
}

}  // namespace sluice::gateway
