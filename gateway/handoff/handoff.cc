#include "gateway/handoff/handoff.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/log.h"
#include "gateway/handoff/fault_point.h"
#include "gateway/handoff/handshake_record.h"
#include "gateway/limits.h"
#include "keeper/enlarge.h"
#include "keeper/stream_position.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] std::uint64_t now_micros() {
  return micros_of(SteadyTime().now());
}

[[nodiscard]] keeper::ClientRef keepers(ClientRef ref) {
  return {.slot = ref.index, .generation = ref.generation};
}

}  // namespace

Handoff::Handoff(EventLoop& loop, HandoffOptions options, SessionTable& sessions, Sender& sender,
                 std::function<std::string_view(const Subscription&)> name_of)
    : options_(std::move(options)),
      sessions_(sessions),
      sender_(sender),
      name_of_(std::move(name_of)),
      keeper_(loop, options_.keeper, *this) {
}

Handoff::~Handoff() {
  FrameRun::use(nullptr);
}

// ---- start

Result<void> Handoff::begin() {
  auto held = keeper_.open();
  if (!held) {
    const ErrorCode code = held.error().code;
    if (code == ErrorCode::kPermission || code == ErrorCode::kInvalid)
      return tl::make_unexpected(held.error());
    log_warn("--keeper: {}: serving without, until there is one", held.error().message);
    return make_state();
  }
  held_ = std::move(*held);
  fault_point("takeover.welcomed");
  if (keeper_.clients_max() < options_.slots) {
    return fail(ErrorCode::kSystem,
                "the keeper can hold " + std::to_string(keeper_.clients_max()) + " clients, and " +
                    std::to_string(options_.slots) +
                    " may be here: raise its descriptor limit (LimitNOFILE=) or lower "
                    "--max-connections");
  }
  if (!held_.state.valid()) return make_state();
  auto state = keeper::SharedState::open(std::move(held_.state));
  if (!state) return begin_anew(state.error().message);
  took_over_ = true;
  if (!keeper::too_small(*state, size())) {
    state_ = std::move(*state);
    return {};
  }
  // Nothing in it has changed since the process before: the keeper has the one or the other.
  auto larger = keeper::enlarged(*state, size());
  if (!larger) return tl::make_unexpected(larger.error());
  state_ = std::move(*larger);
  keeper_.send(keeper::State{.moved = true}, state_->fd());
  return {};
}

keeper::StateSize Handoff::size() const {
  return {.slots = static_cast<std::uint32_t>(options_.slots),
          .views = kVectorsPerBatch,
          .arena_bytes = options_.memory_bytes};
}

Result<void> Handoff::begin_anew(const std::string& why) {
  log_warn("what the gateway before has left can't be used: {}; its {} clients are closed", why,
           held_.welcome.clients);
  keeper_.send(keeper::Release{.reason = why});
  held_.clients.clear();
  took_over_ = false;
  return make_state();
}

Result<void> Handoff::make_state() {
  auto made = keeper::SharedState::create(size());
  if (!made) return tl::make_unexpected(made.error());
  state_ = std::move(*made);
  make_recorders({});
  keeper_.send(keeper::State{}, state_->fd());
  return {};
}

void Handoff::make_recorders(std::vector<keeper::ArenaUnit> in_use) {
  arena_.emplace(state_->arena(), std::move(in_use));
  runs_.emplace(*arena_);
  FrameRun::use(&*runs_);
  out_.emplace(*state_, *arena_, sessions_);
  in_.emplace(*arena_);
  who_.emplace(*arena_, [this](const Subscription& subscription) {
    return SubscriptionName{.channel = name_of_(subscription),
                            .link_generation = out_->link_generation()};
  });
  sender_.record_with(*out_);
}

void Handoff::listens(const std::string& name, int fd) {
  listeners_[name] = fd;
  keeper_.send(keeper::Listen{.name = name}, fd);
}

void Handoff::listens_no_more(std::string_view prefix) {
  std::erase_if(listeners_, [&](const auto& listener) {
    if (!listener.first.starts_with(prefix)) return false;
    keeper_.send(keeper::Unlisten{.name = listener.first});
    return true;
  });
}

Result<LinkResume> Handoff::take_over(const TakeoverParts& parts, RelayLink& link,
                                      Acceptor& acceptor) {
  Result<LinkResume> resume = LinkResume{};
  if (took_over_) resume = take_over_clients(parts, link);
  if (resume) take_over_handshakes(acceptor);
  return resume;
}

