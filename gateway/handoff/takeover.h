// The predecessor's clients become this process's: judged against the kernel's counters, built
// again in their slots, and what they have still to get put into their outboxes. See
// ARCHITECTURE.md, "Handoff"; the order of steps is out_restore's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/handoff/in_recorder.h"
#include "gateway/handoff/keeper_link.h"
#include "gateway/handoff/out_restore.h"
#include "gateway/handoff/session_record.h"
#include "gateway/hub.h"
#include "gateway/sender.h"
#include "gateway/ws_endpoint.h"
#include "keeper/recovery.h"

namespace sluice::gateway {

/// Why a client could not go on: the names in TakeoverReport::closed, all there are.
[[nodiscard]] std::span<const char* const> takeover_close_reasons();

/// What became of it.
struct TakeoverReport {
  bool planned = false;
  std::uint32_t crashes = 0;                    ///< of this id lately, as the keeper counts
  std::size_t moved = 0;                        ///< clients that went on
  std::size_t pending_bytes = 0;                ///< that they had waiting
  std::size_t handshakes = 0;                   ///< connections in mid-handshake
  std::map<std::string, std::size_t> closed{};  ///< clients that could not go on, by reason
  std::uint64_t pause_micros = 0;  ///< from the last moment served, where known, to TAKEN
  std::uint64_t ended_micros = 0;  ///< CLOCK_MONOTONIC at TAKEN

  [[nodiscard]] std::size_t closed_clients() const;
};

/// What a session is built into.
struct TakeoverParts {
  WsEndpoint& endpoint;
  Sender& sender;
  Hub& hub;
  /// Null: this process does not speak it.
  std::function<const ClientProtocol*(std::string_view name)> protocol;
  /// It stands: timers, limits.
  std::function<void(ClientSession&)> resumed;
};

/// Where the link to the relay goes on.
struct LinkResume {
  std::uint64_t relay_instance = 0;  ///< 0: there was none
  std::uint64_t sequence = 0;        ///< somebody lacks what comes behind it
  std::uint64_t top = 0;             ///< nobody has what comes behind it
};

class Takeover {
 public:
  /// Step 1: what each client's record and socket say. Reads only.
  Takeover(keeper::SharedState& state, std::vector<Held::Client> clients, TakeoverReport& report);

  /// Blocks of the arena that must stay. kInvalid: nothing in this memory can be relied on.
  [[nodiscard]] Result<std::vector<keeper::ArenaUnit>> blocks();
  /// Clients that can't go on are told so, where that is possible, and their descriptors are
  /// closed. Before anything is put into the arena: what they are told may stand where that is
  /// free.
  void part();
  /// Slots of clients that do not go on.
  [[nodiscard]] const std::vector<keeper::ClientRef>& left() const { return left_; }
  /// Where the link goes on. Before build().
  [[nodiscard]] LinkResume link() const;
  /// The sessions. Nothing is sent yet.
  void build(OutRecorder& recorder, RunArena& runs, const TakeoverParts& parts);

 private:
  struct Client {
    Held::Client held;
    keeper::Recovery recovery;
    SessionRecord record;
    RestoredInput input;
    std::uint64_t last_sequence = 0;
  };

  /// One that does not go on, and knows why.
  struct Unfit {
    Held::Client held;
    keeper::Recovery recovery;
  };

  void judge(Held::Client held);
  /// To be told by part().
  void leave(Held::Client held, keeper::Recovery recovery, const char* reason);
  /// Told at once.
  void leave_now(const Client& client, const char* reason);
  void count_out(const keeper::ClientRef& ref, const char* reason);
  [[nodiscard]] std::uint64_t sequence_of(const keeper::Recovery& recovery) const;
  void build_one(Client& client, OutRestore& restore, const TakeoverParts& parts);
  /// One whose session stands already, and can't go on.
  void cut_off(ClientSession& session, const Client& client, const char* reason,
               const TakeoverParts& parts);
  void subscribe_again(ClientSession& session, const Client& client, Hub& hub) const;

  keeper::SharedState& state_;
  TakeoverReport& report_;
  keeper::LinkRecord link_;
  bool quiescent_;
  std::vector<Client> clients_;
  std::vector<Unfit> unfit_;  ///< not told yet
  std::vector<keeper::ClientRef> left_;
  std::vector<keeper::ArenaUnit> blocks_;
};

}  // namespace sluice::gateway
