// The rules of what is held: what a gateway says about it, what its end means, and what becomes of
// it when nobody comes. Who the gateway is, the keeper knows.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "keeper/farewells.h"
#include "keeper/holding.h"
#include "keeper/wire.h"

namespace sluice::keeper {

/// A balancer must not go on sending new clients to where nobody accepts.
inline constexpr Duration kListenerWait = std::chrono::seconds(5);
/// So many crashes in such a time: what is held may be what the gateway dies of.
inline constexpr std::size_t kCrashesMax = 5;
inline constexpr Duration kCrashWindow = std::chrono::seconds(60);
inline constexpr std::size_t kListenersMax = 64;
inline constexpr std::size_t kPendingMax = 4096;

class Custody {
 public:
  /// Clients and connections in mid-handshake together: at most `sockets_max`.
  Custody(Farewells& farewells, std::size_t sockets_max)
      : farewells_(farewells), sockets_max_(sockets_max) {}

  [[nodiscard]] const Holding& holding() const { return holding_; }
  /// What an upgrade carries over.
  [[nodiscard]] Holding& table() { return holding_; }

  /// What is held goes to a gateway that came with these terms: what is told to it at first.
  [[nodiscard]] Welcome hand_over(const Terms& terms, TimePoint now);
  /// It has clients of its own and will tell of them, with the sockets that it listens on:
  /// listeners that are held are not its, or told again.
  [[nodiscard]] Welcome greet_serving(const Terms& terms);
  /// What a process left that had an end: no one comes for it, the one that serves has not waited.
  void leave_behind(TimePoint now);
  /// What the holder says, HELLO apart. False: a gateway does not say that.
  [[nodiscard]] bool take_in(Received& received, Holder& holder, TimePoint now);
  /// The holder has ended, and all that it had said was taken in.
  void holder_ended(const Holder& holder, TimePoint now);
  /// Nobody will come: clients are told, all else is closed.
  void give_up(const std::string& reason, TimePoint now);
  /// Nothing is held any more, and nobody is told: it is another's.
  void let_go() { holding_ = {}; }
  /// Back from those who are being told to leave, as far as their turn has not come.
  void reclaim();

  /// While there is no holder: whose time is up is closed.
  void expire(TimePoint now);
  /// When expire() has something to do.
  [[nodiscard]] std::optional<TimePoint> next_due() const;

 private:
  void on(const State& m, UniqueFd fd);
  void on(const Listen& m, UniqueFd fd);
  void on(const Give& m, UniqueFd fd);
  void on(const Take& m);
  void on(const Pending& m, UniqueFd fd);
  void on(const Release& m, TimePoint now);
  void on_park(Holder& holder, TimePoint now);
  void on_taken(const Holder& holder, TimePoint now);
  [[nodiscard]] bool full();
  [[nodiscard]] std::size_t crashes(TimePoint now) const;
  void release(std::string reason, bool reclaimable, TimePoint now);
  void close_listeners(const char* reason);

  Farewells& farewells_;
  std::size_t sockets_max_;
  Holding holding_;
  bool full_said_ = false;
};

}  // namespace sluice::keeper