Result<LinkResume> Handoff::take_over_clients(const TakeoverParts& parts, RelayLink& link) {
  TakeoverReport report{.planned = held_.welcome.ending == keeper::Ending::kPlanned,
                        .crashes = held_.welcome.crashes};
  Takeover takeover(*state_, std::exchange(held_.clients, {}), report);
  auto blocks = takeover.blocks();
  if (!blocks) {
    if (auto begun = begin_anew(blocks.error().message); !begun)
      return tl::make_unexpected(begun.error());
    return LinkResume{};
  }
  takeover.part();
  make_recorders(std::move(*blocks));
  const LinkResume resume = takeover.link();
  link.take_over(resume.relay_instance, resume.sequence);
  takeover.build(*out_, *runs_, parts);
  fault_point("takeover.built");
  // From here on the records are this process's, and each is whole: the views that the process
  // before had under way stand in queues.
  out_->sync_all();
  for (const keeper::ClientRef& ref : takeover.left()) {
    out_->discard(ref.slot);
    keeper_.send(keeper::Take{.client = ref});
  }
  keeper::publish(state_->header().quiescent, 0U);
  stats_.takeover = std::move(report);
  return resume;
}

void Handoff::take_over_handshakes(Acceptor& acceptor) {
  for (Held::Handshake& handshake : held_.handshakes) {
    auto state = decode_handshake(handshake.state);
    if (!state) continue;
    acceptor.resume(std::move(handshake.fd), std::move(*state));
    if (stats_.takeover) ++stats_.takeover->handshakes;
  }
}

void Handoff::taken() {
  fault_point("takeover.recorded");
  keeper_.send(keeper::Taken{});
  fault_point("takeover.taken");
  if (stats_.takeover) {
    const std::uint64_t from = state_->header().frozen_micros;
    stats_.takeover->ended_micros = now_micros();
    if (stats_.takeover->planned && from != 0)
      stats_.takeover->pause_micros = stats_.takeover->ended_micros - from;
    state_->header().frozen_micros = 0;
    report(*stats_.takeover);
  }
  // What the process before listened on and this one does not.
  for (const auto& [name, fd] : held_.listeners)
    if (!listeners_.contains(name)) keeper_.send(keeper::Unlisten{.name = name});
  held_ = Held{};
}

void Handoff::report(const TakeoverReport& report) const {
  log_info("took over from {}: {} clients with {} bytes waiting, {} in handshake{}",
           report.planned ? "a gateway that parked" : "a gateway that was killed", report.moved,
           report.pending_bytes, report.handshakes,
           report.planned ? ", after " + std::to_string(report.pause_micros / 1000) + " ms" : "");
  for (const auto& [reason, count] : report.closed)
    log_warn("{} clients could not be taken over: {}", count, reason);
}

// ---- a client's life

void Handoff::opening(const ClientSession& session) {
  if (!keeper_.up()) ++stats_.unheld;
  keeper_.send(keeper::Give{.client = keepers(session.ref)}, session.fd);
  fault_point("open.given");
}

void Handoff::given_up(ClientRef ref) {
  keeper_.send(keeper::Take{.client = keepers(ref)});
}

void Handoff::opened(ClientSession& session) {
  fault_point("open.answered");
  // Some of the 101 waits in libwebsockets yet: counters from here would be wrong by it.
  if (session.blocked) return;
  const auto counters = keeper::stream_position(session.fd);
  SlotStart start;
  if (counters) {
    start = {.sent_before = counters->sent - session.out.written,
             .received_before = counters->received - session.read,
             .has_counters = true};
  }
  // What came behind the request head counts as read when worked_off() says so: until then the
  // record says that nothing was.
  if (!out_->prepare(session, start)) return;
  if (session.read > 0) reading(session);
  static_cast<void>(who_->record(slot_of(session), session));
  out_->sync(session);
  out_->opened(session);
}

void Handoff::changed(ClientSession& session) {
  if (!session.out.recorded || session.record_stale) return;
  session.record_stale = true;
  stale_.push_back(session.ref);
  // The socket may take what waits before the turn ends.
  if (session.blocked) write_record(session);
}

/// First what it has, then what it is told of it: killed in between, SessionRecord::out_end shows
/// it.
void Handoff::write_record(ClientSession& session) {
  session.record_stale = false;
  static_cast<void>(who_->record(slot_of(session), session));
  fault_point("changed.recorded");
  out_->sync(session);
}

void Handoff::record_changed() {
  for (const ClientRef ref : stale_) {
    ClientSession* session = sessions_.find(ref);
    if (session != nullptr && session->record_stale && session->out.recorded)
      write_record(*session);
  }
  stale_.clear();
}

void Handoff::reading(ClientSession& session) {
  if (session.out.recorded && !session.out.has_counters) InRecorder::reading(slot_of(session));
}

