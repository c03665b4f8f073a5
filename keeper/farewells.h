// Clients that no gateway will come for: each is told so at the right byte (code 1012, behind the
// frame under way) where that byte is known, and closed; so many per second.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "keeper/holding.h"
#include "keeper/poller.h"
#include "keeper/shared_memory.h"

namespace sluice::keeper {

/// A client has so long to take its last bytes and to close in turn.
inline constexpr Duration kFarewellWait = std::chrono::seconds(5);
/// Under way at the same time; the next ones wait.
inline constexpr std::size_t kFarewellsMax = 1024;

struct Batch {
  std::string reason;
  UniqueFd memory;  ///< memfd of their state; without one they are just closed
  ClientMap clients;
  std::uint32_t close_rate = 1;  ///< per second
  bool reclaimable = false;      ///< a gateway that comes yet gets those whose turn has not come
};

class Farewells {
 public:
  explicit Farewells(Poller& poller) : poller_(poller) {}
  /// Nobody writes to these clients but we, from now on.
  void add(Batch batch, TimePoint now);
  /// Takes back who was not begun with; batches that are not reclaimable stay.
  [[nodiscard]] std::optional<Batch> reclaim();

  /// Begins with those whose turn has come, and ends with those whose time is up.
  void tick(TimePoint now);
  /// A descriptor is ready; false: it is none of ours.
  bool on_ready(int fd);
  /// When tick() has something to do.
  [[nodiscard]] std::optional<TimePoint> next_due() const;

  /// Clients that we still have the descriptors of.
  [[nodiscard]] std::size_t clients() const;
  [[nodiscard]] bool idle() const { return batches_.empty(); }

 private:
  struct Running {
    Batch batch;
    std::optional<SharedState> state;
    std::size_t under_way = 0;
    std::size_t told = 0;    ///< got the close frame
    std::size_t cut = 0;     ///< closed without one
    std::size_t failed = 0;  ///< did not take it in time, or were gone
  };
  struct Farewell {
    Running* of = nullptr;
    UniqueFd socket;
    std::vector<std::byte> unsent;
    TimePoint deadline;
  };

  void begin(Running& of, std::uint32_t slot, HeldClient client, TimePoint now);
  void on_writable(Farewell& farewell);
  void on_readable(Farewell& farewell);
  void half_close(Farewell& farewell);
  void end(int fd);
  void end_if_done(Running& running);
  [[nodiscard]] bool has_waiting() const;

  Poller& poller_;
  std::list<Running> batches_;  ///< farewells point to them
  std::map<int, Farewell> farewells_;
  TimePoint next_turn_;
};

}  // namespace sluice::keeper
