// Who is told to go next, and when: the clients of a drain, idle ones before busy ones, and those
// whose --max-connection-age is over. One pace for both, so that together they never exceed it.
// Pure: the caller closes.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>

#include "gateway/close_pace.h"
#include "gateway/session_table.h"

namespace sluice::gateway {

enum class DepartureCause { kDrain, kAge };

class Departures {
 public:
  explicit Departures(SessionTable& sessions) : sessions_(sessions) {}

  /// From now on every client shall go that came by then; TimePoint::max(): whoever comes.
  void begin_drain(TimePoint came_by) { drain_.emplace(Draining{.came_by = came_by}); }
  /// Nobody has to go any more, but for those that were told.
  void end_drain() { drain_.reset(); }
  /// Its time is over. Once per client.
  void aged(ClientRef client) { aged_.push_back(client); }

  /// Picks as many as the rate allows and calls `close` for each, which must end its open phase.
  /// `drain_rate` 0: the drain is not to close yet.
  using Close = std::function<void(ClientSession&, DepartureCause)>;
  void tick(double drain_rate, double age_rate, TimePoint now, const Close& close);

  /// Clients that the drain has still to tell. Walks all sessions.
  [[nodiscard]] std::size_t open_for_drain() const;
  [[nodiscard]] std::size_t aged_waiting() const { return aged_.size(); }

 private:
  struct Draining {
    TimePoint came_by{};
    std::deque<ClientRef> order{};  ///< the next in front
    bool spares_busy = false;       ///< this round does
  };

  [[nodiscard]] bool to_go(const ClientSession& session) const;
  /// The next round. False: nobody is left to go.
  bool begin_round();
  [[nodiscard]] ClientSession* next_drained(TimePoint now);
  [[nodiscard]] ClientSession* next_aged();

  SessionTable& sessions_;
  std::optional<Draining> drain_;
  std::deque<ClientRef> aged_;
  ClosePace pace_;
};

}  // namespace sluice::gateway
