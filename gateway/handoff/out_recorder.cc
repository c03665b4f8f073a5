#include "gateway/handoff/out_recorder.h"

#include <algorithm>
#include <cstddef>
#include <new>
#include <utility>

#include "common/check.h"

namespace sluice::gateway {
namespace {

using keeper::ArenaUnit;
using keeper::OutRecord;
using keeper::Slot;
using keeper::View;

/// How far ahead the slots of a batch are asked for.
constexpr std::size_t kPrefetch = 6;

[[nodiscard]] View view_of(const RunView& view) {
  return {view.run->move_in(), view.begin, view.end};
}

[[nodiscard]] View* array_in(const keeper::Arena& arena, ArenaUnit block) {
  return std::launder(reinterpret_cast<View*>(arena.data(block)));
}

[[nodiscard]] OutRecord& counting(Slot& slot) {
  return slot.out[slot.out_now & 1U];
}

}  // namespace

OutRecorder::OutRecorder(keeper::SharedState& state, keeper::Arena& arena, SessionTable& sessions)
    : header_(state.header()),
      slots_(state.slots()),
      views_(state.views()),
      arena_(arena),
      sessions_(sessions),
      link_generation_(keeper::counting_link(header_).generation) {
}

// ---- slots

bool OutRecorder::prepare(ClientSession& session, const SlotStart& start) {
  if (session.ref.index >= slots_.size()) {
    ++stats_.without_slot;
    return false;
  }
  discard(session.ref.index);
  Slot& slot = slot_of(session);
  slot = Slot{.generation = session.ref.generation,
              .sent_before = start.sent_before,
              .received_before = start.received_before,
              .has_counters = start.has_counters ? 1U : 0U};
  session.out = {.sequence = session.state.last_sequence,
                 .link_generation = link_generation_,
                 .recorded = true,
                 .has_counters = start.has_counters,
                 .close_queued = session.out.close_queued};
  counting(slot).last_sequence = session.out.sequence;
  counting(slot).link_generation = session.out.link_generation;
  // What was queued until now nobody has told us of.
  if (!session.outbox.empty() || session.out.close_queued) changed(session);
  return true;
}

void OutRecorder::opened(const ClientSession& session) {
  if (!session.out.recorded) return;
  keeper::publish(slot_of(session).phase, static_cast<std::uint32_t>(keeper::SlotPhase::kOpen));
}

void OutRecorder::closed(ClientSession& session) {
  if (!session.out.recorded) return;
  discard(session.ref.index);
  arena_.free(session.out.queue_block);
  session.out = {};
}

void OutRecorder::discard(std::uint32_t slot) {
  keeper::publish(slots_[slot].phase, static_cast<std::uint32_t>(keeper::SlotPhase::kFree));
}

void OutRecorder::adopted(ClientSession& session, const OutPosition& out) {
  CHECK(session.ref.index < slots_.size() && out.recorded);
  session.out = out;
  session.out.changed = false;
  changed(session);
  adopting_ = true;
}

// ---- sends

void OutRecorder::prefetch(const ClientSession& session) const {
  if (session.ref.index >= slots_.size()) return;
  const Slot& slot = slot_of(session);
  __builtin_prefetch(&slot, 1);
  for (const OutRecord& record : slot.out) __builtin_prefetch(&record, 1);
}

void OutRecorder::before_send(const SendBatch& batch) {
  const std::span<const SendBatch::Entry> entries = batch.entries();
  // The records of the process before may still need its views.
  CHECK(!adopting_);
  views_used_ = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + kPrefetch < entries.size()) prefetch(*entries[i + kPrefetch].session);
    if (entries[i].session->out.recorded) announce(batch, entries[i]);
  }
}

void OutRecorder::announce(const SendBatch& batch, const SendBatch::Entry& entry) {
  ClientSession& session = *entry.session;
  Intent intent{.bytes = entry.bytes, .first = views_used_};
  if (entry.view_count > 0) {
    for (const RunView& view : batch.views(entry)) add_view(intent, view);
  } else if (session.out.has_counters) {
    // The queue is what is sent, and the counters tell how much of it.
    if (session.out.changed) write(session, {});
    return;
  } else {
    // Without counters a send under way must show.
    for (; intent.outbox_parts < entry.parts; ++intent.outbox_parts)
      add_view(intent, session.outbox.part(intent.outbox_parts));
  }
  write(session, intent);
}

void OutRecorder::add_view(Intent& intent, const RunView& view) {
  if (views_used_ == views_.size()) {
    intent.whole = false;
    return;
  }
  View& place = views_[views_used_++];
  place = view_of(view);
  intent.whole = intent.whole && place.run != 0;
  ++intent.count;
}

