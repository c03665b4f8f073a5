#include "gateway/handoff/handshake_record.h"

#include <cstdint>
#include <vector>

#include "gateway/handoff/bytes.h"
#include "gateway/handoff/identity_codec.h"
#include "keeper/wire.h"
#include "proto/frame.h"

namespace sluice::gateway {
namespace {

constexpr std::uint8_t kHandshakeVersion = 1;

constexpr unsigned kSpeakerUnknown = 1;
constexpr unsigned kMayProxy = 2;
constexpr unsigned kProxyDone = 4;
constexpr unsigned kBound = 8;
constexpr unsigned kHandshakeFlags = 15;

[[nodiscard]] std::uint8_t flags_of(const HandshakeState& state) {
  const auto flag = [](bool set, unsigned bit) { return set ? bit : 0U; };
  return static_cast<std::uint8_t>(flag(state.speaker_unknown, kSpeakerUnknown) |
                                   flag(state.may_proxy, kMayProxy) |
                                   flag(state.proxy_done, kProxyDone) | flag(state.bound, kBound));
}

}  // namespace

std::string encode_handshake(const HandshakeState& state) {
  ByteWriter out;
  out.number(kHandshakeVersion);
  out.number(flags_of(state));
  put_identity(out, state.address, state.facts.get());
  out.raw(state.bytes.data(), state.bytes.size());
  if (out.size() > keeper::kPendingBytesMax) return {};
  const std::vector<std::uint8_t> bytes = out.take();
  return {bytes.begin(), bytes.end()};
}

std::optional<HandshakeState> decode_handshake(std::string_view bytes) {
  ByteReader in(proto::as_bytes(bytes));
  if (in.number<std::uint8_t>() != kHandshakeVersion) return std::nullopt;
  const unsigned flags = in.number<std::uint8_t>();
  if (flags > kHandshakeFlags) return std::nullopt;
  HandshakeState state;
  if (!get_identity(in, state.address, state.facts)) return std::nullopt;
  state.speaker_unknown = (flags & kSpeakerUnknown) != 0;
  state.may_proxy = (flags & kMayProxy) != 0;
  state.proxy_done = (flags & kProxyDone) != 0;
  state.bound = (flags & kBound) != 0;
  const auto rest = in.take(in.left());
  state.bytes.assign(rest.begin(), rest.end());
  return state;
}

}  // namespace sluice::gateway
