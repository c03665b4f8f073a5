// What the fleet knows of one client: its present connection, and what it has to get and to be
// answered.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "bench/restart/connection.h"
#include "bench/restart/record.h"
#include "bench/restart/stream_check.h"

namespace sluice::restart {

enum class State {
  kAway,
  kConnecting,
  kOpen,
  kLeaving,  ///< has asked to close
  kTold,     ///< the server's close frame has come
};

struct Ping {
  std::string payload;
  TimePoint at;
};

/// A publish, by serial - 1.
struct Sent {
  TimePoint at{};  ///< its last byte was written; zero: not yet, or never
  bool carried = false;
  bool cut = false;        ///< its connection ended before it was carried
  std::uint32_t life = 0;  ///< of the connection
};

struct Client {
  Who who = Who::kListener;
  Manner manner = Manner::kOrdinary;
  std::uint32_t number = 0;  ///< of its kind; a speaker's from 1
  test::Endpoint to{};
  std::string request;

  State state = State::kAway;
  std::uint32_t life = 0;  ///< of the present connection: what was planned for another is void
  std::unique_ptr<Connection> connection;
  std::uint32_t interest = 0;  ///< epoll's, as set
  bool reading = true;
  bool flush_planned = false;
  TimePoint began{};
  TimePoint opened{};
  std::string gateway;
  int close_code = 0;
  std::string close_reason;

  StreamCheck check{};  ///< what it gets, on this connection
  std::deque<Ping> pings;
  std::uint32_t next_ping = 0;
  std::vector<Sent> sent;
  StreamCheck carried;              ///< what Redis got of it
  std::uint32_t resumed_after = 0;  ///< the last serial sent before the present connection
};

}  // namespace sluice::restart
