// Why a connection did not become a client. A closed set: the metrics label `reason` takes no other
// value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/http_reply.h"

namespace sluice::gateway {

enum class RefusalReason : std::uint8_t {
  kProcessFull,     ///< 503: --max-connections
  kAddressFull,     ///< 429: --max-connections-per-ip
  kAddressTooFast,  ///< 429: --connection-rate-per-ip
  kHeadMalformed,   ///< 400: not an HTTP/1.x request head, or one that could be read in two ways
  kHeadTooLarge,    ///< 431
  kHeadTimeout,     ///< 408: PROXY header and request head not whole within --handshake-timeout (no
                    ///< reply before a PROXY header)
  kHttpVersion,     ///< 505
  kMethod,          ///< 405: not GET
  kPath,            ///< 404
  kChannelName,     ///< 400
  kNotUpgrade,      ///< 426: no WebSocket upgrade asked for
  kWebSocketVersion,  ///< 426: not version 13
  kWebSocketKey,      ///< 400
  kBody,              ///< 400: the request announces a body
  kOrigin,            ///< 403: not in --allowed-origin
  kDraining,          ///< 503: taken out by an operator
  kAcceptRate,        ///< 503: --accept-rate
  kProxyMissing,      ///< closed: --proxy-protocol required, and no PROXY header came
  kProxyMalformed,    ///< closed
  kProxyChecksum,     ///< closed: the CRC-32C of a PROXY header is wrong
  kProxyUntrusted,    ///< closed: PROXY header from, or required of, a peer outside --trusted-proxy
  kProxyUnexpected,   ///< closed: PROXY header with --proxy-protocol off
  kForwardedMalformed,  ///< 400: --forwarded-header of a trusted proxy can't be read
  kNotAllowed,          ///< 403: the rules don't let a plain client have the channel
};
inline constexpr std::size_t kRefusalReasons = 24;

/// Label values: "process_full", "address_full", …
[[nodiscard]] std::string_view to_string(RefusalReason reason);
[[nodiscard]] constexpr std::array<RefusalReason, kRefusalReasons> all_refusal_reasons() {
  std::array<RefusalReason, kRefusalReasons> all{};
  for (std::size_t i = 0; i < kRefusalReasons; ++i) all[i] = static_cast<RefusalReason>(i);
  return all;
}

struct Refusal {
  RefusalReason reason{};
  int status = 400;
  std::string text;  ///< one line for whoever reads the reply
};

/// The reply with the headers that belong to the reason (Allow, Upgrade, Sec-WebSocket-Version,
/// Retry-After).
[[nodiscard]] std::string build_refusal(const Refusal& refusal, bool omit_body = false);

}  // namespace sluice::gateway
