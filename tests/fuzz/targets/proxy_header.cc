// The PROXY protocol parser (gateway/proxy_protocol, proxy_tlv). Promises:
//  - once a beginning has a verdict, more bytes do not change it, nor a byte of what was read;
//  - a header lies inside its bound and inside what was given, and so does every field of it;
//  - no name of a certificate without a verified certificate, none of those without TLS;
//  - what was read, written out again with a checksum, is read as the same, and with any byte of it
//    damaged it is not believed.
#include <string>

#include "common/check.h"
#include "gateway/proxy_protocol.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kTlvsAt4 = 28;
constexpr std::size_t kTlvsAt6 = 52;

bool same_addresses(const ProxyHeader& x, const ProxyHeader& y) {
  return x.has_addresses == y.has_addresses && x.local == y.local && x.source == y.source &&
         x.destination == y.destination && x.source_port == y.source_port &&
         x.destination_port == y.destination_port;
}

bool same_tlvs(const ProxyTlvs& x, const ProxyTlvs& y) {
  return x.alpn == y.alpn && x.authority == y.authority && x.unique_id == y.unique_id &&
         x.tls == y.tls && x.tls_version == y.tls_version && x.cipher == y.cipher &&
         x.certificate_verified == y.certificate_verified && x.common_name == y.common_name &&
         x.signature_algorithm == y.signature_algorithm && x.key_algorithm == y.key_algorithm;
}

/// The fields' bytes may be gone: not compared.
bool same(const ProxyParse& a, const ProxyParse& b) {
  return a.verdict == b.verdict && a.bytes == b.bytes && std::string(a.problem) == b.problem &&
         same_addresses(a.header, b.header);
}

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8U);
  out += static_cast<char>(value & 0xFFU);
}

void append_tlv(std::string& out, int type, std::string_view value) {
  out += static_cast<char>(type);
  append_u16(out, value.size());
  out += value;
}

/// Bit by bit, as in RFC 3720 12.1: shares nothing with what the gateway links.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t sum = 0xFFFFFFFFU;
  for (const char c : bytes) {
    sum ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1U) ^ ((sum & 1U) != 0 ? 0x82F63B78U : 0);
  }
  return ~sum;
}

std::string write_tlvs(const ProxyTlvs& t) {
  std::string out;
  append_tlv(out, 0x01, t.alpn);
  append_tlv(out, 0x02, t.authority);
  append_tlv(out, 0x05, t.unique_id);
  std::string ssl(1, static_cast<char>((t.tls ? 1 : 0) | (t.certificate_verified ? 2 : 0)));
  ssl.append(4, '\0');
  append_tlv(ssl, 0x21, t.tls_version);
  append_tlv(ssl, 0x22, t.common_name);
  append_tlv(ssl, 0x23, t.cipher);
  append_tlv(ssl, 0x24, t.signature_algorithm);
  append_tlv(ssl, 0x25, t.key_algorithm);
  append_tlv(out, 0x20, ssl);
  return out;
}

/// Version 2 over IPv6, which holds mapped IPv4 addresses too; with a checksum in front of the
/// fields.
std::string write_v2(const ProxyHeader& h) {
  const std::string tlvs = write_tlvs(h.tlvs);
  std::string out("\r\n\r\n\0\r\nQUIT\n\x21", 13);
  out += h.has_addresses ? '\x21' : '\0';
  append_u16(out, (h.has_addresses ? 36 : 0) + 7 + tlvs.size());
  if (h.has_addresses) {
    out.append(h.source.bytes.begin(), h.source.bytes.end());
    out.append(h.destination.bytes.begin(), h.destination.bytes.end());
    append_u16(out, h.source_port);
    append_u16(out, h.destination_port);
  }
  append_tlv(out, 0x03, std::string_view("\0\0\0\0", 4));
  const std::size_t at = out.size() - 4;
  out += tlvs;
  const std::uint32_t sum = crc32c(out);
  for (unsigned i = 0; i < 4; ++i) out[at + i] = static_cast<char>(sum >> (24U - 8U * i));
  return out;
}

