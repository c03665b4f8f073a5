// What processes and cores use: read from the kernel, before and after.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace sluice::fanout {

/// These and all their descendants.
[[nodiscard]] std::vector<pid_t> with_descendants(const std::vector<pid_t>& roots);

/// User and system time so far, to the nanosecond. 0 for who has ended.
[[nodiscard]] std::uint64_t cpu_ns(const std::vector<pid_t>& processes);
/// Resident memory; sockets' buffers are the kernel's and not in it.
[[nodiscard]] std::uint64_t resident_bytes(const std::vector<pid_t>& processes);

/// A core's time so far, in clock ticks.
struct CoreTime {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
};
[[nodiscard]] CoreTime core_time(int core);
[[nodiscard]] double busy_percent(const CoreTime& before, const CoreTime& after);

/// Everything that this process starts from now on runs there too.
void pin_self(int core);
[[nodiscard]] int core_count();

}  // namespace sluice::fanout
