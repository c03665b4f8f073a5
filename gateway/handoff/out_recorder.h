// What a successor must know of our byte streams to the clients, in the state memory: each client's
// OutRecord (keeper/shared_state.h) is right at any instruction. Pure.
//
//   queued ──changed()──▶ sync() / before_send(): the queue ──▶ the transport sends
//   given by the fan-out ──placed()──▶ before_send(): the intent ──┘        │
//                                   after_send(): nothing, or what is left ◀┘
//
// Runs of frames outlive what records need of them. Bytes of which it is not sure that they have
// left are held: by the outbox, which lets go of a run only when a send has taken all of it; or
// by the fan-out, whose runs stay until the slice has ended, and by then each send of it has left
// whole or its rest is in the outbox and recorded. So a run that is put to other use (RunPool) or
// whose block is free can be named only by
//  - an intent that has left whole, of a client whose counters prove it: a reader passes over it by
//    its length and looks at no byte of it. A client without counters has its record written anew
//    after each send;
//  - the queue of the very client whose outbox lets go of it, until its record is written. That is
//    the next thing that happens, and takes nothing from the arena before it counts: the array has
//    room for what was in it before the send.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gateway/client_session.h"
#include "gateway/send_batch.h"
#include "gateway/session_table.h"
#include "keeper/arena.h"
#include "keeper/shared_memory.h"

namespace sluice::gateway {

/// The kernel's counters of a socket when its slot opens.
struct SlotStart {
  std::uint64_t sent_before = 0;
  std::uint64_t received_before = 0;
  bool has_counters = false;  ///< false: a Unix socket
};

/// Counters, never reset.
struct OutRecorderStats {
  std::uint64_t records = 0;
  /// Of these, such as no successor can go on from: something of it did not fit the arena.
  std::uint64_t unrecoverable = 0;
  std::uint64_t without_slot = 0;  ///< sessions beyond the slots that there are
};

class OutRecorder {
 public:
  /// All of them outlive it. One per state memory.
  OutRecorder(keeper::SharedState& state, keeper::Arena& arena, SessionTable& sessions);

  // A session's slot, which has its index.
  /// Makes it ready, all records empty, not open yet; what its outbox has already is for the next
  /// sync(). False: there is no such slot, and nothing is recorded of the session.
  bool prepare(ClientSession& session, const SlotStart& start);
  /// Everything else that belongs into it is written too: it counts from here on.
  void opened(const ClientSession& session);
  /// The session ends: the slot is free. Before anything of the outbox is dropped. Idempotent.
  void closed(ClientSession& session);
  /// A slot that nobody goes on with: it is free. Blocks that it names stay taken in this process.
  void discard(std::uint32_t slot);
  /// The session's slot and its record are there, of the process before; the outbox holds what is
  /// still to be sent. `out` as the record says; queue_block: to be freed once it is not needed.
  /// sync_all() must follow before anything is sent.
  void adopted(ClientSession& session, const OutPosition& out);

  // What the Sender tells.
  /// What is due up to state.last_sequence stands in the batch or in the outbox, all of it.
  void placed(ClientSession& session) const {
    session.out.sequence = session.state.last_sequence;
    session.out.link_generation = link_generation_;
  }
  /// Something was put into its outbox.
  void changed(ClientSession& session) {
    if (session.out.changed || !session.out.recorded) return;
    session.out.changed = true;
    changed_.push_back(session.ref);
  }
  /// All of the batch is about to leave.
  void before_send(const SendBatch& batch);
  /// So much of the entry has left, and the outbox is as that leaves it.
  void after_send(ClientSession& session, const SendBatch::Entry& entry, std::size_t sent);

  // What owners of sessions ask for; no send is under way then (ClientSession::sending).
  /// The record says what the outbox holds. Before a record of what the client sent says that it
  /// was worked off: the answer to it must not be lost with us.
  void sync(ClientSession& session) {
    if (session.out.changed) settle(session);
  }
  /// The same for all, at the end of a loop turn.
  void sync_all();
  /// The record alone says where the stream is, without counters: before a planned end.
  void settle(ClientSession& session);

  // The link to the relay. Both see to it first that every record is in step.
  /// A link whose sequences begin anew, at `sequence`; the generation is one that was not there
  /// before. What is due of the old one must have been queued.
  void link(std::uint64_t relay_instance, std::uint32_t generation, std::uint64_t sequence);
  /// Everybody has been given what is due up to here.
  void settled(std::uint64_t sequence);
  /// 0: there was no link yet, in this process or before it.
  [[nodiscard]] std::uint32_t link_generation() const { return link_generation_; }

  [[nodiscard]] const OutRecorderStats& stats() const { return stats_; }

 private:
  /// The view region's part that says what is about to be sent.
  struct Intent {
    std::uint32_t bytes = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t outbox_parts = 0;  ///< it is so many parts of the outbox, else none of it
    bool whole = true;               ///< every view could be written
  };

  [[nodiscard]] keeper::Slot& slot_of(const ClientSession& session) const {
    return slots_[session.ref.index];
  }
  void prefetch(const ClientSession& session) const;
  void announce(const SendBatch& batch, const SendBatch::Entry& entry);
  void add_view(Intent& intent, const RunView& view);
  void write(ClientSession& session, const Intent& intent);
  /// The outbox's parts from `skip` on, into the session's array and the record. False: no room.
  [[nodiscard]] bool mirror(ClientSession& session, std::uint32_t skip, keeper::OutRecord& record);
  [[nodiscard]] bool make_room(ClientSession& session, Outbox::Mirror& mirror, std::uint32_t parts,
                               keeper::ArenaUnit& block);
  void write_link(const keeper::LinkRecord& record);

  keeper::StateHeader& header_;
  std::span<keeper::Slot> slots_;
  std::span<keeper::View> views_;
  keeper::Arena& arena_;
  SessionTable& sessions_;
  std::vector<ClientRef> changed_;
  std::uint32_t views_used_ = 0;  ///< by the batch at hand
  bool adopting_ = false;         ///< records are there that another process wrote
  std::uint32_t link_generation_ = 0;
  OutRecorderStats stats_;
};

}  // namespace sluice::gateway
