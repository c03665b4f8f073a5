// Live progress on stderr: in place on a terminal, else a line now and then.
#pragma once

#include <functional>
#include <string>

#include "tests/process/support/deadline.h"

namespace sluice::soak {

class Progress {
 public:
  enum class Mode { kOff, kLines, kInPlace };
  explicit Progress(Mode mode) : mode_(mode) {}
  /// kInPlace on a terminal, else kLines.
  [[nodiscard]] static Mode fitting();

  /// Asks for the text only when it is time to show it.
  void show(const std::function<std::string()>& text);
  /// Leaves the line.
  void end();

 private:
  Mode mode_;
  test::SteadyClock::time_point next_{};
  bool on_line_ = false;
};

}  // namespace sluice::soak
