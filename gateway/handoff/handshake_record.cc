#include "gateway/handoff/handshake_record.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/handoff/bytes.h"
#include "keeper/wire.h"
#include "proto/frame.h"

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kVersion = 1;

constexpr unsigned kUnixAddress = 1;
constexpr unsigned kSpeakerUnknown = 2;
constexpr unsigned kMayProxy = 4;
constexpr unsigned kProxyDone = 8;
constexpr unsigned kBound = 16;
constexpr unsigned kHasFacts = 32;
constexpr unsigned kCertificateVerified = 64;

template <typename Facts, typename Use>
void each_fact(Facts& facts, Use use) {
  use(facts.tls_version);
  use(facts.cipher);
  use(facts.server_name);
  use(facts.alpn);
  use(facts.unique_id);
  use(facts.certificate_name);
}

[[nodiscard]] std::uint8_t flags_of(const HandshakeState& state) {
  const auto flag = [](bool set, unsigned bit) { return set ? bit : 0U; };
  return static_cast<std::uint8_t>(
      flag(state.address.is_unix, kUnixAddress) | flag(state.speaker_unknown, kSpeakerUnknown) |
      flag(state.may_proxy, kMayProxy) | flag(state.proxy_done, kProxyDone) |
      flag(state.bound, kBound) | flag(state.facts != nullptr, kHasFacts) |
      flag(state.facts && state.facts->certificate_verified, kCertificateVerified));
}

}  // namespace

std::string encode_handshake(const HandshakeState& state) {
  ByteWriter out;
  out.number(kVersion);
  out.number(flags_of(state));
  out.raw(state.address.ip.bytes.data(), state.address.ip.bytes.size());
  out.number(state.address.port);
  if (state.facts) each_fact(*state.facts, [&](const std::string& fact) { out.text(fact); });
  out.raw(state.bytes.data(), state.bytes.size());
  if (out.size() > keeper::kPendingBytesMax) return {};
  const std::vector<std::uint8_t> bytes = out.take();
  return {bytes.begin(), bytes.end()};
}

std::optional<HandshakeState> decode_handshake(std::string_view bytes) {
  ByteReader in(proto::as_bytes(bytes));
  const bool known = in.number<std::uint8_t>() == kVersion;
  const unsigned flags = in.number<std::uint8_t>();
  HandshakeState state;
  state.speaker_unknown = (flags & kSpeakerUnknown) != 0;
  state.may_proxy = (flags & kMayProxy) != 0;
  state.proxy_done = (flags & kProxyDone) != 0;
  state.bound = (flags & kBound) != 0;
  const auto ip = in.take(state.address.ip.bytes.size());
  std::copy(ip.begin(), ip.end(), state.address.ip.bytes.begin());
  state.address.port = in.number<std::uint16_t>();
  state.address.is_unix = (flags & kUnixAddress) != 0;
  if ((flags & kHasFacts) != 0) {
    auto facts = std::make_unique<ClientFacts>();
    each_fact(*facts, [&](std::string& fact) { fact = in.text(); });
    facts->certificate_verified = (flags & kCertificateVerified) != 0;
    state.facts = std::move(facts);
  }
  if (!known || !in.ok()) return std::nullopt;
  const auto rest = in.take(in.left());
  state.bytes.assign(rest.begin(), rest.end());
  return state;
}

}  // namespace sluice::gateway
