// What a keeper holds, and for how long. Shapes alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "keeper/wire.h"

namespace sluice::keeper {

struct HeldClient {
  std::uint32_t generation = 0;
  UniqueFd socket;
};
using ClientMap = std::map<std::uint32_t, HeldClient>;  ///< by slot

/// In mid-handshake when its gateway parked.
struct HeldConnection {
  std::string listener;
  std::string bytes;
  UniqueFd socket;
};

/// What its gateway said at HELLO.
struct Terms {
  std::uint32_t handoff_wait_ms = 0;
  std::uint32_t close_rate = 1;
};

struct Holding {
  UniqueFd memory;  ///< memfd of the state; none yet, or given up with its clients
  std::map<std::string, UniqueFd> listeners;
  ClientMap clients;
  std::vector<HeldConnection> pending;
  Terms terms;
  Ending ending = Ending::kNone;
  std::uint64_t parked_at_micros = 0;
  /// Since when nobody has served what is held: from the first end to TAKEN, however many tried.
  std::optional<TimePoint> orphaned;
  std::deque<TimePoint> crashes;  ///< of the last minute

  [[nodiscard]] bool empty() const {
    return listeners.empty() && clients.empty() && pending.empty();
  }
};

/// The process that has the descriptors as well.
struct Holder {
  pid_t pid = 0;
  bool parked = false;
  UniqueFd pidfd;
  UniqueFd connection;  ///< none: it has closed it, or was cut off
};

/// All that a keeper is; goes through an upgrade.
struct Table {
  UniqueFd listener;
  Holding holding;
  std::optional<Holder> holder;
};

}  // namespace sluice::keeper
