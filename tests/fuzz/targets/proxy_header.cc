// The PROXY protocol parser (gateway/proxy_protocol). Promises:
//  - once a beginning has a verdict, more bytes do not change it, nor a byte of what was read;
//  - a header lies inside its bound and inside what was given;
//  - its addresses, written out again, are read as the same.
#include <arpa/inet.h>

#include <string>

#include "common/check.h"
#include "gateway/proxy_protocol.h"
#include "tests/fuzz/input.h"

namespace sluice::gateway {
namespace {

bool same(const ProxyParse& a, const ProxyParse& b) {
  const ProxyHeader& x = a.header;
  const ProxyHeader& y = b.header;
  return a.verdict == b.verdict && a.bytes == b.bytes && std::string(a.problem) == b.problem &&
         x.has_addresses == y.has_addresses && x.local == y.local && x.source == y.source &&
         x.destination == y.destination && x.source_port == y.source_port &&
         x.destination_port == y.destination_port;
}

void append_port(std::string& out, std::uint16_t port) {
  out += static_cast<char>(port >> 8U);
  out += static_cast<char>(port & 0xFFU);
}

/// Version 2 over IPv6, which holds mapped IPv4 addresses too.
std::string write_v2(const ProxyHeader& h) {
  std::string out("\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24", 16);
  out.append(h.source.bytes.begin(), h.source.bytes.end());
  out.append(h.destination.bytes.begin(), h.destination.bytes.end());
  append_port(out, h.source_port);
  append_port(out, h.destination_port);
  return out;
}

std::string write_v1(const ProxyHeader& h) {
  return std::string("PROXY ") + (h.source.is_v4() ? "TCP4 " : "TCP6 ") + to_string(h.source) +
         " " + to_string(h.destination) + " " + std::to_string(h.source_port) + " " +
         std::to_string(h.destination_port) + "\r\n";
}

void check_header(const ProxyParse& parse) {
  const ProxyHeader& h = parse.header;
  CHECK(!(h.local && h.has_addresses));
  if (!h.has_addresses) return;
  std::string bytes = write_v2(h) + "x";
  ProxyParse again = parse_proxy_header(bytes);
  CHECK(again.verdict == ProxyVerdict::kHeader && again.bytes == bytes.size() - 1);
  again.bytes = parse.bytes;
  CHECK(same(parse, again));
  // One family for both ends, or version 1 has no word for it.
  if (h.source.is_v4() != h.destination.is_v4()) return;
  bytes = write_v1(h);
  again = parse_proxy_header(bytes);
  CHECK(again.verdict == ProxyVerdict::kHeader && again.bytes == bytes.size());
  again.bytes = parse.bytes;
  CHECK(same(parse, again));
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
    CHECK((parse.verdict == ProxyVerdict::kMalformed) == (*parse.problem != '\0'));
    if (parse.verdict != ProxyVerdict::kHeader) continue;
    // Decided at its last byte, neither before nor later.
    CHECK(parse.bytes == n && n <= kProxyV2BytesMax);
    check_header(parse);
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
