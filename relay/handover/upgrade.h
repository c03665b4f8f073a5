// The switch to another program in the same process: check it, stop taking in, wait for answers,
// write the state, execute. Until the last step nothing is given away: whatever fails, the host
// goes on as if nothing had been asked.
#pragma once

#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/program.h"
#include "common/result.h"
#include "relay/event_handles.h"
#include "relay/handover/preamble.h"
#include "relay/handover/sealed_memory.h"
#include "relay/handover/state_writer.h"
#include "relay/handover/upgrade_check.h"

namespace sluice::relay {

/// Internal: an upgrade gives it, with the number of a descriptor, to the program that follows.
inline constexpr const char* kResumeFlag = "--resume-fd";

/// Who is upgraded. All calls come from the loop.
class UpgradeHost {
 public:
  virtual ~UpgradeHost() = default;
  /// Whether links are read, connections accepted and publishes given to the broker.
  virtual void take_in(bool on) = 0;
  /// Nothing waits for an answer that another program could not hear.
  [[nodiscard]] virtual bool quiet() const = 0;
  /// What is carried; total_bytes is left open. save() follows in the same turn of the loop.
  [[nodiscard]] virtual Preamble preamble() = 0;
  virtual void save(StateWriter& out, TimePoint stopped_at) = 0;
  /// The new program did not stand its check.
  virtual void upgrade_refused() = 0;
  /// The check was stood, but it could not be executed.
  virtual void upgrade_failed() = 0;
};

class Upgrade {
 public:
  /// All outlive it.
  Upgrade(event_base* base, const Program& program, const TimeSource& time, UpgradeHost& host);

  /// From anywhere: it begins on the next turn of the loop. While one is under way: nothing.
  void ask();
  /// The host ends: one that is under way is given up, none begins any more.
  void end();

 private:
  enum class Phase { kIdle, kChecking, kQuieting, kEnded };

  void begin();
  void checked(const Result<void>& result);
  void wait_for_quiet();
  void go_over();
  /// Returns only when it failed.
  [[nodiscard]] Error execute();
  [[nodiscard]] Result<StateMemory> write_state(const Preamble& preamble);
  void refuse(std::string_view problem);

  const Program& program_;
  const TimeSource& time_;
  UpgradeHost& host_;
  UpgradeCheck check_;
  EventPtr begin_event_;
  EventPtr quiet_event_;
  Phase phase_ = Phase::kIdle;
  TimePoint stopped_at_{};
};

}  // namespace sluice::relay
