#include "bench/fanout/usage.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/process/support/deadline.h"

namespace sluice::fanout {
namespace {

void add_children(pid_t process, std::vector<pid_t>& all) {
  std::error_code none;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, none)) {
    std::ifstream in(task.path() / "children");
    for (pid_t child = 0; in >> child;) {
      all.push_back(child);
      add_children(child, all);
    }
  }
}

}  // namespace

std::vector<pid_t> with_descendants(const std::vector<pid_t>& roots) {
  std::vector<pid_t> all;
  for (const pid_t root : roots) {
    all.push_back(root);
    add_children(root, all);
  }
  return all;
}

std::uint64_t cpu_ns(const std::vector<pid_t>& processes) {
  std::uint64_t sum = 0;
  for (const pid_t process : processes) {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &used) != 0) continue;
    sum += static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(used.tv_nsec);
  }
  return sum;
}

std::uint64_t resident_bytes(const std::vector<pid_t>& processes) {
  std::uint64_t pages = 0;
  for (const pid_t process : processes) {
    std::ifstream in("/proc/" + std::to_string(process) + "/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    if (in >> size >> resident) pages += resident;
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

CoreTime core_time(int core) {
  std::ifstream in("/proc/stat");
  const std::string name = "cpu" + std::to_string(core) + " ";
  CoreTime time;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name, 0) != 0) continue;
    std::istringstream fields(line.substr(name.size()));
    // user nice system idle iowait irq softirq steal; what comes behind is in these already.
    for (int field = 0; field < 8; ++field) {
      std::uint64_t ticks = 0;
      fields >> ticks;
      time.total += ticks;
      if (field != 3 && field != 4) time.busy += ticks;
    }
  }
  return time;
}

double busy_percent(const CoreTime& before, const CoreTime& after) {
  if (after.total == before.total) return 0;
  return 100.0 * static_cast<double>(after.busy - before.busy) /
         static_cast<double>(after.total - before.total);
}

void pin_self(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(core), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) test::throw_errno("sched_setaffinity");
}

int core_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace sluice::fanout
