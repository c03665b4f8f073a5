// What the balancers in front know of this gateway, by the address that they ask from: agent
// checks, and health checks that say who they are. Pure.
//
// It answers two questions. Has every balancer seen that we drain? And to whom do we owe a `ready`:
// what the agent once said, `drain`, stands at HAProxy until the agent says `ready`, whoever runs
// behind the address by then, and that `ready` would end an operator's drain as well. So the agent
// says `drain` only where nothing else helps: a balancer whose checks heed a 404 (`http-check
// disable-on-404`) needs no word, and one that an operator has put into maintenance (its checks
// have stopped, its agent still asks) neither. Where it must, the balancer's address is marked in
// the relay's memory before, and unmarked when it has been told `ready`; a successor finds the
// marks there. To a balancer that carries no mark nothing is said that would undo what an operator
// has set.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/clock.h"
#include "gateway/drain.h"

namespace sluice::gateway {

/// Keeps the marks beyond this process: the relay.
class DrainMemory {
 public:
  virtual ~DrainMemory() = default;
  /// Answered by Balancers::confirmed(), at once or later; never, when the relay is away.
  virtual void mark_drained(std::string_view balancer) = 0;
  virtual void clear_drained(std::string_view balancer) = 0;
};

class Balancers {
 public:
  explicit Balancers(DrainMemory& memory) : memory_(memory) {}

  // ---- who asks

  struct Standing {
    bool drain_may_be_said = false;  ///< while draining: the mark is in memory, or can't be had
    bool ready_owed = false;         ///< while not draining
  };
  /// An agent check has connected.
  [[nodiscard]] Standing agent_asks(std::string_view address, TimePoint now);
  /// What it was told has left whole.
  void agent_told_drain(std::string_view address, TimePoint now);
  void agent_told_ready(std::string_view address);
  /// A health check that says who it is was answered; with 404 while draining. `gives_clients`:
  /// what it said of us before that.
  void check_answered(std::string_view address, bool gives_clients, TimePoint now);

  // ---- the drain

  void drain_begins(TimePoint now);
  /// Taken back.
  void drain_ends();
  /// The process ends: unmarks who was never told.
  void forget_untold();
  [[nodiscard]] DrainSeen drain_seen(TimePoint now) const;

  // ---- the relay's memory

  /// A predecessor's mark.
  void remembered(std::string_view address, TimePoint now);
  void confirmed(std::string_view address);

  /// That have asked within kBalancerKeep.
  [[nodiscard]] std::size_t active(TimePoint now) const;
  /// To which `ready` is owed.
  [[nodiscard]] std::size_t owed() const;

 private:
  struct Balancer {
    TimePoint asked_at{};
    Duration interval{};        ///< between questions, the longest of late; zero: only one so far
    TimePoint seen_at{};        ///< zero: has not seen this drain
    bool agent = false;         ///< asks by agent check: can be told `drain`
    TimePoint checked_at{};     ///< last health check; zero: none has come
    Duration check_interval{};  ///< between the last two
    bool checked_in_drain = false;  ///< has got a 404
    bool ignores_404 = false;       ///< and gives clients all the same
    bool marked = false;            ///< asked the memory to keep it
    bool kept = false;              ///< it does
    bool owed = false;              ///< was told `drain`, by us or a predecessor
    TimePoint marked_at{};
  };

  Balancer& at(std::string_view address, TimePoint now);
  Balancer& asks(std::string_view address, TimePoint now);
  void mark(std::string_view address, Balancer& balancer, TimePoint now);
  [[nodiscard]] bool waited_for(const Balancer& balancer, TimePoint now) const;
  [[nodiscard]] static bool checks_stopped(const Balancer& balancer, TimePoint now);
  /// In the drain under way its agent is the only one that can tell it.
  [[nodiscard]] static bool needs_word(const Balancer& balancer) {
    return balancer.checked_at == TimePoint{} || balancer.ignores_404 || balancer.marked;
  }

  DrainMemory& memory_;
  std::unordered_map<std::string, Balancer> balancers_;  ///< at most kBalancersMax
  bool draining_ = false;
  TimePoint drain_began_{};
};

}  // namespace sluice::gateway
