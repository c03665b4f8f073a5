// Bounds of the gateway that no flag moves, and the ranges inside which flags may move the others.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "common/token_bucket.h"
#include "keeper/shared_state.h"
#include "proto/limits.h"

namespace sluice::gateway {

/// What one client may have waiting: --client-queue-bytes moves between these.
inline constexpr std::size_t kClientQueueBytesMin = 4U << 10U;
inline constexpr std::size_t kClientQueueBytesMax = 256U << 20U;
/// Frames that one client may have waiting, whatever their size: bounds the references.
inline constexpr std::size_t kClientQueueFramesMax = 65536;
/// --max-message-size
inline constexpr std::size_t kMessageBytesMin = 125;
inline constexpr std::size_t kMessageBytesMax = proto::kPayloadBytesMax;
/// Close reasons travel in a control frame: 125 bytes less the code.
inline constexpr std::size_t kCloseReasonBytesMax = 123;
/// Publishes written to the relay and not yet answered.
inline constexpr std::size_t kPublishesInFlightMax = 65536;
/// Bytes for the relay not yet taken by its socket; above it publishes are held instead.
inline constexpr std::size_t kLinkOutputHighBytes = 256U << 10U;
/// Above it, what can wait for the relay waits: questions and presence. So publishes have room.
inline constexpr std::size_t kLinkOutputLowBytes = kLinkOutputHighBytes / 2;
/// Subscriptions and answers for the relay not yet taken by its socket, beside one SUBSCRIBE for
/// each wanted channel: a relay that asks without reading is given up.
inline constexpr std::size_t kLinkControlBytesMax = 1U << 20U;
/// Channels given up and not yet confirmed by the relay, beside --max-channels: above it the link
/// starts afresh.
inline constexpr std::size_t kLeavingChannelsMax = 65536;
/// HISTORY and PRESENCE that the relay has not answered: PROTOCOL.md has the same bound.
inline constexpr std::size_t kLinkRequestsMax = 65536;
/// How long such an answer is waited for.
inline constexpr Duration kLinkRequestWait = std::chrono::seconds(5);
/// One answer as it is put together: 300 publications of 200 KiB.
inline constexpr std::size_t kLinkAnswerBytesMax = 64U << 20U;
/// Sessions that wait to join a channel, each channel counted.
inline constexpr std::size_t kJoinsMax = 1U << 20U;
/// Joins that are gone on with, and presence entries that are said, in one turn of the loop: some
/// 2 ms for the one, half a millisecond for the other.
inline constexpr std::size_t kJoinsPerTurn = 512;
inline constexpr std::size_t kPresencePerTurn = 1024;
/// Clients in channels as presence has them, and those gone that the relay was not told yet; the
/// relay takes as many.
inline constexpr std::size_t kPresenceEntriesMax = 1'000'000;
/// What a protocol may keep of a client in its record, beside subscriptions.
inline constexpr std::size_t kProtocolStateBytesMax = 128U << 10U;
/// Sessions beside --max-connections: some end while others begin.
inline constexpr std::size_t kSpareSlots = 64;
/// iovec entries of one sendmsg to a client.
inline constexpr std::size_t kFramesPerSend = 64;
/// Sends that leave in one call of the transport, and their iovec entries.
inline constexpr std::size_t kSendsPerBatch = 1024;
inline constexpr std::size_t kVectorsPerBatch = 8192;
/// Clients that are sent to before the loop looks after everything else again: some 2 ms.
inline constexpr std::size_t kClientsPerTurn = 1024;
/// Of these, so many of one channel before the next channel has its turn.
inline constexpr std::size_t kFanOutQuantum = 256;
/// Subscribers that a walk may pass over for each one that it may give something.
inline constexpr std::size_t kFanOutSkipsPerClient = 16;
/// Frames of channels that not all subscribers have been given: above it the relay's next messages
/// wait in its socket.
inline constexpr std::size_t kFanOutPendingBytesMax = 1U << 20U;
/// Memory in which a channel's frames are put together, and how much of it is kept for the next
/// ones: 4 MiB in all. With its header each is a whole block of the arena.
inline constexpr std::size_t kRunSmallBytes = (4U << 10U) - sizeof(keeper::BlockHeader);
inline constexpr std::size_t kRunLargeBytes = (64U << 10U) - sizeof(keeper::BlockHeader);
inline constexpr std::size_t kRunsSmallKept = 768;
inline constexpr std::size_t kRunsLargeKept = 16;
/// Frames that a quiet channel keeps room for.
inline constexpr std::size_t kLogEntriesKept = 4;
/// Bytes read from the relay before the clients get their share of the loop.
inline constexpr std::size_t kLinkReadBytesPerTurn = 1U << 20U;

/// Gaps are told line by line, one a channel, but a lost relay makes as many as there are channels.
inline constexpr TokenRate kGapLines{.per_second = 20, .burst = 200};

/// An idle process wakes so often: each time costs a core some 0.1 ms where it has to be woken too.
inline constexpr Duration kTimerTick = std::chrono::milliseconds(100);
inline constexpr std::size_t kTimerSlots = 512;
/// A tick later than this means that the process was stopped or starved.
inline constexpr Duration kTimerStall = std::chrono::seconds(1);
/// A client that is to be closed and does not take its bytes is cut after this.
inline constexpr Duration kCloseWait = std::chrono::seconds(5);
/// Both close frames are through and FIN is sent: how long the client's FIN is waited for.
inline constexpr Duration kLingerWait = std::chrono::milliseconds(500);
/// A client's stream has ended: how long the answers to what it published are waited for, and after
/// the last of them the message itself, before it is closed.
inline constexpr Duration kSettleWait = std::chrono::milliseconds(500);
inline constexpr Duration kEchoWait = std::chrono::milliseconds(50);
/// --max-connection-age: each client has its own, up to this part of it shorter.
inline constexpr std::uint64_t kAgeJitterPart = 5;
/// `sluice drain --older-than`, in ms.
inline constexpr std::chrono::milliseconds kOlderThanMax = std::chrono::hours(24 * 365);
/// How often the clients that a drain has still to tell are counted: it takes a walk over all.
inline constexpr Duration kLeavingCountInterval = std::chrono::milliseconds(200);
/// A drain spares a client for the moment that has sent a message so lately.
inline constexpr Duration kBusyFor = std::chrono::seconds(1);
/// Balancers known at once, by address.
inline constexpr std::size_t kBalancersMax = 32;
/// Who has not asked for so long is no balancer of ours any more.
inline constexpr Duration kBalancerKeep = std::chrono::seconds(60);
/// How long an agent check is not told `drain` because the relay has not confirmed the mark.
inline constexpr Duration kMarkWait = std::chrono::seconds(1);
/// A balancer that has asked once only is waited for so long; one whose interval is known, for two
/// of them and this lateness.
inline constexpr Duration kAskIntervalUnknown = std::chrono::seconds(5);
inline constexpr Duration kAskLateness = std::chrono::seconds(1);
/// Marks that the relay has not answered; the relay is away, or too old to know them.
inline constexpr std::size_t kMarksUnansweredMax = 64;
/// From the answer to the last balancer until it is sure to act on it.
inline constexpr Duration kSeenSettle = std::chrono::milliseconds(250);
/// A drain waits no longer than this for balancers that ask rarely.
inline constexpr Duration kAnnouncementMax = std::chrono::seconds(30);
/// The agent's weight follows the load with this time constant.
inline constexpr Duration kLoadSmoothing = std::chrono::seconds(5);
/// The link: asked after this silence, given up after that.
inline constexpr Duration kLinkPingAfter = std::chrono::seconds(2);
inline constexpr Duration kLinkSilenceMax = std::chrono::seconds(6);
/// GATEWAY_INFO is sent when something has changed, at most this often.
inline constexpr Duration kInfoInterval = std::chrono::seconds(1);
inline constexpr Duration kLinkRetryMin = std::chrono::milliseconds(20);
inline constexpr Duration kLinkRetryMax = std::chrono::milliseconds(400);

/// Descriptors beside the clients': lingering refusals (512), admin connections (192), listeners,
/// link, loop, libwebsockets.
inline constexpr std::size_t kReservedDescriptors = 800;

/// A process that ends waits so long for the keeper to take what it is told last.
inline constexpr Duration kParkKeeperWait = std::chrono::milliseconds(500);
/// How long a newer program may take to check itself before it takes over.
inline constexpr Duration kProgramCheckWait = std::chrono::seconds(10);
/// The keeper: how long a start waits for one that is not there yet, how often it is looked for,
/// and what may wait for one that does not read.
inline constexpr Duration kKeeperWait = std::chrono::seconds(3);
inline constexpr Duration kKeeperDialEvery = std::chrono::milliseconds(20);
inline constexpr Duration kKeeperRetry = std::chrono::milliseconds(500);
inline constexpr Duration kKeeperCrowdedRetry = std::chrono::milliseconds(10);
inline constexpr std::size_t kKeeperQueueMax = 65536;
/// A keeper that comes back is told of so many clients ahead of what it has taken, and has so long
/// for them before the connection counts as lost; the loop stands still meanwhile.
inline constexpr std::size_t kKeeperTellAhead = 64;
inline constexpr Duration kKeeperTellWait = std::chrono::milliseconds(500);
/// --handoff-memory
inline constexpr std::size_t kHandoffMemoryMin = 4U << 20U;
inline constexpr std::size_t kHandoffMemoryMax = std::size_t{64} << 30U;
/// A planned handoff waits so long for the relay's answers; clients feel it.
inline constexpr Duration kParkPublishWait = std::chrono::milliseconds(500);

/// --haproxy-socket: how many, and what is held of one answer: some 8,000 servers of a backend.
inline constexpr std::size_t kHaproxySocketsMax = 8;
inline constexpr std::size_t kHaproxyReplyBytesMax = 1U << 20U;
inline constexpr std::size_t kHaproxyOptionsBytesMax = 512;
/// One command, from connecting to the end of its answer.
inline constexpr Duration kHaproxyReplyWait = std::chrono::seconds(2);
/// How often the table is looked at: a reload of HAProxy costs so long. Spread, or all gateways of
/// a host would ask together.
inline constexpr Duration kHaproxyLook = std::chrono::milliseconds(500);
inline constexpr Duration kHaproxyLookSpread = std::chrono::milliseconds(100);
/// HAProxy away: tried again between these.
inline constexpr Duration kHaproxyRetryMin = std::chrono::milliseconds(100);
inline constexpr Duration kHaproxyRetryMax = std::chrono::seconds(5);
/// Away is said when it has failed so often in turn; a reload may cost one.
inline constexpr unsigned kHaproxyFailuresSaid = 2;
/// What it has refused is tried again after this; a name that a dead gateway may hold, sooner.
inline constexpr Duration kHaproxyRefusedWait = std::chrono::seconds(30);
inline constexpr Duration kHaproxyTakenWait = std::chrono::seconds(2);
/// Looks in turn at which a drained server must not have been ours to drain, to be an operator's.
inline constexpr unsigned kHaproxyDrainLooks = 5;
/// From our agent's `ready` until HAProxy has surely acted on it.
inline constexpr Duration kHaproxyReadyTaken = std::chrono::seconds(2);
/// At the end: how long the removal may hold up the process, how often it is tried, after what part
/// of the time left-over sessions are shut down, and how long a HAProxy that is away is tried.
inline constexpr Duration kHaproxyLeaveMax = std::chrono::seconds(5);
inline constexpr Duration kHaproxyLeaveMin = std::chrono::seconds(1);
inline constexpr Duration kHaproxyDeleteRetry = std::chrono::milliseconds(100);
inline constexpr int kHaproxyKickPart = 2;
inline constexpr Duration kHaproxyLeaveRetry = std::chrono::milliseconds(100);
inline constexpr Duration kHaproxyLeaveAway = std::chrono::seconds(1);

/// Hooks: questions under way to one endpoint, each with a connection of its own; what more there
/// are wait. What the bodies of all may hold; over it the next fails at once.
inline constexpr std::size_t kHookConnectionsMax = 64;
inline constexpr std::size_t kHookBodyBytesMax = 64U << 20U;
/// A connection, and the pair of sockets of the thread that looks its name up.
inline constexpr std::size_t kHookDescriptorsPerEndpoint = 3 * kHookConnectionsMax;
/// --hook-in-flight, --hook-timeout
inline constexpr std::size_t kHookInFlightMax = 100'000;
inline constexpr Duration kHookTimeoutMin = std::chrono::milliseconds(10);
inline constexpr Duration kHookTimeoutMax = std::chrono::minutes(1);
/// Head and trailer of an answer.
inline constexpr std::size_t kHookHeadBytesMax = 64U << 10U;
/// --hook-header: how many; a URL's length.
inline constexpr std::size_t kHookHeadersMax = 32;
inline constexpr std::size_t kHookUrlBytesMax = 2048;

static_assert(kHaproxyLeaveAway <= kHaproxyLeaveMin && kHaproxyLeaveMin <= kHaproxyLeaveMax);
static_assert(kVectorsPerBatch >= kFramesPerSend && kFanOutQuantum <= kClientsPerTurn);
static_assert(kLinkPingAfter * 2 < kLinkSilenceMax);
static_assert(kMessageBytesMax <= proto::kPayloadBytesMax);

}  // namespace sluice::gateway
