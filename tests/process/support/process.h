// A child process under test: its output as lines to wait for, signals, exit status, memory and
// descriptors.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.h"
#include "tests/process/support/build.h"
#include "tests/process/support/deadline.h"

namespace sluice::test {

struct SpawnOptions {
  std::vector<std::string> args;  ///< args[0] is the program's path
  std::map<std::string, std::string>
      env;  ///< added to the environment; of SLUICE_* only the build directory is inherited
  std::map<int, int> fds;    ///< descriptor in the child → descriptor here
  std::uint64_t nofile = 0;  ///< RLIMIT_NOFILE, soft and hard; 0 = as inherited
  std::string directory;     ///< working directory; empty = as inherited
};

struct ExitStatus {
  int code = -1;   ///< exit code, -1 when a signal ended it
  int signal = 0;  ///< signal that ended it, 0 when it exited
};

/// Killed by the destructor, and by the kernel when the test dies. Prints its output when the test
/// has failed. `SLUICE_TEST_LOGS=DIR`: writes its output to a file there as well, one per process.
class Process {
 public:
  explicit Process(SpawnOptions options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();

  /// Waits for a line (stdout and stderr alike) that holds a match of `pattern`, looking from line
  /// `from` on. Throws when the deadline passes or the output ends without one. Returns the match's
  /// groups, [0] being the whole line.
  std::vector<std::string> wait_line(const std::string& pattern, Millis wait = 10s,
                                     std::size_t from = 0);
  /// All matching lines so far.
  [[nodiscard]] std::vector<std::string> lines(const std::string& pattern = "",
                                               std::size_t from = 0);
  /// Number of lines so far: a mark to wait from.
  [[nodiscard]] std::size_t mark();
  [[nodiscard]] std::string output();

  void signal(int number);
  /// RLIMIT_NOFILE of the running process, the soft limit.
  void limit_descriptors(std::uint64_t count);
  /// SIGKILL and wait.
  void kill();
  /// How it ended; nothing while running() has not seen that.
  [[nodiscard]] const std::optional<ExitStatus>& ended() const { return status_; }
  /// User and system time of its whole life; zero before ended() says how.
  [[nodiscard]] std::chrono::microseconds cpu_of_life() const { return cpu_of_life_; }
  /// Throws when it has not ended by then. Idempotent.
  ExitStatus wait_exit(Millis wait = 10s);

  [[nodiscard]] std::uint64_t rss_bytes() const;
  /// Private and anonymous pages only: what the process itself asked for.
  [[nodiscard]] std::uint64_t anonymous_bytes() const;
  /// The highest that resident memory was since reset_peak().
  [[nodiscard]] std::uint64_t peak_rss_bytes() const;
  void reset_peak();
  [[nodiscard]] std::size_t fd_count() const;
  /// User and system time used so far.
  [[nodiscard]] Millis cpu_time() const;

 private:
  void read_output();
  [[nodiscard]] std::uint64_t status_field(const std::string& name) const;

  SpawnOptions options_;
  pid_t pid_ = -1;
  UniqueFd output_;
  UniqueFd log_;
  std::thread reader_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  bool ended_ = false;  ///< end of output
  std::optional<ExitStatus> status_;
  std::chrono::microseconds cpu_of_life_{0};
};

/// Runs to its end and returns (status, output).
struct Finished {
  ExitStatus status;
  std::string output;
};
Finished run(SpawnOptions options, Millis wait = 20s);

}  // namespace sluice::test
