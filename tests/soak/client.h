// What the soak knows of one client, and the judgement of what it received and how it ended.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "tests/process/support/ws_swarm.h"
#include "tests/soak/ledger.h"
#include "tests/soak/stage.h"

namespace sluice::soak {

enum class Manner {
  kOrdinary,
  kHostile,   ///< sends what no client may send, must be gone soon
  kHalfOpen,  ///< never ends its request head, must be gone soon
};

struct Client {
  Manner manner = Manner::kOrdinary;
  std::size_t channel = 0;
  std::shared_ptr<GatewayLife> life;
  GapTally gaps_before;  ///< of its channel when it came
  std::uint32_t sender = 0;

  // What it sent and has not heard itself.
  struct Sent {
    std::uint32_t number;
    SteadyClock::time_point at;
  };
  std::uint32_t sent = 0;
  std::deque<Sent> unechoed;

  // What it received and could not be compared with the ledger as yet.
  struct Arrival {
    Numbered message;
    SteadyClock::time_point at;
  };
  std::deque<Arrival> arrivals;
  std::uint64_t last_place = 0;
  std::unordered_map<std::uint32_t, std::uint32_t> last_numbers;  ///< by sender
  std::uint64_t holes = 0;
  std::uint64_t missing = 0;
  std::uint64_t received = 0;

  bool began = false;  ///< hostile: has misbehaved
  bool paused = false;
  bool small_window = false;  ///< the kernel feeds it drop by drop
  bool may_be_cut = false;    ///< has not read for a while, or reads too slowly
  SteadyClock::time_point pause_ends{};
  bool leaving = false;  ///< has asked to close
  bool ended = false;
  bool ended_by_gap = false;  ///< with 1012; its gap must be told
};

/// Takes one message as a client got it, "GATEWAY:s CHANNEL SENDER NUMBER xx". Throws Violation.
void receive(Client& client, const std::string& text);
/// Compares arrivals with the ledger as far as the ledger goes. Throws Violation.
void compare(Client& client, Ledger& ledger);
/// The connection has ended by itself. Throws Violation when nothing said allows that.
void judge_end(Client& client, const test::SwarmClient& end);
/// Every hole must have been told by the gateway, and large enough. To be called when its log has
/// been read. Throws Violation.
void judge_holes(const Client& client);
[[nodiscard]] std::string name_of(const Client& client);

}  // namespace sluice::soak
