// What must come back to where it was when a peer is gone: descriptors and gauges exactly, memory
// within what an allocator keeps.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/process/support/process.h"
#include "tests/process/support/socket.h"

namespace sluice::test {

class Baseline {
 public:
  /// Taken now, of a process and of these gauges of its admin page.
  Baseline(const Process& process, const Endpoint& admin, std::vector<std::string> gauges);

  /// Waits until descriptors and gauges are where they were.
  [[nodiscard]] ::testing::AssertionResult returned(Millis wait = 30s) const;
  /// Memory of the process itself, since the baseline; true under sanitizers, which keep what is
  /// freed.
  [[nodiscard]] ::testing::AssertionResult memory_within(std::uint64_t slack_bytes) const;

  [[nodiscard]] std::size_t descriptors() const { return descriptors_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::string difference() const;

  const Process& process_;
  Endpoint admin_;
  std::size_t descriptors_;
  std::uint64_t bytes_;
  std::map<std::string, double> gauges_;
};

/// Runs `round` twice and takes the baseline in between: the first warms caches and pools, so that
/// what the second leaves behind is a leak.
void twice(const Process& process, const Endpoint& admin, const std::vector<std::string>& gauges,
           std::uint64_t slack_bytes, const std::function<void()>& round);

}  // namespace sluice::test
