// The PROXY protocol header, versions 1 and 2, as balancers put it in front of a connection. Pure;
// any split of the input gives the same answer. Whether a peer may say such things is the
// acceptor's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/ip.h"
#include "gateway/proxy_tlv.h"

namespace sluice::gateway {

enum class ProxyMode : std::uint8_t { kOff, kOptional, kRequired };

/// Fixed by the specification, the line end included.
inline constexpr std::size_t kProxyV1BytesMax = 107;
/// Ours: header, addresses and additional fields (TLVs), among them a client certificate's names.
inline constexpr std::size_t kProxyV2BytesMax = 4096;

enum class ProxyVerdict {
  kMore,    ///< so far this may be a header: go on reading
  kAbsent,  ///< not a PROXY header
  kHeader,
  kMalformed,      ///< begins as one and breaks its rules, or is over the bound
  kWrongChecksum,  ///< a whole one whose CRC-32C says that these are not the bytes that were sent
};

struct ProxyHeader {
  /// False: LOCAL (the proxy's own health check), UNKNOWN, UNSPEC or Unix: the socket's peer is the
  /// client.
  bool has_addresses = false;
  bool local = false;  ///< version 2 LOCAL
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  /// What else was told, in version 2. Empty with LOCAL, where there is no client that it could be
  /// about.
  ProxyTlvs tlvs;
};

struct ProxyParse {
  ProxyVerdict verdict = ProxyVerdict::kMore;
  std::size_t bytes = 0;  ///< of the header, with kHeader
  ProxyHeader header;
  const char* problem = "";  ///< with kMalformed and kWrongChecksum
};

/// `bytes` is the connection's beginning as far as received; `header.tlvs` are views into it. The
/// block of a LOCAL header that names a family is skipped unread, as the specification has it; one
/// without (HAProxy's) is checked.
[[nodiscard]] ProxyParse parse_proxy_header(std::string_view bytes);

}  // namespace sluice::gateway
