#include "proto/frame.h"

#include <algorithm>

namespace sluice::proto {

std::string_view to_string(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kMalformed:
      return "malformed";
    case ErrorReason::kUnsupportedVersion:
      return "unsupported version";
    case ErrorReason::kIdInUse:
      return "in use";
    case ErrorReason::kBadId:
      return "bad id";
    case ErrorReason::kNotPermitted:
      return "not permitted";
    case ErrorReason::kOverrun:
      return "overrun";
    case ErrorReason::kTooManyTools:
      return "too many tools";
    case ErrorReason::kTimedOut:
      return "timed out";
    case ErrorReason::kQueueFull:
      return "queue full";
    case ErrorReason::kTooLarge:
      return "too large";
    case ErrorReason::kUnknownChannel:
      return "unknown channel";
    case ErrorReason::kUnknownFate:
      return "unknown fate";
    case ErrorReason::kRefusedByBroker:
      return "refused by the broker";
    case ErrorReason::kShuttingDown:
      return "shutting down";
    case ErrorReason::kUnknownGateway:
      return "unknown gateway";
  }
  return "unknown";
}

std::string_view to_string(GapCause cause) {
  switch (cause) {
    case GapCause::kOverrun:
      return "overrun";
    case GapCause::kBroker:
      return "broker";
    case GapCause::kBoth:
      return "overrun and broker";
    case GapCause::kOversized:
      return "oversized";
  }
  return "unknown";
}

std::string_view to_string(GatewayCondition condition) {
  switch (condition) {
    case GatewayCondition::kStarting:
      return "starting";
    case GatewayCondition::kReady:
      return "ready";
    case GatewayCondition::kDegraded:
      return "degraded";
    case GatewayCondition::kNotReady:
      return "not ready";
    case GatewayCondition::kDraining:
      return "draining";
  }
  return "unknown";
}

std::string_view to_string(HandoffState state) {
  switch (state) {
    case HandoffState::kOff:
      return "off";
    case HandoffState::kOn:
      return "on";
    case HandoffState::kKeeperAway:
      return "keeper away";
    case HandoffState::kSelfTestFailed:
      return "self-test failed";
  }
  return "unknown";
}

std::string_view to_string(TakeoverKind kind) {
  switch (kind) {
    case TakeoverKind::kNone:
      return "none";
    case TakeoverKind::kPlanned:
      return "planned";
    case TakeoverKind::kCrash:
      return "crash";
  }
  return "unknown";
}

bool valid_gateway_id(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= kGatewayIdBytesMax &&
         std::all_of(id.begin(), id.end(), allowed);
}

}  // namespace sluice::proto
