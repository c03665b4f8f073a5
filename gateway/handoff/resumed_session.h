// A session as another process left it behind, ready to go on. Pure.
#pragma once

#include <cstdint>

#include "gateway/client_session.h"

namespace sluice::gateway {

/// How far a session has come with its end; see ClientSession for each.
struct SessionEnding {
  SessionPhase phase = SessionPhase::kOpen;
  CloseReason ended_by = CloseReason::kClientGone;
  std::uint16_t peer_close_code = 0;
  bool peer_closed = false;
  bool close_sent = false;
  bool has_published = false;
};

struct ResumedSession {
  SessionState state;      ///< scanner and half message included; no subscriptions
  std::uint64_t read = 0;  ///< as ClientSession::read: all of it has been worked off
  SessionEnding ending;
};

[[nodiscard]] inline SessionEnding ending_of(const ClientSession& session) {
  return {.phase = session.phase,
          .ended_by = session.ended_by,
          .peer_close_code = session.peer_close_code,
          .peer_closed = session.peer_closed,
          .close_sent = session.close_sent,
          .has_published = session.has_published};
}

inline void apply(const SessionEnding& ending, ClientSession& session) {
  session.phase = ending.phase;
  session.ended_by = ending.ended_by;
  session.peer_close_code = ending.peer_close_code;
  session.peer_closed = ending.peer_closed;
  session.close_sent = ending.close_sent;
  session.has_published = ending.has_published;
}

}  // namespace sluice::gateway
