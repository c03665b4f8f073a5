// An IP address and a port as the socket calls want them; the way back is IpAddress::from_sockaddr.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "common/ip.h"

namespace sluice {

/// Fills `out`, which must be zero; the length to go with it.
[[nodiscard]] inline socklen_t to_sockaddr(const IpAddress& ip, std::uint16_t port,
                                           sockaddr_storage& out) {
  if (ip.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(out);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, ip.bytes.data() + 12, 4);
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, ip.bytes.data(), 16);
  return sizeof v6;
}

}  // namespace sluice
