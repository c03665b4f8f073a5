// Bounds of the Centrifuge protocol that no flag moves.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "proto/limits.h"

namespace sluice::gateway {

/// Commands that wait behind one (the connect, a hook, a subscribe of their channel), of one
/// client; above it it is closed (3008). A single one may have any size that a message may have.
inline constexpr std::size_t kWaitingCommandsMax = 2048;
inline constexpr std::size_t kWaitingBytesMax = 256U << 10U;
/// Publishes and queries of one client that wait for the relay's answer; the next: error 111.
inline constexpr std::size_t kClientRequestsMax = 1024;
/// Publications that a history reply or a recovery has.
inline constexpr std::uint32_t kHistoryLimitMax = 300;
/// What is told of a client, in bytes: with user and id it fits presence and a publication's meta.
inline constexpr std::size_t kConnInfoBytesMax = 2048;
inline constexpr std::size_t kChanInfoBytesMax = 1536;
/// Kept for hooks alone.
inline constexpr std::size_t kMetaInfoBytesMax = 4096;
/// One reply, beside the flag's bound on what waits for a client.
inline constexpr std::size_t kReplyFrameBytes = 64U << 10U;
/// Namespaces in which one client publishes at a bounded rate.
inline constexpr std::size_t kRateBucketsMax = 64;
/// What a Survey may ask for, and how large its answer may be, in bytes.
inline constexpr std::uint32_t kSurveyLimitMax = 10'000;
inline constexpr std::size_t kSurveyBytesMax = 512U << 10U;
/// Looked for again after this when a refresh hook has failed.
inline constexpr std::int64_t kRefreshRetrySeconds = 5;

static_assert(kConnInfoBytesMax + kChanInfoBytesMax + proto::kUserBytesMax +
                      proto::kClientIdBytesMax + 64 <
                  proto::kPresenceInfoBytesMax,
              "an envelope.proto Client");

}  // namespace sluice::gateway
