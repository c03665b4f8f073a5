// Bounds of the relay that no flag moves. Each has its unit in its name or type; relations are
// asserted below.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "proto/limits.h"

namespace sluice::relay {

/// Answers of one link that it has not read yet. A gateway that asks without reading is ended
/// (ERROR 6).
inline constexpr std::size_t kControlBytesMax = 1U << 20U;
/// What one sendmsg takes at most from a gateway's queue: of bodies that stay where they are, of
/// bytes that are copied into the batch, and of both.
inline constexpr std::size_t kBatchSharedBodiesMax = 64;
inline constexpr std::size_t kBatchTextBytesTarget = 64U << 10U;
inline constexpr std::size_t kBatchBytesTarget = 256U << 10U;
/// Up to this size a copy per gateway costs less than a piece of its own in the sendmsg (measured:
/// even at 1 to 2 KiB).
inline constexpr std::size_t kCopiedBodyBytesMax = 1024;
/// Messages routed to a link within one loop turn that are enough for a sendmsg: no more than the
/// smallest --ring-messages, so that a burst need not fit the ring.
inline constexpr std::size_t kBurstMessagesMax = 64;
/// Per loop turn and link, so that no link keeps the broker's connection waiting.
inline constexpr std::size_t kReadBytesPerTurnMax = 256U << 10U;
inline constexpr std::size_t kWriteBytesPerTurnMax = 1U << 20U;
inline constexpr int kAcceptsPerTurnMax = 16;
/// Admin connections served together; one more is answered with 503, and so many of these answers
/// are under way together.
inline constexpr std::size_t kAdminConnectionsMax = 16;
inline constexpr std::size_t kAdminRefusalsMax = 16;
/// Of a request's head.
inline constexpr std::size_t kAdminHeadBytesMax = 8192;
/// What a peer may send behind its request before it is cut.
inline constexpr std::size_t kAdminDrainBytesMax = 64U << 10U;
/// An index remembers at least so many sequences, even when the ring holds fewer messages: 32 bytes
/// each.
inline constexpr std::size_t kIndexEntriesMin = 16384;
/// Links that have not said HELLO yet, beside --max-gateways.
inline constexpr std::size_t kPendingLinksMax = 16;
/// Operators' tools at the same time: links beside --max-gateways.
inline constexpr std::size_t kToolsMax = 16;
/// Gateway ids that have drain marks; over it the id marked longest ago loses its marks.
inline constexpr std::size_t kMarkedGatewaysMax = 1024;
/// A gateway that does not come back for so long has been taken out for good.
inline constexpr Duration kDrainMarkAgeMax = std::chrono::hours(24 * 30);
inline constexpr std::size_t kDrainMarkFileBytesMax = 4U << 20U;
inline constexpr std::size_t kToolChannelsMax = 16;
/// A tool's queue; --gateway-queue-bytes where that is less.
inline constexpr std::size_t kToolQueueBytesMax = 1U << 20U;
inline constexpr std::size_t kToolIndexEntriesMax = 4096;
/// Rows of a STATUS_REPLY; the rest stands in its totals.
inline constexpr std::size_t kStatusGatewaysMax = 128;
inline constexpr std::size_t kStatusChannelsMax = 150;
/// SUBSCRIBEs of one gateway for one channel whose confirmation is still to come.
inline constexpr std::size_t kSubscribeRequestsMax = 8;
/// HISTORY and PRESENCE of one link that are not answered yet, and their bytes; of a tool.
inline constexpr std::size_t kRequestsPerLinkMax = 65536;
inline constexpr std::size_t kRequestBytesPerLinkMax = 16U << 20U;
inline constexpr std::size_t kToolRequestsMax = 256;
/// Of these at the broker at the same time: of all links, and of one.
inline constexpr std::size_t kBrokerQueriesMax = 256;
inline constexpr std::size_t kLinkQueriesMax = 64;
/// Answers of the broker that one link has not read: no more is asked for it while they are so
/// many bytes.
inline constexpr std::size_t kHeldAnswerBytesMax = 4U << 20U;
/// How often the broker is asked for one HISTORY: again when the channel has gone on meanwhile, and
/// the ring has let go of what came.
inline constexpr std::uint8_t kHistoryAskedMax = 3;
/// Questions of parts of the relay itself that the broker has not answered.
inline constexpr std::size_t kLocalQueriesMax = 1024;
/// Clients × channels that one gateway may say are there.
inline constexpr std::size_t kPresenceEntriesMax = 1'000'000;
/// Changes of presence that leave together.
inline constexpr std::size_t kPresenceBatch = 256;
/// Entries of gateways that are gone: so many are cleared per tick, and so many wait for it; those
/// beyond it the broker forgets by itself.
inline constexpr std::size_t kPresenceClearsPerTick = 2048;
inline constexpr std::size_t kPresenceLeavingMax = 1'000'000;
/// Counted for each held publish beside its bytes.
inline constexpr std::size_t kHeldPublishOverheadBytes = 256;
/// Lines about broken channels per loss of the broker; then one line with the number.
inline constexpr std::size_t kGapLogLinesMax = 100;
/// One line about messages too large for a link per so many ticks, the others as a number.
inline constexpr std::size_t kOversizedLogTicks = 100;
/// Kinds of refusals whose repetitions are counted apart.
inline constexpr std::size_t kRefusalEpisodesMax = 256;

/// Each entry is set again at the broker before it is so old, those that were set together spread
/// over the time from the first to the second.
inline constexpr Duration kPresenceRefreshFrom = std::chrono::seconds(20);
inline constexpr Duration kPresenceRefresh = std::chrono::seconds(25);

inline constexpr Duration kHelloWait = std::chrono::seconds(5);
/// For an ERROR or GOODBYE to be read, then the link is closed regardless.
inline constexpr Duration kLastWordsWait = std::chrono::seconds(1);
/// An admin connection, from accept to its end.
inline constexpr Duration kAdminWait = std::chrono::seconds(10);
/// A refusal that does not come again for so long has ended. Gateways try again after 400 ms at
/// most.
inline constexpr Duration kRefusalQuiet = std::chrono::seconds(5);
/// Between two lines about a socket that can't accept.
inline constexpr Duration kAcceptErrorLogInterval = std::chrono::seconds(10);
/// No PUBLISH waits longer, whatever it asks for.
inline constexpr Duration kPublishWaitMax = std::chrono::minutes(5);
inline constexpr Duration kTickInterval = std::chrono::milliseconds(100);
/// At the end: for answers and messages under way, then for GOODBYE.
inline constexpr Duration kShutdownFlushWait = std::chrono::milliseconds(500);
inline constexpr Duration kShutdownGoodbyeWait = std::chrono::milliseconds(250);

/// An upgrade: for the new program's --check, then for answers of the broker while links are not
/// read.
inline constexpr Duration kProgramCheckWait = std::chrono::seconds(10);
inline constexpr Duration kUpgradeQuietWait = std::chrono::milliseconds(500);

static_assert(kPresenceRefresh - kPresenceRefreshFrom > 10 * kTickInterval);
/// A STATUS_REPLY is an answer like the others.
static_assert(proto::kStatusBytesMax + proto::kHeaderBytes < kControlBytesMax);
/// The bytes before each shared body, the body, and the bytes behind the last.
inline constexpr std::size_t kBatchPiecesMax = 2 * kBatchSharedBodiesMax + 1;
static_assert(kBatchPiecesMax <= 1024, "IOV_MAX");
static_assert(kCopiedBodyBytesMax < kBatchTextBytesTarget);

}  // namespace sluice::relay
