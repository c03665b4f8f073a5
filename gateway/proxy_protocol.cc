#include "gateway/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace sluice::gateway {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kV1Signature = "PROXY ";
constexpr std::string_view kV2Signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kV2HeaderBytes = 16;
constexpr std::size_t kV4AddressesBytes = 12;
constexpr std::size_t kV6AddressesBytes = 36;
constexpr std::size_t kUnixAddressesBytes = 216;

[[nodiscard]] ProxyParse verdict(ProxyVerdict verdict) {
  ProxyParse parse;
  parse.verdict = verdict;
  return parse;
}

[[nodiscard]] ProxyParse malformed(const char* problem) {
  ProxyParse parse = verdict(ProxyVerdict::kMalformed);
  parse.problem = problem;
  return parse;
}

[[nodiscard]] std::optional<std::uint16_t> parse_port(std::string_view text) {
  // No sign, no leading zero, no more digits than a port has.
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > 65535) {
    return std::nullopt;
  }
  return static_cast<std::uint16_t>(value);
}

[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text, bool v6) {
  // The notation must be that of the family named; ::ffff:192.0.2.1 under TCP6 is.
  if ((text.find(':') != std::string_view::npos) != v6) return std::nullopt;
  const auto parsed = IpAddress::parse(text);
  if (!parsed) return std::nullopt;
  return *parsed;
}

/// "TCP4 192.0.2.1 198.51.100.1 51234 80": what stands between "PROXY " and the line's end.
[[nodiscard]] bool parse_v1_fields(std::string_view line, ProxyHeader& out) {
  std::array<std::string_view, 5> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::size_t space = line.find(' ');
    const bool last = i + 1 == fields.size();
    if ((space == std::string_view::npos) != last) return false;
    fields[i] = line.substr(0, space);
    if (!last) line.remove_prefix(space + 1);
  }
  const bool v6 = fields[0] == "TCP6";
  const auto source = parse_ip(fields[1], v6);
  const auto destination = parse_ip(fields[2], v6);
  const auto source_port = parse_port(fields[3]);
  const auto destination_port = parse_port(fields[4]);
  if (!source || !destination || !source_port || !destination_port) return false;
  out.has_addresses = true;
  out.source = *source;
  out.destination = *destination;
  out.source_port = *source_port;
  out.destination_port = *destination_port;
  return true;
}

[[nodiscard]] ProxyParse parse_v1(std::string_view bytes) {
  const std::size_t line_end = bytes.substr(0, kProxyV1BytesMax).find('\n');
  if (line_end == std::string_view::npos) {
    if (bytes.size() >= kProxyV1BytesMax) return malformed("version 1 header over 107 bytes");
    return verdict(ProxyVerdict::kMore);
  }
  if (bytes[line_end - 1] != '\r') return malformed("version 1 header ends without CR");
  std::string_view line = bytes.substr(kV1Signature.size(), line_end - 1 - kV1Signature.size());
  ProxyParse parse = verdict(ProxyVerdict::kHeader);
  parse.bytes = line_end + 1;
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return parse;
  if (!line.starts_with("TCP4 ") && !line.starts_with("TCP6 ")) {
    return malformed("version 1 header names neither TCP4, TCP6 nor UNKNOWN");
  }
  if (!parse_v1_fields(line, parse.header)) {
    return malformed("version 1 header has no two addresses and two ports");
  }
  return parse;
}

[[nodiscard]] std::uint16_t read_u16(std::string_view bytes) {
  return static_cast<std::uint16_t>((static_cast<unsigned char>(bytes[0]) << 8U) |
                                    static_cast<unsigned char>(bytes[1]));
}

[[nodiscard]] IpAddress read_ip(std::string_view bytes, bool v6) {
  IpAddress ip;
  if (!v6) {
    ip.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    std::copy_n(bytes.begin(), 4, ip.bytes.begin() + 12);
  } else {
    std::copy_n(bytes.begin(), 16, ip.bytes.begin());
  }
  return ip;
}

