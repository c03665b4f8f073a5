// Runs the program that would follow with the same flags and --check, beside the loop: what can't
// even read its settings never becomes this process.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "common/result.h"
#include "common/unique_fd.h"
#include "relay/event_handles.h"
#include "relay/handover/program.h"

namespace sluice::relay {

class ProgramCheck {
 public:
  /// Empty: it stood the check. Else why not.
  using Done = std::function<void(const std::string& problem)>;

  /// `base` and `program` outlive it. `done` comes from the loop.
  ProgramCheck(event_base* base, const Program& program, Done done);
  ProgramCheck(const ProgramCheck&) = delete;
  ProgramCheck& operator=(const ProgramCheck&) = delete;
  /// Ends the child, if there is one.
  ~ProgramCheck();

  /// An error: nothing has begun. Only when none is under way.
  [[nodiscard]] Result<void> start();
  void cancel();

 private:
  void on_ended();
  void on_late();
  [[nodiscard]] std::string reap();

  event_base* base_;
  const Program& program_;
  Done done_;
  pid_t child_ = -1;
  UniqueFd child_fd_;
  EventPtr ended_event_;
  EventPtr late_event_;
};

}  // namespace sluice::relay
