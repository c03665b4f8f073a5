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
/// The same on the publisher connection, for one string of an answer: a publication of the history
/// may be as large as a payload.
inline constexpr std::size_t kRedisDataReplyBytesMax = proto::kPayloadBytesMax + (1U << 20U);
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
static_assert(proto::kChannelNameBytesMax + 32 <= kRedisPushTextBytesMax);

// ---- history and presence

/// HISTORY, removals and PRESENCE asked of the broker and not answered; the next is refused.
inline constexpr std::size_t kQueriesInFlightMax = 16384;
/// Those among them whose answers are large and on their way together: Redis holds what we have not
/// read.
inline constexpr std::size_t kReadsInFlightMax = 16;
/// Bytes of publications after which a script ends its answer; the last goes over by its size.
inline constexpr std::size_t kHistoryReplyBytesMax = 4U << 20U;
/// Channels whose position is asked for at the same time.
inline constexpr std::size_t kPositionsInFlightMax = 4096;
/// Channels of which something missing is read at the same time, and how much with one answer.
inline constexpr std::size_t kFetchesInFlightMax = 16;
inline constexpr std::size_t kFetchPublicationsMax = 512;
inline constexpr std::size_t kFetchReplyBytesMax = 1U << 20U;
/// Heard while something earlier is read: of one channel, and of all.
inline constexpr std::size_t kHeldChannelBytesMax = 1U << 20U;
inline constexpr std::size_t kHeldBytesMax = 64U << 20U;
/// Counted for each beside payload and meta.
inline constexpr std::size_t kHeldMessageOverheadBytes = 128;
/// Epoch and offset are kept for so long behind the last publication or subscription, and no
/// shorter than the publications.
inline constexpr Duration kHistoryPositionTtl = std::chrono::hours(24 * 30);
/// An entry of presence is forgotten so long after it was last set.
inline constexpr Duration kRedisPresenceTtl = std::chrono::seconds(60);
/// Changes that one script call makes.
inline constexpr std::size_t kPresenceChangesPerCallMax = 100;
/// Of changes not answered; over it they are not taken.
inline constexpr std::size_t kPresenceBytesInFlightMax = 8U << 20U;
/// Of one answer: entries, and bytes after which the script ends it.
inline constexpr std::size_t kPresenceAnswerEntriesMax = 20000;
inline constexpr std::size_t kPresenceReplyBytesMax = 4U << 20U;
/// A script that Redis has forgotten is loaded and called again.
inline constexpr unsigned kScriptTriesMax = 3;

static_assert(kPublishBytesInFlightMax + kPresenceBytesInFlightMax + proto::kPayloadBytesMax +
                  (kQueriesInFlightMax + kPositionsInFlightMax + kFetchesInFlightMax) *
                      (4 * proto::kChannelNameBytesMax + 256) <=
              kRedisOutputBytesMax);

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

/// Until positions and publications that Redis refused to tell are asked for again.
inline constexpr Duration kHistoryRetryWait = std::chrono::seconds(2);

inline constexpr int kKeepAliveIdleSeconds = 15;
inline constexpr int kKeepAliveIntervalSeconds = 5;
inline constexpr int kKeepAliveProbes = 3;

inline constexpr std::size_t kPasswordBytesMax = 4096;
/// Of what Redis says, in a reason or a log line.
inline constexpr std::size_t kRedisTextBytesMax = 200;

}  // namespace sluice::relay
