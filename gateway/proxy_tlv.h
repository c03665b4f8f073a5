// The additional fields (TLVs) of a PROXY header of version 2: what a proxy knows about the client
// beside its address. Pure. Source: section 2.2 of HAProxy's proxy-protocol.txt; which of them
// HAProxy sends, its manual says under `proxy-v2-options`.
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice::gateway {

/// Of the specification.
inline constexpr std::size_t kUniqueIdBytesMax = 128;
/// Ours, for every other text: names of hosts, certificates, protocols and ciphers are shorter. A
/// longer one is refused and never cut, because a cut name is another name.
inline constexpr std::size_t kTlvTextBytesMax = 256;

/// Views into the header. Bytes as the proxy sent them, some of which the client chose; empty: not
/// told.
struct ProxyTlvs {
  std::string_view alpn;       ///< "h2" where the client speaks HTTP/2 to the proxy
  std::string_view authority;  ///< the name asked for: SNI
  std::string_view unique_id;
  bool tls = false;  ///< the client reached the proxy over TLS; without it the rest is empty
  std::string_view tls_version;  ///< "TLSv1.3"
  std::string_view cipher;
  /// The client showed a certificate, on this connection or when its session began, and the proxy
  /// found it good.
  bool certificate_verified = false;
  std::string_view common_name;  ///< of that certificate; empty for one that is not verified
  // Of the certificate that the proxy showed.
  std::string_view signature_algorithm;
  std::string_view key_algorithm;
};

enum class TlvVerdict {
  kOk,
  kMalformed,      ///< one that does not fit, is too long, or stands twice
  kWrongChecksum,  ///< CRC-32C: the header was damaged on its way, or forged
};

struct TlvParse {
  TlvVerdict verdict = TlvVerdict::kOk;
  ProxyTlvs tlvs;
  const char* problem = "";  ///< unless kOk
};

/// `header` is a whole header from its signature on, over which a checksum is made; its fields
/// begin at `at`. Types that are not known are skipped.
[[nodiscard]] TlvParse parse_proxy_tlvs(std::string_view header, std::size_t at);

}  // namespace sluice::gateway
