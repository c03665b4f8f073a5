// Bounds and waits of the Redis broker that no flag moves.
#pragma once

#include <cstddef>

#include "common/clock.h"
#include "proto/limits.h"

namespace sluice::relay {

// ---- reading

/// One recv, into a buffer of this size that nothing outlives.
inline constexpr std::size_t kRedisChunkBytes = 64U << 10U;
/// Per loop turn and connection; what is left comes on the next turn.
inline constexpr std::size_t kRedisReadBytesPerTurnMax = 1U << 20U;
/// hiredis' reader moves the rest of its buffer down for each KiB used up: larger pieces cost more,
/// not less.
inline constexpr std::size_t kRedisReplySliceBytes = 16U << 10U;
/// An answer beyond it ends the connection: hiredis' reader holds it whole. Messages of others are
/// no answers, see redis_push_reader.h.
inline constexpr std::size_t kRedisReplyBytesMax = 1U << 20U;
/// What the reader may keep of an empty buffer.
inline constexpr std::size_t kRedisReaderSpareBytesMax = 256U << 10U;

/// Elements of a push on the subscriber connection: kind, channel, payload or number.
inline constexpr std::size_t kRedisPushElementsMax = 3;
/// Its kind and channel.
inline constexpr std::size_t kRedisPushTextBytesMax = 512;
/// A line on the subscriber connection: a length, or an error's text.
inline constexpr std::size_t kRedisLineBytesMax = 4096;
/// Of a length: far more than any Redis sends, and no overflow. What is too large is skipped, so
/// it needs no other bound.
inline constexpr std::size_t kRedisLengthDigitsMax = 18;

// ---- writing

/// Names in one SUBSCRIBE or UNSUBSCRIBE.
inline constexpr std::size_t kSubscribeNamesMax = 1000;
/// No further SUBSCRIBE is written while so much waits for the socket.
inline constexpr std::size_t kSubscribeOutputBytesHigh = 512U << 10U;
/// PUBLISHes given to the connection and not answered.
inline constexpr std::size_t kPublishesInFlightMax = 16384;
/// Their bytes; one larger than this alone goes when nothing else is in flight.
inline constexpr std::size_t kPublishBytesInFlightMax = 8U << 20U;
/// Counted for each PUBLISH beside name and payload.
inline constexpr std::size_t kPublishOverheadBytes = 64;
/// Room is told again when count and bytes have fallen to this part of their bounds.
inline constexpr std::size_t kPublishRoomDivisor = 2;
/// What a connection may hold for the socket: whoever writes keeps to the smaller bounds above.
inline constexpr std::size_t kRedisOutputBytesMax = 64U << 20U;
/// A buffer larger than this is given back when it is empty.
inline constexpr std::size_t kRedisOutputSpareBytesMax = 1U << 20U;

static_assert(kPublishBytesInFlightMax + proto::kPayloadBytesMax + (1U << 20U) <=
              kRedisOutputBytesMax);
static_assert(kSubscribeOutputBytesHigh + kSubscribeNamesMax * (proto::kChannelNameBytesMax + 32) +
                  (1U << 20U) <=
              kRedisOutputBytesMax);
static_assert(proto::kChannelNameBytesMax <= kRedisPushTextBytesMax);

// ---- waits

inline constexpr Duration kResolveWait = std::chrono::seconds(2);
/// Threads of one resolver that the system keeps waiting: it asks a name server that does not
/// answer for 10 s by default.
inline constexpr std::size_t kResolveThreadsMax = 4;
/// For each address of the name.
inline constexpr Duration kConnectWait = std::chrono::seconds(2);
inline constexpr std::size_t kRedisAddressesMax = 8;
inline constexpr Duration kRedisPingInterval = std::chrono::seconds(1);
/// Asked and not a byte for so long: gone without a word.
inline constexpr Duration kRedisAnswerWait = std::chrono::milliseconds(2500);
static_assert(kRedisPingInterval + kRedisAnswerWait < std::chrono::seconds(5));

inline constexpr Duration kReconnectWaitMin = std::chrono::milliseconds(100);
inline constexpr Duration kReconnectWaitMax = std::chrono::seconds(1);
/// A connection that lasted so long starts the back-off anew.
inline constexpr Duration kStableAfter = std::chrono::seconds(5);
/// Until channels that Redis refused to subscribe are asked for again.
inline constexpr Duration kRefusedChannelWaitMin = std::chrono::seconds(1);
inline constexpr Duration kRefusedChannelWaitMax = std::chrono::seconds(30);

inline constexpr int kKeepAliveIdleSeconds = 15;
inline constexpr int kKeepAliveIntervalSeconds = 5;
inline constexpr int kKeepAliveProbes = 3;

inline constexpr std::size_t kPasswordBytesMax = 4096;
/// Of what Redis says, in a reason or a log line.
inline constexpr std::size_t kRedisTextBytesMax = 200;

}  // namespace sluice::relay
