#include "gateway/handoff/takeover.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/log.h"
#include "gateway/handoff/fault_point.h"
#include "keeper/parting.h"
#include "keeper/stream_position.h"

namespace sluice::gateway {
namespace {

/// What nobody has waited for can't be waited for now: one try.
void part_from(int fd, const keeper::Parting& parting) {
  if (parting.can_speak) {
    iovec pieces[] = {
        {const_cast<std::byte*>(parting.rest.data()), parting.rest.size()},
        {const_cast<std::byte*>(parting.close.data()), parting.close.size()},
    };
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    static_cast<void>(::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  // The keeper's dup goes a moment later; the client is to see its end now.
  ::shutdown(fd, SHUT_RDWR);
}

// Before a client's session was there, and while it was being made.
constexpr const char* kNoSlot = "no slot";
constexpr const char* kInHandshake = "in handshake";
constexpr const char* kSessionRecord = "session record";
constexpr const char* kRecordAhead = "record ahead";
constexpr const char* kInboundRecord = "inbound record";
constexpr const char* kProtocol = "protocol";
constexpr const char* kLibwebsockets = "libwebsockets";
constexpr const char* kFrames = "frames";
constexpr const char* kProtocolState = "protocol state";

[[nodiscard]] std::size_t bytes_of(const std::vector<keeper::View>& views) {
  std::size_t bytes = 0;
  for (const keeper::View& view : views) bytes += view.end - view.begin;
  return bytes;
}

}  // namespace

std::span<const char* const> takeover_close_reasons() {
  using keeper::CloseReason;
  static const std::array kReasons = {kNoSlot,
                                      kInHandshake,
                                      kSessionRecord,
                                      kRecordAhead,
                                      kInboundRecord,
                                      kProtocol,
                                      kLibwebsockets,
                                      kFrames,
                                      kProtocolState,
                                      keeper::to_string(CloseReason::kNoCounters),
                                      keeper::to_string(CloseReason::kSentOutside),
                                      keeper::to_string(CloseReason::kReadOutside),
                                      keeper::to_string(CloseReason::kUnrecoverable),
                                      keeper::to_string(CloseReason::kBrokenRecord)};
  return kReasons;
}

std::size_t TakeoverReport::closed_clients() const {
  std::size_t all = 0;
  for (const auto& [reason, count] : closed) all += count;
  return all;
}

Takeover::Takeover(keeper::SharedState& state, std::vector<Held::Client> clients,
                   TakeoverReport& report)
    : state_(state),
      report_(report),
      link_(keeper::counting_link(state.header())),
      quiescent_(state.header().quiescent != 0) {
  clients_.reserve(clients.size());
  for (Held::Client& client : clients) judge(std::move(client));
}

// ---- who goes on

void Takeover::judge(Held::Client held) {
  const auto slots = state_.slots();
  if (held.ref.slot >= slots.size()) return leave(std::move(held), {}, kNoSlot);
  const keeper::Slot slot = slots[held.ref.slot];
  // Given to the keeper and not opened yet, or closed and not taken back yet.
  if (slot.phase != static_cast<std::uint32_t>(keeper::SlotPhase::kOpen) ||
      slot.generation != held.ref.generation)
    return leave(std::move(held), {}, kInHandshake);
  // At rest the record alone is right; counters cost three system calls.
  const auto counters =
      quiescent_ || slot.has_counters == 0 ? std::nullopt : keeper::stream_position(held.fd.get());
  keeper::Recovery recovery =
      keeper::recover(slot, state_.views(), state_.arena(), quiescent_, counters);
  if (!recovery.goes_on()) {
    const char* reason = keeper::to_string(recovery.reason);
    return leave(std::move(held), std::move(recovery), reason);
  }
  auto record = decode_session(slot.session, state_.arena());
  if (!record) return leave(std::move(held), std::move(recovery), kSessionRecord);
  if (record->out_end > recovery.written + bytes_of(recovery.pending))
    return leave(std::move(held), std::move(recovery), kRecordAhead);
  auto input = InRecorder::restore(slot.in[slot.in_now & 1U], state_.arena());
  if (!input) return leave(std::move(held), std::move(recovery), kInboundRecord);
  const std::uint64_t last_sequence = sequence_of(recovery);
  clients_.push_back(
      {std::move(held), std::move(recovery), std::move(*record), std::move(*input), last_sequence});
}

void Takeover::leave(Held::Client held, keeper::Recovery recovery, const char* reason) {
  count_out(held.ref, reason);
  unfit_.push_back({std::move(held), std::move(recovery)});
}

void Takeover::leave_now(const Client& client, const char* reason) {
  count_out(client.held.ref, reason);
  part_from(client.held.fd.get(), keeper::parting_of(client.recovery, state_.arena()));
}

void Takeover::count_out(const keeper::ClientRef& ref, const char* reason) {
  ++report_.closed[reason];
  left_.push_back(ref);
}

void Takeover::part() {
  for (const Unfit& unfit : unfit_)
    part_from(unfit.held.fd.get(), keeper::parting_of(unfit.recovery, state_.arena()));
  unfit_.clear();
}

std::uint64_t Takeover::sequence_of(const keeper::Recovery& recovery) const {
  // A link that began since then had everybody served first.
  if (recovery.link_generation != link_.generation) return link_.settled_sequence;
  return std::max(recovery.last_sequence, link_.settled_sequence);
}

LinkResume Takeover::link() const {
  LinkResume resume{.relay_instance = link_.relay_instance,
                    .sequence = link_.settled_sequence,
                    .top = link_.settled_sequence};
  // Who has no channel lacks nothing; the others are at settled_sequence at least.
  std::uint64_t lowest = ~std::uint64_t{0};
  for (const Client& client : clients_) {
    resume.top = std::max(resume.top, client.last_sequence);
    if (!client.record.subscriptions.empty()) lowest = std::min(lowest, client.last_sequence);
  }
  if (lowest != ~std::uint64_t{0}) resume.sequence = lowest;
  return resume;
}

Result<std::vector<keeper::ArenaUnit>> Takeover::blocks() {
  std::vector<keeper::View> pending;
  for (const Client& client : clients_)
    pending.insert(pending.end(), client.recovery.pending.begin(), client.recovery.pending.end());
  auto blocks = collect_blocks(state_, pending);
  if (blocks) blocks_ = *blocks;
  return blocks;
}

// ---- sessions

void Takeover::build(OutRecorder& recorder, RunArena& runs, const TakeoverParts& parts) {
  OutRestore restore(state_, recorder, runs, blocks_);
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (i == clients_.size() / 2) fault_point("takeover.half");
    build_one(clients_[i], restore, parts);
  }
}

void Takeover::build_one(Client& client, OutRestore& restore, const TakeoverParts& parts) {
  const ClientProtocol* protocol = parts.protocol(client.record.protocol);
  if (protocol == nullptr) return leave_now(client, kProtocol);
  const keeper::Recovery& recovery = client.recovery;
  ResumedSession from{.state = std::move(client.record.state),
                      .read = client.input.read,
                      .ending = client.record.ending};
  from.state.last_sequence = client.last_sequence;
  from.state.scanner = std::move(client.input.scanner);
  from.state.inbound = std::move(client.input.inbound);
  // Whether it closes is what was put into its stream, not what was going to be.
  const bool closing = (recovery.flags & keeper::kCloseQueued) != 0;
  from.ending.phase = closing ? SessionPhase::kClosing : SessionPhase::kOpen;
  from.ending.close_sent = false;
  if (!closing) from.ending.peer_closed = false;
  const ClientRef ref{client.held.ref.slot, client.held.ref.generation};
  // Its descriptor itself, no copy: libwebsockets takes none above the process's limit.
  ClientSession* session = parts.endpoint.resume(std::move(client.held.fd), ref, std::move(from));
  if (session == nullptr) return leave_now(client, kLibwebsockets);
  session->protocol = protocol;
  if (!restore.restore(*session, recovery.pending,
                       {.written = recovery.written,
                        .last_sequence = recovery.last_sequence,
                        .link_generation = recovery.link_generation,
                        .flags = recovery.flags})) {
    // What it was to get can't be put together again: not even a close frame has its place.
    return cut_off(*session, client, kFrames, parts);
  }
  if (!protocol->restore(*session, client.record.protocol_state))
    return cut_off(*session, client, kProtocolState, parts);
  subscribe_again(*session, client, parts.hub);
  parts.sender.resumed(*session);
  parts.resumed(*session);
  ++report_.moved;
  report_.pending_bytes += bytes_of(recovery.pending);
}

void Takeover::cut_off(ClientSession& session, const Client& client, const char* reason,
                       const TakeoverParts& parts) {
  count_out(client.held.ref, reason);
  session.ended = true;  // its protocol knows nothing of it
  parts.resumed(session);
  parts.sender.cut_off(session);
}

void Takeover::subscribe_again(ClientSession& session, const Client& client, Hub& hub) const {
  for (const NamedSubscription& subscription : client.record.subscriptions) {
    const std::uint64_t began =
        subscription.link_generation == link_.generation ? subscription.began_sequence : 0;
    // One from before any link began with the first.
    const bool earlier_link = std::max(subscription.link_generation, 1U) < link_.generation;
    if (hub.resubscribe(session, subscription.channel, began, earlier_link)) continue;
    hub.close(session, CloseCode::kTryAgainLater, "too many channels");
    return;
  }
}

}  // namespace sluice::gateway
