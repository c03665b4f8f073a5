// Bounds of the server API. Each has its unit in its name or type; relations are asserted below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "proto/limits.h"

namespace sluice::relay::api {

// ---- HTTP

/// A request's line and headers.
inline constexpr std::size_t kHeadBytesMax = 16384;
inline constexpr std::size_t kBodyBytesMax = 1U << 20U;
/// Of all requests together, from the head that announces a body to the answer.
inline constexpr std::size_t kBodiesBytesMax = 64U << 20U;
/// Connections served together; one more is answered with 503, and so many of these answers are
/// under way together.
inline constexpr std::size_t kConnectionsMax = 256;
inline constexpr std::size_t kRefusalsMax = 16;
inline constexpr std::size_t kRequestsInFlightMax = 128;
inline constexpr std::size_t kReadBytesPerTurnMax = 64U << 10U;
/// What a peer may send behind a request that closes its connection.
inline constexpr std::size_t kDrainBytesMax = 2 * kBodyBytesMax;

/// Between two requests, for a head from its first byte, for a body, for an answer to be made, for
/// it to be read, and for the peer to close.
inline constexpr Duration kIdleWait = std::chrono::seconds(60);
inline constexpr Duration kHeadWait = std::chrono::seconds(10);
inline constexpr Duration kBodyWait = std::chrono::seconds(30);
inline constexpr Duration kAnswerWait = std::chrono::seconds(120);
inline constexpr Duration kWriteWait = std::chrono::seconds(30);
inline constexpr Duration kCloseWait = std::chrono::seconds(5);

// ---- keys

inline constexpr std::size_t kKeysMax = 64;
inline constexpr std::size_t kKeyBytesMin = 16;
inline constexpr std::size_t kKeyBytesMax = 256;
inline constexpr std::size_t kKeyNameBytesMax = 64;
inline constexpr std::size_t kKeyFileBytesMax = 64U << 10U;

// ---- parameters

inline constexpr std::size_t kBroadcastChannelsMax = 1000;
inline constexpr std::size_t kBatchCommandsMax = 1000;
inline constexpr std::size_t kIdempotencyKeyBytesMax = 128;
inline constexpr std::size_t kPatternBytesMax = 256;
inline constexpr std::size_t kTagsMax = 64;
inline constexpr std::size_t kWhitelistMax = 100;
/// JSON that is told of a client, and what it is given with a subscription.
inline constexpr std::size_t kInfoBytesMax = 1024;
inline constexpr std::size_t kSubscriptionDataBytesMax = 64U << 10U;
/// What a WebSocket close frame takes beside its code.
inline constexpr std::size_t kReasonBytesMax = 123;
/// Publications of one answer, whatever was asked for, and their payloads' bytes; the rest by
/// `since`.
inline constexpr std::uint32_t kHistoryPublicationsMax = 1000;
inline constexpr std::size_t kHistoryBytesMax = 4U << 20U;
/// What the replies of a batch may have together; those beyond it are errors.
inline constexpr std::size_t kBatchBytesMax = 2 * kHistoryBytesMax;

/// How long a publish may wait for the broker.
inline constexpr Duration kPublishWait = std::chrono::seconds(5);

/// Results that are remembered under their idempotency key, and for how long.
inline constexpr std::size_t kIdempotencyKeysMax = 10000;
inline constexpr Duration kIdempotencyTtl = std::chrono::minutes(5);

// ---- cluster

inline constexpr Duration kNodeInfoInterval = std::chrono::seconds(3);
inline constexpr Duration kNodeForgottenAfter = std::chrono::seconds(10);
inline constexpr std::size_t kNodesMax = 1024;
/// Gateways that one node tells of.
inline constexpr std::size_t kNodeGatewaysMax = 4096;
inline constexpr Duration kSurveyWait = std::chrono::seconds(1);
inline constexpr std::size_t kSurveysMax = 16;
/// Channels that one gateway tells of, and those of all that are kept for an answer.
inline constexpr std::uint32_t kSurveyChannelsMax = 3000;
inline constexpr std::size_t kSurveyTotalChannelsMax = 20000;

static_assert(kNodeForgottenAfter > 3 * kNodeInfoInterval, "two lost ones are no absence");
static_assert(kInfoBytesMax < proto::kPresenceInfoBytesMax);

}  // namespace sluice::relay::api
