#include "relay/brokers/redis_envelope.h"

#include "common/check.h"

namespace sluice::relay {
namespace {

constexpr std::string_view kVersion = "S1";
constexpr std::size_t kNumberDigits = 16;
constexpr std::size_t kLengthDigits = 4;

void append_hex(std::string& out, std::uint64_t value, std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = digits; i-- > 0;) out += kDigits[(value >> (4 * i)) & 0xFU];
}

std::optional<std::uint64_t> take_hex(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text.substr(0, digits)) {
    const bool decimal = c >= '0' && c <= '9';
    if (!decimal && (c < 'a' || c > 'f')) return std::nullopt;
    value = value << 4U | static_cast<std::uint64_t>(decimal ? c - '0' : c - 'a' + 10);
  }
  text.remove_prefix(digits);
  return value;
}

}  // namespace

std::optional<RedisEnvelope> read_envelope(proto::Bytes bytes) {
  std::string_view text = proto::as_text(bytes);
  if (!text.starts_with(kVersion)) return std::nullopt;
  text.remove_prefix(kVersion.size());
  const auto epoch = take_hex(text, kNumberDigits);
  const auto offset = epoch ? take_hex(text, kNumberDigits) : std::nullopt;
  const auto meta = offset ? take_hex(text, kLengthDigits) : std::nullopt;
  // The first publication has offset 1.
  if (!meta || (*epoch == 0) != (*offset == 0)) return std::nullopt;
  if (*meta > proto::kMetaBytesMax || *meta > text.size()) return std::nullopt;
  RedisEnvelope envelope;
  if (*epoch != 0) envelope.position = proto::Position{*epoch, *offset};
  envelope.meta = proto::as_bytes(text.substr(0, *meta));
  envelope.payload = proto::as_bytes(text.substr(*meta));
  return envelope;
}

std::string make_envelope(std::optional<proto::Position> position, proto::Bytes meta,
                          proto::Bytes payload) {
  CHECK(meta.size() <= proto::kMetaBytesMax);
  const proto::Position at = position.value_or(proto::Position{});
  std::string out;
  out.reserve(kRedisEnvelopeFrontBytes + meta.size() + payload.size());
  out = kVersion;
  append_hex(out, at.epoch, kNumberDigits);
  append_hex(out, at.offset, kNumberDigits);
  append_hex(out, meta.size(), kLengthDigits);
  return out.append(proto::as_text(meta)).append(proto::as_text(payload));
}

std::optional<std::uint64_t> read_epoch(std::string_view text) {
  if (text.size() != kNumberDigits) return std::nullopt;
  const auto epoch = take_hex(text, kNumberDigits);
  return epoch && *epoch != 0 ? epoch : std::nullopt;
}

}  // namespace sluice::relay
