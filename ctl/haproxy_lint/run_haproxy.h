// Runs `haproxy -c -f FILE`, bounded in time and output.
#pragma once

#include <string>

#include "common/result.h"
#include "ctl/interrupts.h"

namespace sluice::ctl {

struct HaproxyRun {
  int code = -1;       ///< exit code; -1: ended by a signal
  std::string output;  ///< standard output and error
};

/// Where `haproxy` is: in PATH, or where packages put it. Empty: not installed.
[[nodiscard]] std::string find_haproxy();

/// Waits 10 s at most and less when a signal comes, reads 256 KiB at most. HAProxy loads what the
/// file names (Lua too) and asks for the names in it, in our environment.
[[nodiscard]] Result<HaproxyRun> run_haproxy_check(const std::string& program,
                                                   const std::string& file, Interrupts& interrupts);

}  // namespace sluice::ctl
