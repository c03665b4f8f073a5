#include "gateway/client_timers.h"

#include <algorithm>
#include <utility>

#include "gateway/limits.h"

namespace sluice::gateway {

ClientTimers::ClientTimers(ClientTimerOptions options, SessionTable& sessions, Sender& sender,
                           Hub& hub, Departures& departures, GatewayStats& stats, Random& random,
                           TimePoint now)
    : options_(std::move(options)),
      sessions_(sessions),
      sender_(sender),
      hub_(hub),
      departures_(departures),
      stats_(stats),
      random_(random),
      // Not empty: libwebsockets 4.1.6 tells nothing of the empty PONG that would answer it.
      ping_(FrameRun::make(Opcode::kPing, "sluice", {})),
      wheel_(kTimerTick, kTimerSlots, now),
      last_advance_(now) {
}

void ClientTimers::opened(ClientSession& session, TimePoint now) {
  const auto interval = static_cast<std::uint64_t>(options_.ping_interval.count());
  session.state.ping_at = now + Duration(random_.below(interval) + 1);
  if (options_.connection_age_max > Duration::zero()) {
    // Clients that came together must not leave together.
    const auto age = static_cast<std::uint64_t>(options_.connection_age_max.count());
    session.state.expires_at = now + Duration(age - random_.below(age / kAgeJitterPart + 1));
  }
  schedule(session);
}

void ClientTimers::resumed(ClientSession& session, TimePoint now) {
  SessionState& state = session.state;
  if (state.pong_deadline != TimePoint{}) state.pong_deadline = now + options_.pong_timeout;
  // Pings that became due in the pause would all leave at once.
  const auto interval = static_cast<std::uint64_t>(options_.ping_interval.count());
  state.ping_at = now + Duration(random_.below(interval) + 1);
  schedule(session);
}

void ClientTimers::schedule(ClientSession& session) {
  TimePoint next = session.state.protocol_pings ? TimePoint::max() : session.state.ping_at;
  if (session.state.due_at != TimePoint{}) next = std::min(next, session.state.due_at);
  if (session.state.pong_deadline != TimePoint{})
    next = std::min(next, session.state.pong_deadline);
  if (session.state.expires_at != TimePoint{}) next = std::min(next, session.state.expires_at);
  session.timer_at = next;
  ++session.timer_stamp;
  if (next != TimePoint::max()) wheel_.schedule({session.ref, session.timer_stamp}, next);
}

void ClientTimers::advance(TimePoint now) {
  // A process that was stopped or starved must read before it judges: the pongs may lie in the
  // sockets.
  if (now - last_advance_ > kTimerStall) judge_from_ = now + options_.pong_timeout;
  last_advance_ = now;
  wheel_.advance(now, [this, now](const Entry& entry) {
    ClientSession* session = sessions_.find(entry.session);
    if (session == nullptr || session->phase != SessionPhase::kOpen) return;
    if (session->timer_stamp != entry.stamp) return;
    session->timer_at = TimePoint{};  // it is looked at now: nothing is sooner
    due(*session, now);
    if (session->phase == SessionPhase::kOpen) schedule(*session);
  });
}

void ClientTimers::due(ClientSession& session, TimePoint now) {
  SessionState& state = session.state;
  if (state.pong_deadline != TimePoint{} && state.pong_deadline < judge_from_)
    state.pong_deadline = judge_from_;
  if (state.pong_deadline != TimePoint{} && state.pong_deadline <= now) {
    // It would not take a close frame either.
    session.ended_by = CloseReason::kNoPong;
    sender_.cut_off(session);
    return;
  }
  if (state.due_at != TimePoint{} && state.due_at <= now) {
    state.due_at = TimePoint{};
    hub_.due(session);
    if (options_.served) options_.served(session);
  }
  if (state.expires_at != TimePoint{} && state.expires_at <= now) {
    state.expires_at = TimePoint{};
    departures_.aged(session.ref);
  }
  if (!state.protocol_pings && state.ping_at <= now) {
    state.ping_at = now + options_.ping_interval;
    if (state.pong_deadline == TimePoint{}) state.pong_deadline = now + options_.pong_timeout;
    ++stats_.pings;
    sender_.deliver(session, ping_);
  }
}

}  // namespace sluice::gateway
