// PROXY protocol headers as a balancer sends them, written from HAProxy's specification.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::test {

/// "PROXY TCP4 …\r\n"
[[nodiscard]] inline std::string proxy_v1(const std::string& source, std::uint16_t port) {
  return "PROXY TCP4 " + source + " 192.0.2.1 " + std::to_string(port) + " 443\r\n";
}

namespace proxy_v2 {

inline constexpr char kSignature[] = "\r\n\r\n\0\r\nQUIT\n";

[[nodiscard]] inline std::string header(std::uint8_t command, std::uint8_t family,
                                        const std::string& body) {
  std::string bytes(kSignature, 12);
  bytes.push_back(static_cast<char>(0x20U | command));
  bytes.push_back(static_cast<char>(family));
  bytes.push_back(static_cast<char>(body.size() >> 8U));
  bytes.push_back(static_cast<char>(body.size() & 0xFFU));
  return bytes + body;
}

/// A health check by the balancer itself: no addresses.
[[nodiscard]] inline std::string local() {
  return header(0, 0, "");
}

/// TCP over IPv4 from the four bytes `source`; `tlvs` as they are.
[[nodiscard]] inline std::string tcp4(const std::string& source, std::uint16_t port,
                                      const std::string& tlvs = "") {
  std::string body = source + std::string("\xC0\x00\x02\x01", 4);
  body.push_back(static_cast<char>(port >> 8U));
  body.push_back(static_cast<char>(port & 0xFFU));
  body += std::string("\x01\xBB", 2);
  return header(1, 0x11, body + tlvs);
}

}  // namespace proxy_v2
}  // namespace sluice::test
