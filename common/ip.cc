#include "common/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sluice {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

IpAddress from_v4(const in_addr& v4) {
  IpAddress ip;
  std::copy(kMapped.begin(), kMapped.end(), ip.bytes.begin());
  std::memcpy(ip.bytes.data() + kMapped.size(), &v4, sizeof v4);
  return ip;
}

bool bit(const IpAddress& ip, unsigned i) {
  return (ip.bytes[i / 8] >> (7 - i % 8) & 1U) != 0;
}

}  // namespace

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  in_addr v4{};
  // inet_pton would stop at a 0 byte and believe what stands before it.
  const bool whole = copy.find('\0') == std::string::npos;
  if (whole && ::inet_pton(AF_INET, copy.c_str(), &v4) == 1) return from_v4(v4);
  IpAddress ip;
  if (whole && ::inet_pton(AF_INET6, copy.c_str(), ip.bytes.data()) == 1) return ip;
  return fail(ErrorCode::kInvalid, "'" + copy + "' is not an IP address");
}

IpAddress IpAddress::from_sockaddr(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return from_v4(reinterpret_cast<const sockaddr_in&>(address).sin_addr);
  IpAddress ip;
  if (address.sa_family == AF_INET6) {
    std::memcpy(ip.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr,
                ip.bytes.size());
  }
  return ip;
}

bool IpAddress::is_v4() const {
  return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

std::string to_string(const IpAddress& ip) {
  char text[INET6_ADDRSTRLEN] = "";
  if (ip.is_v4()) {
    ::inet_ntop(AF_INET, ip.bytes.data() + kMapped.size(), text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, ip.bytes.data(), text, sizeof text);
  }
  return text;
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto network = IpAddress::parse(text.substr(0, slash));
  if (!network)
    return fail(ErrorCode::kInvalid,
                "'" + std::string(text) + "' is not a network such as 10.0.0.0/8");
  Cidr cidr{*network, 128};
  const unsigned offset = network->is_v4() ? 96 : 0;
  if (slash != std::string_view::npos) {
    const std::string_view length = text.substr(slash + 1);
    unsigned bits = 0;
    const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
    if (error != std::errc{} || end != length.data() + length.size() || bits > 128 - offset) {
      return fail(ErrorCode::kInvalid, "'" + std::string(text) + "' has a bad prefix length");
    }
    cidr.bits = offset + bits;
  }
  for (unsigned i = cidr.bits; i < 128; ++i) {
    if (bit(cidr.network, i))
      return fail(ErrorCode::kInvalid, "'" + std::string(text) + "' has host bits set");
  }
  return cidr;
}

bool Cidr::contains(const IpAddress& ip) const {
  for (unsigned i = 0; i < bits; ++i) {
    if (bit(ip, i) != bit(network, i)) return false;
  }
  return true;
}

bool contains_any(const std::vector<Cidr>& networks, const IpAddress& ip) {
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Cidr& network) { return network.contains(ip); });
}

}  // namespace sluice
