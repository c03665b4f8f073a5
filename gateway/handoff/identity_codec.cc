#include "gateway/handoff/identity_codec.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace sluice::gateway {
namespace {

constexpr unsigned kUnixAddress = 1;
constexpr unsigned kHasFacts = 2;
constexpr unsigned kCertificateVerified = 4;
constexpr unsigned kIdentityFlags = 7;

template <typename Facts, typename Use>
void each_fact(Facts& facts, Use use) {
  use(facts.tls_version);
  use(facts.cipher);
  use(facts.server_name);
  use(facts.alpn);
  use(facts.unique_id);
  use(facts.certificate_name);
}

}  // namespace

void put_identity(ByteWriter& out, const ClientAddress& address, const ClientFacts* facts) {
  const unsigned flags =
      (address.is_unix ? kUnixAddress : 0U) | (facts != nullptr ? kHasFacts : 0U) |
      (facts != nullptr && facts->certificate_verified ? kCertificateVerified : 0U);
  out.number(static_cast<std::uint8_t>(flags));
  out.raw(address.ip.bytes.data(), address.ip.bytes.size());
  out.number(address.port);
  if (facts != nullptr) each_fact(*facts, [&](const std::string& fact) { out.text(fact); });
}

bool get_identity(ByteReader& in, ClientAddress& address,
                  std::unique_ptr<const ClientFacts>& facts) {
  const unsigned flags = in.number<std::uint8_t>();
  if (flags > kIdentityFlags) return false;
  const auto ip = in.take(address.ip.bytes.size());
  std::copy(ip.begin(), ip.end(), address.ip.bytes.begin());
  address.port = in.number<std::uint16_t>();
  address.is_unix = (flags & kUnixAddress) != 0;
  const bool verified = (flags & kCertificateVerified) != 0;
  if ((flags & kHasFacts) == 0) return in.ok() && !verified;
  auto told = std::make_unique<ClientFacts>();
  each_fact(*told, [&](std::string& fact) { fact = in.text(); });
  told->certificate_verified = verified;
  facts = std::move(told);
  return in.ok();
}

}  // namespace sluice::gateway
