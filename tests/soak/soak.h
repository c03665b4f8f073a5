// The soak: storms of faults and clients, drawn from one seed; after each a calm in which every
// promise is checked; at the end everything back where it began.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "tests/soak/fleet.h"
#include "tests/soak/lie.h"
#include "tests/soak/progress.h"
#include "tests/soak/stage.h"
#include "tests/soak/witness.h"

namespace sluice::soak {

struct SoakOptions {
  std::uint64_t seed = 1;
  Millis lasts = std::chrono::minutes(1);
  Millis storm = std::chrono::seconds(15);
  std::size_t clients = 80;
  Lie lie = Lie::kNone;
  Progress::Mode progress = Progress::Mode::kOff;
};

struct SoakResult {
  std::string violation;  ///< empty: every promise was kept
  std::deque<std::string> last_actions;
  FleetCounts counts;
  std::uint64_t faults = 0;
  std::uint64_t storms = 0;
  std::string resources;  ///< at the base and at the end, one line per daemon
};

class Soak {
 public:
  explicit Soak(SoakOptions options);
  ~Soak();

  /// Runs to the end or to the first violation.
  SoakResult run();

 private:
  struct Resources {
    std::uint64_t rss = 0;
    std::size_t fds = 0;
  };
  using Everyone = std::array<Resources, kGateways + 1>;  ///< gateways, then the relay

  void go_on();
  void storm(Millis span);
  void calm();
  void heal();
  void await_markers();
  void check_publishes();
  void check_bounds();
  void leave_and_settle();
  [[nodiscard]] std::string unsettled();
  [[nodiscard]] Everyone resources();
  [[nodiscard]] Everyone base_resources();
  void settle_resources(const Everyone& base);
  void say_resources(const Everyone& base, const Everyone& end);
  void step(int wait_ms);
  void apply(const Action& action);
  /// Steps until `missing` returns an empty text. Throws Violation with the text after `wait`.
  void until(Millis wait, const std::function<std::string()>& missing);

  SoakOptions options_;
  StormMaker storms_;
  Ledger ledger_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<test::FaultProxy> liar_proxy_;
  Liar liar_;
  Fleet fleet_;
  Progress progress_;
  SoakResult result_;
  SteadyClock::time_point began_ = SteadyClock::now();
};

}  // namespace sluice::soak