void read_v2_addresses(std::string_view block, bool v6, ProxyHeader& out) {
  const std::size_t size = v6 ? 16 : 4;
  out.has_addresses = true;
  out.source = read_ip(block, v6);
  out.destination = read_ip(block.substr(size), v6);
  out.source_port = read_u16(block.substr(2 * size));
  out.destination_port = read_u16(block.substr(2 * size + 2));
}

/// Bytes that the addresses of a family take.
[[nodiscard]] std::size_t address_bytes(std::uint8_t family) {
  constexpr std::size_t kBytes[] = {0, kV4AddressesBytes, kV6AddressesBytes, kUnixAddressesBytes};
  return kBytes[family >> 4U];
}

/// Command, family and length: all faults that can be seen before the addresses are here.
[[nodiscard]] const char* check_v2_header(std::uint8_t version_command, std::uint8_t family,
                                          std::size_t length) {
  if (version_command >> 4U != 2) return "version 2 signature with another version";
  const unsigned command = version_command & 0x0fU;
  if (command > 1) return "version 2 header with an unknown command";
  if (kV2HeaderBytes + length > kProxyV2BytesMax) return "version 2 header over its bound";
  if (command == 0) return nullptr;  // LOCAL: the family means nothing
  if (family >> 4U > 3 || (family & 0x0fU) > 2) return "version 2 header with an unknown family";
  if ((family & 0x0fU) == 2) return "version 2 header of a datagram";
  if (length < address_bytes(family)) return "version 2 header too short for its addresses";
  return nullptr;
}

/// A whole header that check_v2_header() found good.
[[nodiscard]] ProxyParse read_v2(std::string_view bytes) {
  ProxyParse parse = verdict(ProxyVerdict::kHeader);
  parse.bytes = bytes.size();
  const auto family = static_cast<std::uint8_t>(bytes[13]);
  parse.header.local = (static_cast<std::uint8_t>(bytes[12]) & 0x0fU) == 0;
  if (parse.header.local && family != 0) return parse;
  const TlvParse fields = parse_proxy_tlvs(bytes, kV2HeaderBytes + address_bytes(family));
  if (fields.verdict != TlvVerdict::kOk) {
    parse = malformed(fields.problem);
    if (fields.verdict == TlvVerdict::kWrongChecksum) parse.verdict = ProxyVerdict::kWrongChecksum;
    return parse;
  }
  if (parse.header.local) return parse;
  parse.header.tlvs = fields.tlvs;
  // Only a stream over IPv4 or IPv6 tells an address.
  const bool is_stream = (family & 0x0fU) == 1;
  const unsigned address_family = family >> 4U;
  if (is_stream && (address_family == 1 || address_family == 2)) {
    read_v2_addresses(bytes.substr(kV2HeaderBytes), address_family == 2, parse.header);
  }
  return parse;
}

[[nodiscard]] ProxyParse parse_v2(std::string_view bytes) {
  if (bytes.size() < kV2HeaderBytes) return verdict(ProxyVerdict::kMore);
  const std::size_t length = read_u16(bytes.substr(14));
  const char* problem = check_v2_header(static_cast<std::uint8_t>(bytes[12]),
                                        static_cast<std::uint8_t>(bytes[13]), length);
  if (problem != nullptr) return malformed(problem);
  if (bytes.size() < kV2HeaderBytes + length) return verdict(ProxyVerdict::kMore);
  return read_v2(bytes.substr(0, kV2HeaderBytes + length));
}

[[nodiscard]] bool may_begin_with(std::string_view bytes, std::string_view signature) {
  const std::size_t common = std::min(bytes.size(), signature.size());
  return bytes.substr(0, common) == signature.substr(0, common);
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view bytes) {
  if (bytes.size() >= kV2Signature.size() && bytes.starts_with(kV2Signature)) {
    return parse_v2(bytes);
  }
  if (bytes.size() >= kV1Signature.size() && bytes.starts_with(kV1Signature)) {
    return parse_v1(bytes);
  }
  if (may_begin_with(bytes, kV1Signature) || may_begin_with(bytes, kV2Signature)) {
    return verdict(ProxyVerdict::kMore);
  }
  return verdict(ProxyVerdict::kAbsent);
}

}  // namespace sluice::gateway
