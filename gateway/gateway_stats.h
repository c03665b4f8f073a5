// Counters of the gateway that belong to no single part. Never reset; labels come from closed sets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gateway/close_code.h"

namespace sluice::gateway {

/// How a client's connection ended.
enum class CloseReason : std::uint8_t {
  kClientClosed,    ///< the client sent a close frame
  kClientGone,      ///< the connection ended without one
  kDrained,         ///< 1001
  kAged,            ///< 1001, --max-connection-age
  kProtocolError,   ///< 1002
  kInvalidPayload,  ///< 1007
  kTooSlow,         ///< 1008, queue bound
  kRateLimited,     ///< 1008, --client-message-rate
  kTooBig,          ///< 1009
  kGap,             ///< 1012, --on-gap close
  kPublishFailed,   ///< 1013
  kNoPong,          ///< ping unanswered; 3012
  kNotAllowed,      ///< 1008, by the channel's rule
  kBadRequest,      ///< 3501, 3508: a command that the protocol does not allow
  kStale,           ///< 3502
  kExpired,         ///< 3005, 3006: a token was not refreshed in time
  kRefused,         ///< 3500, 3504, 3505, 3507: token, limits, rules
  kDisconnected,    ///< 3000, 3011, 3503, 4000 and above: the application's word
  kServerError,     ///< 3004
  kCount,
};

inline constexpr std::array<const char*, static_cast<std::size_t>(CloseReason::kCount)>
    kCloseReasonNames = {
        "client_closed",   "client_gone", "drained",      "aged",        "protocol_error",
        "invalid_payload", "too_slow",    "rate_limited", "too_big",     "gap",
        "publish_failed",  "no_pong",     "not_allowed",  "bad_request", "stale",
        "expired",         "refused",     "disconnected", "server_error"};

/// Where the code alone tells.
[[nodiscard]] CloseReason reason_of(CloseCode code);

struct GatewayStats {
  std::uint64_t opened = 0;
  std::uint64_t never_opened = 0;
  std::uint64_t pings = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(CloseReason::kCount)> closed{};

  void count_close(CloseReason reason) { ++closed[static_cast<std::size_t>(reason)]; }
};

}  // namespace sluice::gateway
