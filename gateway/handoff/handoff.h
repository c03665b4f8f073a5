// This gateway as one in a row: what it leaves to its successor at every moment, and what it has
// from its predecessor. Owns the state memory, its arena, the recorders and the keeper's link; see
// ARCHITECTURE.md, "Handoff". Exists only with --keeper and a libwebsockets that can do it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/acceptor.h"
#include "gateway/client_session.h"
#include "gateway/handoff/in_recorder.h"
#include "gateway/handoff/keeper_link.h"
#include "gateway/handoff/out_recorder.h"
#include "gateway/handoff/run_arena.h"
#include "gateway/handoff/session_record.h"
#include "gateway/handoff/takeover.h"
#include "keeper/shared_memory.h"

namespace sluice::gateway {

struct HandoffOptions {
  KeeperLinkOptions keeper;
  std::size_t slots = 0;
  std::size_t memory_bytes = 0;
};

/// Counters, never reset, and the last takeover.
struct HandoffStats {
  std::uint64_t keeper_losses = 0;
  std::uint64_t unheld = 0;  ///< clients let in while no keeper was there
  std::optional<TakeoverReport> takeover;
};

class Handoff final : public KeeperLinkEvents {
 public:
  /// All of them outlive it. `name_of` gives the channel of a subscription.
  Handoff(EventLoop& loop, HandoffOptions options, SessionTable& sessions, Sender& sender,
          std::function<std::string_view(const Subscription&)> name_of);
  /// Runs of frames that lie in its memory must be gone by then.
  ~Handoff() override;
  Handoff(const Handoff&) = delete;
  Handoff& operator=(const Handoff&) = delete;

  // ---- start, in this order
  /// Asks the keeper; may wait for a predecessor's end. An error ends the start.
  [[nodiscard]] Result<void> begin();
  /// Listening sockets that the predecessor had, by the text of their address.
  [[nodiscard]] UniqueFd take_listener(const std::string& name) {
    return held_.take_listener(name);
  }
  /// This process listens: the keeper is to hold a dup.
  void listens(const std::string& name, int fd);
  /// No longer, on those whose names begin so.
  void listens_no_more(std::string_view prefix);
  /// The predecessor's clients, if there are any, and where the link to the relay goes on. Nothing
  /// is sent yet. An error ends the start.
  [[nodiscard]] Result<LinkResume> take_over(const TakeoverParts& parts, RelayLink& link,
                                             Acceptor& acceptor);
  /// Everything is ours now: the keeper's clock stops.
  void taken();

  // ---- a client's life
  /// Before the 101: the keeper gets a dup.
  void opening(const ClientSession& session);
  void opened(ClientSession& session);
  /// It never opened.
  void given_up(ClientRef ref);
  /// Subscriptions, times, what its protocol keeps: its record is written anew, once, before
  /// anything more is sent to it.
  void changed(ClientSession& session);
  void reading(ClientSession& session);
  void worked_off(ClientSession& session);
  void closed(ClientSession& session);

  // ---- the loop
  /// Link sequences begin anew; all that was due is queued.
  void link_began(std::uint64_t relay_instance, std::uint64_t sequence);
  /// When a turn ends, before the sends: the records of all that has changed.
  void record_changed();
  /// When a turn ends, behind the sends: everybody has what is due up to here.
  void end_of_turn(std::uint64_t settled_sequence);
  /// Records everything, tells the keeper and lets nothing of it change any more. What follows is
  /// the process's end, or another program in its place.
  /// `at_rest`: no client's bytes are being worked off.
  void park(Acceptor& acceptor, bool at_rest);
  /// The process ends, and nobody is to follow: the keeper closes the clients that are left, at
  /// once. Nothing may be written to them any more.
  void end();

  [[nodiscard]] bool keeper_up() const { return keeper_.up(); }
  [[nodiscard]] const HandoffStats& stats() const { return stats_; }
  [[nodiscard]] const OutRecorderStats& out() const { return out_->stats(); }
  /// Clients whose sockets the keeper holds.
  [[nodiscard]] std::size_t held() const { return keeper_.up() ? sessions_.size() : 0; }
  /// Records that did not fit the arena, or a session without a slot: each such moment of a client
  /// is one that it would not outlive this process in.
  [[nodiscard]] std::uint64_t unrecorded() const;
  [[nodiscard]] std::size_t memory_used() const { return arena_->used_bytes(); }
  [[nodiscard]] std::size_t memory_bytes() const { return arena_->capacity(); }

  // KeeperLinkEvents.
  void keeper_back() override;
  void keeper_lost(const std::string& why) override;

 private:
  [[nodiscard]] keeper::StateSize size() const;
  [[nodiscard]] Result<void> make_state();
  [[nodiscard]] Result<void> begin_anew(const std::string& why);
  [[nodiscard]] Result<LinkResume> take_over_clients(const TakeoverParts& parts, RelayLink& link);
  void take_over_handshakes(Acceptor& acceptor);
  void record_all();
  void write_record(ClientSession& session);
  void make_recorders(std::vector<keeper::ArenaUnit> in_use);
  void tell_end();
  [[nodiscard]] keeper::Slot& slot_of(const ClientSession& session) const {
    return state_->slots()[session.ref.index];
  }
  void tell_everything();
  void report(const TakeoverReport& report) const;

  HandoffOptions options_;
  SessionTable& sessions_;
  Sender& sender_;
  std::function<std::string_view(const Subscription&)> name_of_;
  KeeperLink keeper_;
  Held held_;
  std::optional<keeper::SharedState> state_;
  std::optional<keeper::Arena> arena_;
  std::optional<RunArena> runs_;
  std::optional<OutRecorder> out_;
  std::optional<InRecorder> in_;
  std::optional<SessionRecorder> who_;
  std::map<std::string, int> listeners_;  ///< of this process, by name
  std::vector<ClientRef> stale_;          ///< sessions with ClientSession::record_stale
  bool took_over_ = false;
  HandoffStats stats_;
};

}  // namespace sluice::gateway
