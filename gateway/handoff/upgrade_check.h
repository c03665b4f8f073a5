// Tries the program that would take this one's place (common/program), beside the loop.
#pragma once

#include <functional>
#include <optional>

#include "common/program.h"
#include "common/result.h"
#include "gateway/event_loop.h"

namespace sluice::gateway {

class UpgradeCheck {
 public:
  /// Both outlive it.
  UpgradeCheck(EventLoop& loop, const Program& program);

  /// Runs its --check, for kProgramCheckWait at most, and tells from the loop how that went:
  /// nothing is wrong, or what. Fails where it can't be run, or one is under way.
  using OnChecked = std::function<void(Result<void>)>;
  [[nodiscard]] Result<void> start(OnChecked checked);

 private:
  void report(Result<void> result);

  EventLoop& loop_;
  const Program& program_;
  std::optional<ProgramCheck> child_;
  std::optional<IoWatcher> ended_;
  Timer deadline_;
  OnChecked checked_;
};

}  // namespace sluice::gateway
