// IP addresses and networks. IPv4 is kept mapped into IPv6 (RFC 4291 2.5.5.2), so that one type
// serves both.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

struct sockaddr;

namespace sluice {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] static Result<IpAddress> parse(std::string_view text);
  /// All zero for other families than IPv4 and IPv6.
  [[nodiscard]] static IpAddress from_sockaddr(const sockaddr& address);
  [[nodiscard]] bool is_v4() const;
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

/// "192.0.2.1", "2001:db8::1"
[[nodiscard]] std::string to_string(const IpAddress& ip);

struct Cidr {
  IpAddress network;
  unsigned bits = 128;  ///< of the mapped form: an IPv4 /8 is 104

  /// "10.0.0.0/8", "2001:db8::/32"; without a length: that one address. Host bits must be 0.
  [[nodiscard]] static Result<Cidr> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& ip) const;
};

[[nodiscard]] bool contains_any(const std::vector<Cidr>& networks, const IpAddress& ip);

}  // namespace sluice
