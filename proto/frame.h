// Shapes of the relay link, PROTOCOL.md is the text. Step 4/5 and 10/11 of a message's path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/limits.h"

namespace sluice::proto {

/// Numeric values are part of the format.
enum class FrameType : std::uint8_t {
  kHello = 1,
  kWelcome = 2,
  kSubscribe = 3,
  kSubscribed = 4,
  kUnsubscribe = 5,
  kUnsubscribed = 6,
  kPublish = 7,
  kPublished = 8,
  kError = 9,
  kMessage = 10,
  kGap = 11,
  kBrokerState = 12,
  kPing = 13,
  kPong = 14,
  kGoodbye = 15,
  kStatus = 16,
  kStatusReply = 17,
  kGatewayInfo = 18,
  kDrainMark = 19,
  kControl = 20,
  kControlled = 21,
  kHistory = 22,
  kHistoryItem = 23,
  kHistoryEnd = 24,
  kPresenceSet = 25,
  kPresenceClear = 26,
  kPresenceSynced = 27,
  kPresence = 28,
  kPresenceItem = 29,
  kPresenceEnd = 30,
};
inline constexpr FrameType kLastFrameType = FrameType::kPresenceEnd;

inline constexpr std::uint8_t kFlagResume = 0x01;        // HELLO
inline constexpr std::uint8_t kFlagTool = 0x02;          // HELLO
inline constexpr std::uint8_t kFlagForgotten = 0x04;     // HELLO
inline constexpr std::uint8_t kFlagResumed = 0x01;       // WELCOME
inline constexpr std::uint8_t kFlagTellsAll = 0x02;      // WELCOME
inline constexpr std::uint8_t kFlagFromPosition = 0x01;  // SUBSCRIBE
inline constexpr std::uint8_t kFlagContinuous = 0x01;    // SUBSCRIBED
inline constexpr std::uint8_t kFlagHistory = 0x02;       // SUBSCRIBED
inline constexpr std::uint8_t kFlagAcknowledge = 0x01;   // PUBLISH
inline constexpr std::uint8_t kFlagNamed = 0x02;         // PUBLISH
inline constexpr std::uint8_t kFlagBeside = 0x01;        // MESSAGE
inline constexpr std::uint8_t kFlagRecover = 0x01;       // HISTORY
inline constexpr std::uint8_t kFlagSince = 0x02;         // HISTORY
inline constexpr std::uint8_t kFlagReverse = 0x04;       // HISTORY
inline constexpr std::uint8_t kFlagComplete = 0x01;      // HISTORY_END
inline constexpr std::uint8_t kFlagCountsOnly = 0x01;    // PRESENCE
inline constexpr std::uint8_t kFlagSkippable = 0x80;     // any

/// WELCOME, features: HISTORY and PRESENCE are answered, SUBSCRIBED tells kHistory.
inline constexpr std::uint32_t kFeatureHistory = 0x01;
inline constexpr std::uint32_t kLimitNone = ~std::uint32_t{0};

inline constexpr std::uint32_t kMagic = 0x43554C53;
inline constexpr std::uint64_t kCountUnknown = ~std::uint64_t{0};

/// Codes below 16 end the link, the others answer one request.
enum class ErrorReason : std::uint32_t {
  kMalformed = 1,
  kUnsupportedVersion = 2,
  kIdInUse = 3,
  kBadId = 4,
  kNotPermitted = 5,
  kOverrun = 6,
  kTooManyTools = 7,
  kTimedOut = 16,
  kQueueFull = 17,
  kTooLarge = 18,
  kUnknownChannel = 19,
  kUnknownFate = 20,
  kRefusedByBroker = 21,
  kShuttingDown = 22,
  kUnknownGateway = 23,
};
[[nodiscard]] std::string_view to_string(ErrorReason reason);

enum class GapCause : std::uint32_t { kOverrun = 1, kBroker = 2, kBoth = 3, kOversized = 4 };
[[nodiscard]] std::string_view to_string(GapCause cause);

enum class BrokerLink : std::uint32_t { kConnected = 0, kAway = 1 };

enum class GoodbyeReason : std::uint32_t { kShuttingDown = 0, kReplaced = 1, kProtocolError = 2 };

/// What a gateway says of itself; a later release may say more.
enum class GatewayCondition : std::uint32_t {
  kStarting = 0,
  kReady = 1,
  kDegraded = 2,
  kNotReady = 3,
  kDraining = 4,
};
[[nodiscard]] std::string_view to_string(GatewayCondition condition);

/// Whether a gateway's clients would outlive its process; a later release may say more.
enum class HandoffState : std::uint8_t {
  kOff = 0,  ///< no --keeper
  kOn = 1,
  kKeeperAway = 2,
  kSelfTestFailed = 3,
};
[[nodiscard]] std::string_view to_string(HandoffState state);

/// How the process before this one ended.
enum class TakeoverKind : std::uint8_t { kNone = 0, kPlanned = 1, kCrash = 2 };
[[nodiscard]] std::string_view to_string(TakeoverKind kind);

/// What an operator asks of a gateway; kUpgrade, with no gateway named, of the relay.
enum class ControlAction : std::uint32_t { kDrain = 1, kUndrain = 2, kUpgrade = 3 };

/// A place in a channel. epoch 0 means "none".
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

using Bytes = std::span<const std::uint8_t>;

[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

struct Header {
  std::uint32_t length = 0;  ///< body bytes
  FrameType type{};
  std::uint8_t flags = 0;
  std::uint16_t meta_length = 0;
  std::uint32_t channel = 0;
  std::uint32_t aux = 0;
  std::uint64_t sequence = 0;
  std::uint64_t offset = 0;
};

/// A whole frame as the decoder hands it out; body points into the decoder's buffer.
struct FrameView {
  Header header;
  Bytes body;
};

// Decoded bodies. Views live as long as the FrameView they came from.

struct Hello {
  bool resume = false;
  bool tool = false;                ///< an operator's tool: no gateway id, no resume
  bool forgotten = false;           ///< with resume: knows no channel ids
  std::uint64_t last_sequence = 0;  ///< with resume
  std::uint16_t version_min = kVersionMin;
  std::uint16_t version_max = kVersionMax;
  std::uint64_t relay_instance = 0;  ///< with resume
  std::string_view gateway_id;
  std::string_view software;
};

struct Welcome {
  bool resumed = false;
  bool tells_all = false;  ///< with resumed: every subscription follows, then BROKER_STATE
  std::uint32_t version = kVersionMax;
  std::uint64_t last_sequence = 0;
  std::uint64_t relay_instance = 0;
  std::uint32_t payload_bytes_max = kPayloadBytesMax;
  std::string_view software;
  std::vector<std::string_view> drained{};  ///< balancers that this gateway id has marked
  /// How long the ring and an absent gateway's place are kept; both 0: not told.
  std::uint32_t ring_age_ms = 0;
  std::uint32_t linger_ms = 0;
  std::uint32_t features = 0;  ///< kFeature…; missing: none
};

struct Subscribe {
  std::uint64_t request = 0;
  bool from_position = false;
  Position position;  ///< epoch 0: nobody knows it, so something is missing
  std::string_view channel;
};

struct Subscribed {
  std::uint64_t request = 0;
  std::uint32_t channel_id = 0;
  bool continuous = false;
  bool history = false;  ///< positions are those of the channel's history, the same on every host
  Position start;        ///< epoch 0: told again and not known; a GAP comes first
  std::string_view channel;
};

struct Publish {
  std::uint64_t request = 0;
  bool acknowledge = false;
  std::uint32_t channel_id = 0;  ///< 0: channel names it
  std::string_view channel;
  std::uint32_t wait_ms = 0;
  Bytes payload{};
  Bytes meta{};
};

struct ErrorFrame {
  std::uint64_t request = 0;  ///< 0: the link ends
  ErrorReason reason{};
  std::string_view text;
};

struct Message {
  std::uint32_t channel_id = 0;
  std::uint64_t sequence = 0;
  std::uint64_t offset = 0;
  std::uint32_t received_micros = 0;
  Bytes payload{};
  Bytes meta{};
  bool beside =
      false;  ///< no place in the channel's history: `offset` is the channel's, not its own
};

struct Gap {
  std::uint32_t channel_id = 0;
  std::uint64_t sequence = 0;
  GapCause cause{};
  Position position;                    ///< the channel goes on behind it
  std::uint64_t first_missing = 0;      ///< 0: unknown
  std::uint64_t count = kCountUnknown;  ///< messages missing
  std::uint64_t duration_ms = 0;
};

struct BrokerState {
  BrokerLink state{};
  std::string_view reason;
};

struct Goodbye {
  GoodbyeReason reason{};
  std::string_view text;
};

/// A tool asks what the relay's state is.
struct Status {
  std::uint64_t request = 0;
  std::uint32_t channels_max = 0;  ///< rows wanted; 0: totals alone
};

struct StatusReply {
  std::uint64_t request = 0;
  std::string_view json;
};

/// What a gateway has had from the process before it.
struct TakeoverInfo {
  TakeoverKind kind{};
  std::uint32_t clients = 0;   ///< that went on
  std::uint32_t closed = 0;    ///< that could not
  std::uint32_t pause_ms = 0;  ///< kPlanned: without service
  std::uint64_t ended_ms = 0;  ///< CLOCK_MONOTONIC when it was done
  friend bool operator==(const TakeoverInfo&, const TakeoverInfo&) = default;
};

/// What a channel holds that can be asked for. `since` unset: from the oldest, or with `reverse`
/// from the newest.
struct HistoryQuery {
  std::optional<Position> since;     ///< publications behind it (`reverse`: before it)
  std::uint32_t limit = kLimitNone;  ///< publications at most; 0: the position alone
  bool reverse = false;              ///< newest first
  friend bool operator==(const HistoryQuery&, const HistoryQuery&) = default;
};

/// From a gateway or tool. `recover`: all between `since` and the channel's top, or nothing; from
/// the relay's ring where that has it.
struct History {
  std::uint64_t request = 0;
  bool recover = false;
  HistoryQuery query;
  std::string_view channel;
};

struct HistoryItem {
  std::uint64_t request = 0;
  std::uint64_t offset = 0;
  Bytes payload{};
  Bytes meta{};
};

/// Behind the items, in one piece with them.
struct HistoryEnd {
  std::uint64_t request = 0;
  /// `recover`: nothing is missing between `since` and top. Without it no items came.
  bool complete = false;
  Position top;
};

/// A client is in a channel; again: what is told of it has changed.
struct PresenceSet {
  std::string_view channel;
  std::string_view client;
  std::string_view user;
  Bytes info{};  ///< envelope.proto, Client
};

struct PresenceClear {
  std::string_view channel;
  std::string_view client;
};

struct Presence {
  std::uint64_t request = 0;
  bool counts_only = false;
  std::string_view channel;
};

struct PresenceItem {
  std::uint64_t request = 0;
  std::string_view client;
  Bytes info{};
};

struct PresenceEnd {
  std::uint64_t request = 0;
  std::uint32_t clients = 0;
  std::uint32_t users = 0;
};

struct GatewayInfo {
  GatewayCondition condition{};
  std::uint32_t clients = 0;
  std::uint32_t clients_max = 0;
  std::uint32_t leaving = 0;  ///< clients that a drain has still to tell to go
  HandoffState handoff{};
  std::uint32_t held = 0;  ///< clients that the keeper holds a descriptor of
  TakeoverInfo takeover{};
  std::uint32_t users = 0;  ///< different ones, anonymous left out
  std::uint32_t subscriptions = 0;
  std::uint32_t channels = 0;
  friend bool operator==(const GatewayInfo&, const GatewayInfo&) = default;
};

/// From the gateway: keep, or forget, that this balancer was told `drain`. From the relay: it has.
struct DrainMark {
  bool set = false;
  std::string_view balancer;
};

/// From a tool, for the gateway named; from the relay to that gateway, without a name.
struct Control {
  std::uint64_t request = 0;
  ControlAction action{};
  std::uint64_t older_than_ms = 0;  ///< kDrain: only clients connected for so long
  std::string_view gateway_id{};
};

/// 1 to 64 bytes of A-Z a-z 0-9 . _ -
[[nodiscard]] bool valid_gateway_id(std::string_view id);

}  // namespace sluice::proto
