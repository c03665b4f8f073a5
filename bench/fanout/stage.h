// Starts a server as its plan says, each process pinned to its core, and ends it.
#pragma once

#include <memory>
#include <vector>

#include "bench/fanout/server.h"
#include "tests/process/support/process.h"

namespace sluice::fanout {

class Stage {
 public:
  /// Everything is up and takes connections when the constructor returns; else HarnessError.
  explicit Stage(const ServerPlan& plan);

  /// Whose CPU and memory count, children included.
  [[nodiscard]] std::vector<pid_t> counted() const;
  [[nodiscard]] bool all_running();

 private:
  void start(const ProcessSpec& spec);

  std::vector<std::unique_ptr<test::Process>> processes_;
  std::vector<pid_t> counted_;
};

}  // namespace sluice::fanout
