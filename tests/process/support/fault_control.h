// Lets system calls of one process fail, from a test: the rules for the shim that is loaded into
// it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/process/support/shim/fault_shim.h"
#include "tests/process/support/temp_dir.h"

namespace sluice::test {

class FaultControl {
 public:
  /// `name`: of its file in `directory`, one per process.
  FaultControl(const TempDir& directory, const std::string& name);
  ~FaultControl();
  FaultControl(const FaultControl&) = delete;
  FaultControl& operator=(const FaultControl&) = delete;

  /// Why no shim can be loaded in this build; empty: it can.
  [[nodiscard]] static std::string unavailable();
  /// What the process has to be started with.
  [[nodiscard]] std::map<std::string, std::string> environment() const;

  /// From now on each `every`-th call fails; of sockets of `family` alone, if not 0. Counts anew.
  void fail(FaultCall call, int error, std::uint32_t every = 1, int family = 0);
  void stop(FaultCall call) { rule(call).error = 0; }
  /// Since fail().
  [[nodiscard]] std::uint64_t calls(FaultCall call) { return rule(call).calls; }
  [[nodiscard]] std::uint64_t failed(FaultCall call) { return rule(call).failed; }

 private:
  FaultRule& rule(FaultCall call) { return page_->rules[static_cast<std::uint32_t>(call)]; }

  std::string path_;
  FaultPage* page_ = nullptr;
};

}  // namespace sluice::test
