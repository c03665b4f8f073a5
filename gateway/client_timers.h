// Pings, pong deadlines, what protocols have due and ages of all clients on one timer wheel: one
// entry per client that counts, spread in time, none cancelled (a stale entry finds no session, or
// one that has another).
#pragma once

#include <functional>

#include "common/random.h"
#include "common/timer_wheel.h"
#include "gateway/departures.h"
#include "gateway/gateway_stats.h"
#include "gateway/hub.h"
#include "gateway/sender.h"

namespace sluice::gateway {

struct ClientTimerOptions {
  Duration ping_interval{};
  Duration pong_timeout{};
  Duration connection_age_max{};  ///< zero: none
  /// It has had what was due to it: its record says so no more. May be empty.
  std::function<void(ClientSession&)> served{};
};

class ClientTimers {
 public:
  ClientTimers(ClientTimerOptions options, SessionTable& sessions, Sender& sender, Hub& hub,
               Departures& departures, GatewayStats& stats, Random& random, TimePoint now);

  /// After the protocol has seen the session (it may have set due_at). The first ping comes
  /// after a random part of the interval, so that clients which came together are not pinged
  /// together.
  void opened(ClientSession& session, TimePoint now);
  /// One that another process had: its times are set, and nobody is timed out for the pause.
  void resumed(ClientSession& session, TimePoint now);
  /// Anything came from the client: it lives.
  void heard(ClientSession& session) { session.state.pong_deadline = TimePoint{}; }
  /// Its due_at is sooner than timer_at.
  void due_sooner(ClientSession& session) { schedule(session); }
  void advance(TimePoint now);

 private:
  void due(ClientSession& session, TimePoint now);
  void schedule(ClientSession& session);

  ClientTimerOptions options_;
  SessionTable& sessions_;
  Sender& sender_;
  Hub& hub_;
  Departures& departures_;
  GatewayStats& stats_;
  Random& random_;
  FrameRef ping_;
  struct Entry {
    ClientRef session;
    std::uint32_t stamp = 0;  ///< ClientSession::timer_stamp, if it still counts
  };
  TimerWheel<Entry> wheel_;
  TimePoint last_advance_;
  TimePoint judge_from_{};  ///< no client is given up before this
};

}  // namespace sluice::gateway
