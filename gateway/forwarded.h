// Whom a proxy names as the client in a request head: X-Forwarded-For, or Forwarded (RFC 7239).
// Pure. Whether who sent the head may say so is the acceptor's business.
//
// Each proxy adds the peer that it got the request from at the end, so the list is read from there:
// trusted proxies are passed over, the first that is none is the client. What stands in front of it
// the client may have written, and is not looked at. What is looked at must be whole, because a
// proxy of ours wrote it or let it stand behind its own: a fault there is a refusal, since to go on
// with another address would let a client choose whose bounds it uses up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/ip.h"
#include "gateway/client_address.h"
#include "gateway/http_head.h"

namespace sluice::gateway {

/// --forwarded-header: which of the two is read. Never both, since a proxy that writes one passes
/// the other through as the client sent it.
enum class ForwardedHeader : std::uint8_t { kOff, kXForwardedFor, kForwarded };

/// In lower case; "" for kOff.
[[nodiscard]] std::string_view header_name(ForwardedHeader which);

/// Proxies between client and gateway, and elements of one header line of Forwarded.
inline constexpr std::size_t kForwardedHopsMax = 32;

enum class ForwardedVerdict {
  kAbsent,     ///< no such header, or an empty one
  kClient,     ///< `address` is the client's; port 0: not told
  kUnknown,    ///< a proxy will not say who ("unknown", or an identifier of its own)
  kMalformed,  ///< or more than kForwardedHopsMax
};

struct ForwardedClient {
  ForwardedVerdict verdict = ForwardedVerdict::kAbsent;
  ClientAddress address;
  const char* problem = "";  ///< with kMalformed
};

/// When all in the list are trusted, the first of them is the client.
[[nodiscard]] ForwardedClient forwarded_client(const HttpHead& head, ForwardedHeader which,
                                               const std::vector<Cidr>& trusted);

}  // namespace sluice::gateway
