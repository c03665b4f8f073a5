// One relay link in a relay's state: what its session has said and has not, bytes of a frame that
// is not whole yet, bytes that the socket has not taken. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "proto/frame.h"
#include "relay/handover/state_reader.h"
#include "relay/handover/state_writer.h"

namespace sluice::relay {

struct SessionState {
  std::uint64_t link = 0;  ///< the Router's number; 0: no HELLO came yet
  bool tool = false;
  bool resumed = false;
  bool ending = false;
  bool said_goodbye = false;
  std::string gateway_id{};
  std::string software{};
  std::string end_text{};
  proto::ErrorReason end_reason{};
  std::string unread{};  ///< of the decoder
  std::string control{};
  std::vector<std::pair<std::uint64_t, std::uint32_t>> unsubscribed{};
};

struct LinkState {
  int descriptor = -1;
  std::int64_t peer = 0;  ///< process id
  TimePoint opened_at{};
  std::optional<TimePoint> ending_since{};
  bool told_open = false;
  std::string unsent{};  ///< begins where the socket stopped, ends with a frame's end
  SessionState session{};
};

void write(StateWriter& out, const LinkState& link);
[[nodiscard]] LinkState read_link(StateReader& in);

}  // namespace sluice::relay
