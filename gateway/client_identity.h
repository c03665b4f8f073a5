// Who a client is, as far as that is known when it comes: its address and, where a trusted proxy
// told more, those facts. Pure.
#pragma once

#include <memory>
#include <string>

#include "gateway/client_address.h"
#include "gateway/proxy_tlv.h"

namespace sluice::gateway {

/// What a proxy told beside the address (gateway/proxy_tlv.h has each field's meaning and bound).
/// The bytes are the proxy's, some of them the client's own choice: not checked, escaped before
/// anybody sees them. Empty: not told.
struct ClientFacts {
  std::string tls_version;
  std::string cipher;
  std::string server_name;  ///< SNI
  std::string alpn;
  std::string unique_id;
  bool certificate_verified = false;
  std::string certificate_name;  ///< common name; empty unless the certificate is verified
};

struct ClientIdentity {
  ClientAddress address;
  std::unique_ptr<const ClientFacts> facts;  ///< null: nothing beside the address, the usual case
};

/// Null when nothing was told.
[[nodiscard]] std::unique_ptr<const ClientFacts> facts_from(const ProxyTlvs& tlvs);

/// For a log line: " tls=TLSv1.3 cipher=… sni=… alpn=… unique_id=… cert_cn=…", each with a space in
/// front and only what is there; "" for null.
[[nodiscard]] std::string to_log_fields(const ClientFacts* facts);

}  // namespace sluice::gateway