std::string write_v1(const ProxyHeader& h) {
  return std::string("PROXY ") + (h.source.is_v4() ? "TCP4 " : "TCP6 ") + to_string(h.source) +
         " " + to_string(h.destination) + " " + std::to_string(h.source_port) + " " +
         std::to_string(h.destination_port) + "\r\n";
}

void check_tlvs(const ProxyTlvs& t, std::string_view header) {
  for (const std::string_view text : {t.alpn, t.authority, t.unique_id, t.tls_version, t.cipher,
                                      t.common_name, t.signature_algorithm, t.key_algorithm}) {
    CHECK(text.size() <= kTlvTextBytesMax);
    if (text.empty()) continue;
    CHECK(text.data() > header.data() &&
          text.data() + text.size() <= header.data() + header.size());
  }
  CHECK(t.unique_id.size() <= kUniqueIdBytesMax);
  CHECK(t.tls || (t.tls_version.empty() && t.cipher.empty() && !t.certificate_verified));
  CHECK(t.certificate_verified || t.common_name.empty());
}

void check_v2_again(const ProxyParse& parse, std::size_t damage_at) {
  std::string bytes = write_v2(parse.header);
  const ProxyParse again = parse_proxy_header(bytes + "x");
  CHECK(again.verdict == ProxyVerdict::kHeader && again.bytes == bytes.size());
  CHECK(same_addresses(parse.header, again.header));
  const ProxyParse in_place = parse_proxy_header(bytes);
  CHECK(same_tlvs(parse.header.tlvs, in_place.header.tlvs));
  // Behind version and family, which decide whether there is a checksum, and without its own head.
  const std::size_t checksum_at = parse.header.has_addresses ? kTlvsAt6 : kTlvsAt4 - 12;
  const std::size_t at = 14 + damage_at % (bytes.size() - 14);
  if (at >= checksum_at && at < checksum_at + 3) return;
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  CHECK(parse_proxy_header(bytes + std::string(kProxyV2BytesMax, '\0')).verdict !=
        ProxyVerdict::kHeader);
}

void check_header(const ProxyParse& parse, std::string_view header, std::size_t damage_at) {
  const ProxyHeader& h = parse.header;
  CHECK(!(h.local && h.has_addresses));
  check_tlvs(h.tlvs, header);
  if (h.local) {
    CHECK(same_tlvs(h.tlvs, ProxyTlvs{}));
    return;
  }
  check_v2_again(parse, damage_at);
  // One family for both ends, or version 1 has no word for it.
  if (!h.has_addresses || h.source.is_v4() != h.destination.is_v4()) return;
  const std::string bytes = write_v1(h);
  const ProxyParse again = parse_proxy_header(bytes);
  CHECK(again.verdict == ProxyVerdict::kHeader && again.bytes == bytes.size());
  CHECK(same_addresses(h, again.header) && same_tlvs(again.header.tlvs, ProxyTlvs{}));
}

void check(std::string_view bytes) {
  bool decided = false;
  ProxyParse first;
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    // Its own allocation, so that AddressSanitizer sees a read past the end.
    const std::string beginning(bytes.substr(0, n));
    const ProxyParse parse = parse_proxy_header(beginning);
    if (decided) {
      CHECK(same(parse, first));
      continue;
    }
    if (parse.verdict == ProxyVerdict::kMore) {
      CHECK(n < kProxyV2BytesMax);
      continue;
    }
    decided = true;
    first = parse;
    const bool fault =
        parse.verdict == ProxyVerdict::kMalformed || parse.verdict == ProxyVerdict::kWrongChecksum;
    CHECK(fault == (*parse.problem != '\0'));
    if (parse.verdict != ProxyVerdict::kHeader) continue;
    // Decided at its last byte, neither before nor later.
    CHECK(parse.bytes == n && n <= kProxyV2BytesMax);
    check_header(parse, beginning, bytes.size() * 7919);
  }
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Every beginning is parsed: the work grows with the square.
  constexpr std::size_t kBytesMax = 5000;
  if (size > kBytesMax) return 0;
  sluice::fuzz::Input input(data, size);
  sluice::gateway::check(sluice::fuzz::as_text(input.rest()));
  return 0;
}
