// Writes down how far a client's stream to us has been worked off (keeper::Slot::in), and reads it
// back. Pure.
//
// Half a message stands in a block of its own and grows there, so that a client which sends it byte
// by byte costs no copy of the whole each time; the scanner's few bytes get a new block each time.
// The bytes and blocks of the record that counts are never changed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "gateway/client_session.h"
#include "keeper/arena.h"
#include "keeper/shared_state.h"

namespace sluice::gateway {

/// InRecord::scanner_bytes of a stream for which there was no room, or of which more has been read
/// than the record says: with `read` alone nobody can go on, restore() refuses it.
inline constexpr std::uint32_t kStreamUnrecorded = UINT32_MAX;

/// What a record tells of the stream.
struct RestoredInput {
  std::uint64_t read = 0;
  WsScanner scanner;
  InboundMessage inbound;
};

class InRecorder {
 public:
  /// The arena outlives the recorder.
  explicit InRecorder(keeper::Arena& arena) : arena_(arena) {}

  /// At EndpointEvents::worked_off, behind the records of what the bytes led to. `slot` is the
  /// session's, and its received_before the kernel's count at the end of the request head, that is,
  /// when it opened, less ClientSession::read.
  void worked_off(keeper::Slot& slot, ClientSession& session);
  /// Of a client without counters: something was read that is not worked off yet. Until
  /// worked_off() nobody can go on from the record.
  static void reading(keeper::Slot& slot);
  /// The slot has ended (its phase says so): its blocks are free again.
  void forget(keeper::Slot& slot);

  /// Null: the record contradicts itself or the arena. Nothing of it is trusted.
  [[nodiscard]] static std::optional<RestoredInput> restore(const keeper::InRecord& record,
                                                            std::span<const std::byte> arena);

  /// Records without room in the arena, ever.
  [[nodiscard]] std::uint64_t unrecorded() const { return unrecorded_; }

 private:
  [[nodiscard]] bool describe(const keeper::InRecord& before, const ClientSession& session,
                              keeper::InRecord& record);
  [[nodiscard]] bool store_scanner(const WsScanner& scanner, keeper::InRecord& record);
  [[nodiscard]] bool store_message(const keeper::InRecord& before, const InboundMessage& message,
                                   keeper::InRecord& record);

  keeper::Arena& arena_;
  std::uint64_t unrecorded_ = 0;
};

}  // namespace sluice::gateway
