#include "gateway/client_identity.h"

#include "common/log_value.h"

namespace sluice::gateway {

std::unique_ptr<const ClientFacts> facts_from(const ProxyTlvs& tlvs) {
  if (!tlvs.tls && tlvs.alpn.empty() && tlvs.authority.empty() && tlvs.unique_id.empty()) {
    return nullptr;
  }
  auto facts = std::make_unique<ClientFacts>();
  facts->tls_version = tlvs.tls_version;
  facts->cipher = tlvs.cipher;
  facts->server_name = tlvs.authority;
  facts->alpn = tlvs.alpn;
  facts->unique_id = tlvs.unique_id;
  facts->certificate_verified = tlvs.certificate_verified;
  facts->certificate_name = tlvs.common_name;
  return facts;
}

std::string to_log_fields(const ClientFacts* facts) {
  std::string out;
  if (facts == nullptr) return out;
  const auto add = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out.append(" ").append(name).append("=").append(log_value(value));
  };
  add("tls", facts->tls_version);
  add("cipher", facts->cipher);
  add("sni", facts->server_name);
  add("alpn", facts->alpn);
  add("unique_id", facts->unique_id);
  add("cert_cn", facts->certificate_name);
  return out;
}

}  // namespace sluice::gateway