void Handoff::worked_off(ClientSession& session) {
  if (!session.out.recorded) return;
  // What it has sent and what became of it: never the one without the other.
  if (session.record_stale) write_record(session);
  out_->sync(session);
  // With which code the client has closed stands nowhere else.
  if (session.state.scanner.ended()) static_cast<void>(who_->record(slot_of(session), session));
  in_->worked_off(slot_of(session), session);
}

void Handoff::closed(ClientSession& session) {
  const bool recorded = session.out.recorded;
  fault_point("close.begun");
  out_->closed(session);
  if (recorded) {
    in_->forget(slot_of(session));
    who_->forget(slot_of(session));
  }
  fault_point("close.recorded");
  given_up(session.ref);
}

// ---- the loop

void Handoff::link_began(std::uint64_t relay_instance, std::uint64_t sequence) {
  out_->link(relay_instance, out_->link_generation() + 1, sequence);
  // Where subscriptions began counts from the new link now.
  for (std::size_t i = 0; i < sessions_.slots(); ++i) {
    ClientSession* session = sessions_.at(i);
    if (session != nullptr && session->out.recorded) write_record(*session);
  }
}

void Handoff::end_of_turn(std::uint64_t settled_sequence) {
  out_->sync_all();
  out_->settled(settled_sequence);
}

void Handoff::record_all() {
  keeper::publish(state_->header().frozen_micros, now_micros());
  record_changed();
  out_->sync_all();
  for (std::size_t i = 0; i < sessions_.slots(); ++i) {
    ClientSession* session = sessions_.at(i);
    if (session == nullptr || !session->out.recorded) continue;
    if (session->phase == SessionPhase::kClosed) {
      // Shut down already, and only libwebsockets has not seen it yet.
      out_->discard(session->ref.index);
      given_up(session->ref);
      continue;
    }
    out_->settle(*session);
    if (session->has_published) static_cast<void>(who_->record(slot_of(*session), *session));
  }
}

void Handoff::park(Acceptor& acceptor, bool at_rest) {
  fault_point("park.begun");
  record_all();
  acceptor.park([this](UniqueFd fd, HandshakeState state) {
    // One whose state is larger than the keeper takes ends here: its peer tries again.
    if (std::string bytes = encode_handshake(state); !bytes.empty())
      keeper_.send(keeper::Pending{.listener = {}, .bytes = std::move(bytes)}, fd.get());
  });
  // Else somebody's record is behind: the counters tell whose.
  if (at_rest) keeper::publish(state_->header().quiescent, 1U);
  fault_point("park.recorded");
  tell_end();
  fault_point("park.told");
}

void Handoff::tell_end() {
  if (!keeper_.up()) return;
  keeper_.send(keeper::Park{});
  if (!keeper_.flush(kParkKeeperWait)) log_error("the keeper has not heard of the end");
}

void Handoff::end() {
  listens_no_more("");
  if (sessions_.size() > 0) {
    record_all();
    // Where streams to clients are is all that counts for who is only to be told.
    keeper::publish(state_->header().quiescent, 1U);
    keeper_.send(keeper::Release{.reason = "it ends, and nobody is to follow"});
  }
  tell_end();
}

std::uint64_t Handoff::unrecorded() const {
  return out_->stats().unrecoverable + out_->stats().without_slot + in_->unrecorded() +
         who_->unrecorded();
}

// ---- keepers come and go

void Handoff::keeper_back() {
  tell_everything();
  if (!keeper_.up()) return;
  log_info("a keeper holds this gateway's clients: {}", sessions_.size());
}

void Handoff::tell_everything() {
  keeper_.send(keeper::State{}, state_->fd());
  for (const auto& [name, fd] : listeners_) keeper_.send(keeper::Listen{.name = name}, fd);
  for (std::size_t i = 0; i < sessions_.slots(); ++i) {
    const ClientSession* session = sessions_.at(i);
    if (session == nullptr || session->phase == SessionPhase::kClosed) continue;
    keeper_.send(keeper::Give{.client = keepers(session->ref)}, session->fd);
    // What waits has a descriptor of its own, and there are not so many to spare.
    if (keeper_.waiting() >= kKeeperTellAhead && !keeper_.flush(kKeeperTellWait))
      return keeper_.drop("the keeper does not keep up");
  }
  keeper_.send(keeper::Taken{});
}

void Handoff::keeper_lost(const std::string& why) {
  ++stats_.keeper_losses;
  log_error("the keeper is lost: {}; clients would not outlive this process", why);
}

}  // namespace sluice::gateway
