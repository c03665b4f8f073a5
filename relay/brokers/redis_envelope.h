// What travels on the pub/sub channel of a channel with history or publisher: position and meta in
// front of the payload. Text of fixed width up to the meta, so that a script can write it and a
// person read it:
//
//   "S1"  version
//   16    epoch, lower-case hexadecimal digits; all 0: no position (the channel has no history)
//   16    offset, the same
//   4     bytes of meta
//   meta, then the payload up to the end
//
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/epoch.h"
#include "proto/frame.h"
#include "proto/limits.h"

namespace sluice::relay {

inline constexpr std::size_t kRedisEnvelopeFrontBytes = 2 + 16 + 16 + 4;
/// Beside a payload.
inline constexpr std::size_t kRedisEnvelopeBytesMax =
    kRedisEnvelopeFrontBytes + proto::kMetaBytesMax;

struct RedisEnvelope {
  std::optional<proto::Position> position;
  proto::Bytes meta{};
  proto::Bytes payload{};
};

/// Views of `bytes`. Nothing: it is no envelope of ours.
[[nodiscard]] std::optional<RedisEnvelope> read_envelope(proto::Bytes bytes);
[[nodiscard]] std::string make_envelope(std::optional<proto::Position> position, proto::Bytes meta,
                                        proto::Bytes payload);

/// 16 digits, also where a script keeps it.
using proto::epoch_text;
/// Nothing: not 16 lower-case digits, or 0.
[[nodiscard]] std::optional<std::uint64_t> read_epoch(std::string_view text);

}  // namespace sluice::relay
