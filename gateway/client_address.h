// Where a client comes from.
#pragma once

#include <cstdint>
#include <string>

#include "common/ip.h"

namespace sluice::gateway {

/// Of the client itself when a trusted proxy told it, else of the socket's peer.
struct ClientAddress {
  IpAddress ip;
  std::uint16_t port = 0;  ///< 0: not known, as from X-Forwarded-For
  bool is_unix =
      false;  ///< came over a Unix socket and no proxy said from where: ip and port mean nothing
  friend bool operator==(const ClientAddress&, const ClientAddress&) = default;
};

/// "192.0.2.7:51234", "[2001:db8::1]:443", "unix"; without a port "192.0.2.7", "[2001:db8::1]".
[[nodiscard]] std::string to_string(const ClientAddress& address);

}  // namespace sluice::gateway