void OutRecorder::after_send(ClientSession& session, const SendBatch::Entry& entry,
                             std::size_t sent) {
  if (!session.out.recorded) return;
  session.out.written += sent;
  const bool intent_has_left = entry.view_count > 0 && sent == entry.bytes;
  const bool still_right = session.out.has_counters && !session.out.unrecoverable;
  if (!intent_has_left || !still_right) write(session, {});
}

void OutRecorder::sync_all() {
  for (std::size_t i = 0; i < changed_.size(); ++i)
    if (ClientSession* session = sessions_.find(changed_[i])) sync(*session);
  changed_.clear();
  adopting_ = false;
}

void OutRecorder::settle(ClientSession& session) {
  // What is in the batch is in no outbox, but counts as placed.
  CHECK(!session.sending);
  if (session.out.recorded) write(session, {});
}

// ---- the record

void OutRecorder::write(ClientSession& session, const Intent& intent) {
  OutPosition& out = session.out;
  OutRecord record{.written = out.written,
                   .last_sequence = out.sequence,
                   .link_generation = out.link_generation,
                   .intent_bytes = intent.bytes,
                   .intent_first = intent.first,
                   .intent_count = intent.count,
                   .flags = out.close_queued ? std::uint32_t{keeper::kCloseQueued} : 0U};
  bool whole = intent.whole;
  if (session.outbox.parts() > intent.outbox_parts) {
    whole = mirror(session, intent.outbox_parts, record) && whole;
  } else if (!session.outbox.empty()) {
    session.outbox.set_mirror({});
  }
  if (!whole) record.flags |= keeper::kUnrecoverable;
  Slot& slot = slot_of(session);
  slot.out[(slot.out_now & 1U) ^ 1U] = record;
  keeper::flip(slot.out_now);
  ++stats_.records;
  if (!whole) ++stats_.unrecoverable;
  out.changed = false;
  out.unrecoverable = !whole;
  const ArenaUnit old = std::exchange(out.queue_block, record.queue);
  if (old != record.queue) arena_.free(old);
}

/// Entries that the counting record speaks of stay as they are, except for the last one's `end`,
/// for which the record has a number of its own. Not its `begin`: in the counting record it need
/// not be the first.
bool OutRecorder::mirror(ClientSession& session, std::uint32_t skip, OutRecord& record) {
  Outbox& outbox = session.outbox;
  const auto parts = static_cast<std::uint32_t>(outbox.parts());
  Outbox::Mirror mirror = outbox.mirror();
  ArenaUnit block = session.out.queue_block;
  if (!make_room(session, mirror, parts, block)) {
    outbox.set_mirror({});
    return false;
  }
  View* array = array_in(arena_, block);
  if (mirror.parts > 0) array[mirror.at + mirror.parts - 1].end = outbox.part(mirror.parts - 1).end;
  for (std::uint32_t i = mirror.parts; i < parts; ++i) {
    const View view = view_of(outbox.part(i));
    array[mirror.at + i] = view;
    if (view.run == 0) mirror.holes = i + 1;
  }
  mirror.parts = parts;
  outbox.set_mirror(mirror);
  record.queue = block;
  record.queue_head = mirror.at + skip;
  record.queue_count = parts - skip;
  record.queue_head_begin = outbox.part(skip).begin;
  record.queue_tail_end = outbox.part(parts - 1).end;
  return mirror.holes <= skip;
}

/// A new array, twice as large as it need be, when the old one is full or tells another story.
bool OutRecorder::make_room(ClientSession& session, Outbox::Mirror& mirror, std::uint32_t parts,
                            ArenaUnit& block) {
  if (mirror.parts > 0) {
    CHECK(block != 0 && block == session.out.queue_block);
    if ((mirror.at + parts) * sizeof(View) <= arena_.header(block).bytes) return true;
  }
  mirror = {};
  block = arena_.allocate(std::size_t{2} * parts * sizeof(View));
  return block != 0;
}

// ---- the link

void OutRecorder::link(std::uint64_t relay_instance, std::uint32_t generation,
                       std::uint64_t sequence) {
  CHECK(generation != link_generation_);
  sync_all();
  link_generation_ = generation;
  write_link(
      {.relay_instance = relay_instance, .settled_sequence = sequence, .generation = generation});
}

void OutRecorder::settled(std::uint64_t sequence) {
  keeper::LinkRecord record = keeper::counting_link(header_);
  if (record.settled_sequence == sequence) return;
  sync_all();
  record.settled_sequence = sequence;
  write_link(record);
}

void OutRecorder::write_link(const keeper::LinkRecord& record) {
  header_.link[(header_.link_now & 1U) ^ 1U] = record;
  keeper::flip(header_.link_now);
}

}  // namespace sluice::gateway
