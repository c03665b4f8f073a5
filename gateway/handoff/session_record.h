// A session's record in the state memory (keeper::Slot::session): who the client is, what it gets,
// how far its end has come. What changes with each message stands elsewhere (gateway/handoff/
// in_recorder and the records of what goes out). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/handoff/resumed_session.h"
#include "keeper/arena.h"
#include "keeper/shared_state.h"

namespace sluice::gateway {

/// A session whose record would be larger can't be handed over.
inline constexpr std::size_t kSessionRecordBytesMax = 256U << 10U;

/// A subscription as it outlives the process: by the channel's name.
struct NamedSubscription {
  std::string channel;
  std::uint64_t began_sequence = 0;   ///< as Subscription::began_sequence
  std::uint32_t link_generation = 0;  ///< of which began_sequence is (keeper::LinkRecord)
  friend bool operator==(const NamedSubscription&, const NamedSubscription&) = default;
};

struct SubscriptionName {
  std::string_view channel;  ///< lives for the call
  std::uint32_t link_generation = 0;
};
/// Whoever holds the channels knows what a subscription of a session is called.
using NameSubscription = std::function<SubscriptionName(const Subscription&)>;

struct SessionRecord {
  std::string protocol;  ///< ClientProtocol::name()
  /// Without subscriptions, scanner, half message, last_sequence and the message-rate bucket, which
  /// begins full.
  SessionState state;
  SessionEnding ending;
  std::vector<NamedSubscription> subscriptions;
  std::vector<std::uint8_t> protocol_state;  ///< ClientProtocol::save()
  /// Where our stream to the client ended then, queued bytes included, since the slot opened. What
  /// goes out is recorded a moment later: a stream that is said to end before this lacks something
  /// of which the record says that the client was told.
  std::uint64_t out_end = 0;
};

/// Empty: larger than kSessionRecordBytesMax, or its protocol keeps more than
/// kProtocolStateBytesMax. The session's protocol is set.
[[nodiscard]] std::vector<std::uint8_t> encode_session(const ClientSession& session,
                                                       const NameSubscription& name_of);
/// Null: of a later version, or nothing that encode_session() makes. Channel names are bounded and
/// not empty, nothing more is judged of them.
[[nodiscard]] std::optional<SessionRecord> decode_session(std::span<const std::uint8_t> bytes);
/// The same of Slot::session, which is not trusted.
[[nodiscard]] std::optional<SessionRecord> decode_session(std::uint64_t slot_session,
                                                          std::span<const std::byte> arena);

class SessionRecorder {
 public:
  /// Both outlive the recorder.
  SessionRecorder(keeper::Arena& arena, NameSubscription name_of)
      : arena_(arena), name_of_(std::move(name_of)) {}

  /// When the session opens, and whenever something of it changes: a subscription, its ending.
  /// False: too large, or the arena is full; the slot says that there is no record, and who
  /// takes over must close the client.
  bool record(keeper::Slot& slot, const ClientSession& session);
  /// The slot has ended (its phase says so): its block is free again.
  void forget(keeper::Slot& slot);

  /// Records that were not written, ever.
  [[nodiscard]] std::uint64_t unrecorded() const { return unrecorded_; }

 private:
  [[nodiscard]] std::uint64_t store(std::span<const std::uint8_t> bytes);

  keeper::Arena& arena_;
  NameSubscription name_of_;
  std::uint64_t unrecorded_ = 0;
};

}  // namespace sluice::gateway
