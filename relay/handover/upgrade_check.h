// Tries the program that would follow (common/program), beside the loop: what can't even read its
// settings never becomes this process.
#pragma once

#include <functional>
#include <optional>

#include "common/program.h"
#include "common/result.h"
#include "relay/event_handles.h"

namespace sluice::relay {

class UpgradeCheck {
 public:
  /// Nothing is wrong, or what.
  using Done = std::function<void(const Result<void>&)>;

  /// `base` and `program` outlive it. `done` comes from the loop.
  UpgradeCheck(event_base* base, const Program& program, Done done);

  /// Runs its --check, for kProgramCheckWait at most. An error: nothing has begun. Only when none
  /// is under way.
  [[nodiscard]] Result<void> start();
  /// Ends the child, if there is one.
  void cancel();

 private:
  void on_ended();
  void on_late();

  event_base* base_;
  const Program& program_;
  Done done_;
  std::optional<ProgramCheck> child_;
  EventPtr ended_event_;
  EventPtr late_event_;
};

}  // namespace sluice::relay
