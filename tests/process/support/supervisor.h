// A service manager as far as restarts go, for tests: keeps one program running as systemd does
// with Restart=on-failure and RestartSec=0, and knows the restart job. On a thread of its own, so
// that a program is back at once, whatever the test waits for.
#pragma once

#include <memory>

#include "tests/process/support/process.h"

namespace sluice::test {

/// One process from its start to its end.
struct Life {
  pid_t pid = -1;
  SteadyClock::time_point started;
  SteadyClock::time_point ended{};  ///< zero: it runs
  ExitStatus status;
  std::chrono::microseconds cpu{0};  ///< of all of it, once it has ended
};

class Supervisor {
 public:
  /// The program is being started when the constructor returns. More than `starts_max` starts in
  /// all, and it stays down: systemd's start limit.
  explicit Supervisor(SpawnOptions program, std::size_t starts_max = 1000);
  /// Kills it.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// The restart job: sends `signal`; when the process has ended, however it did, the program is
  /// started again.
  void restart(int signal);
  /// Sends a signal and nothing more: what ends with a failure by it is started again.
  void signal(int signal);
  /// The stop job: SIGTERM, and it stays down. Throws when it has not ended by then.
  ExitStatus stop(Millis wait = 30s);
  /// Until the n-th process (from 1) has been started. Throws when there is none by then.
  void wait_started(std::size_t count, Millis wait = 10s);

  /// Processes started so far.
  [[nodiscard]] std::size_t starts();
  /// By number of its start, from 1.
  [[nodiscard]] Life life(std::size_t start);
  [[nodiscard]] pid_t pid();
  [[nodiscard]] bool running();
  /// The present one, or the last. Its life's end is the supervisor's to wait for: look at its
  /// output and at /proc alone.
  [[nodiscard]] std::shared_ptr<Process> process();

 private:
  void run();
  /// The new process's pidfd.
  UniqueFd start();
  [[nodiscard]] bool ended(const UniqueFd& pidfd);
  void send(int signal);

  SpawnOptions program_;
  std::size_t starts_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<Process> process_;
  std::vector<Life> lives_;
  bool restart_ = false;  ///< a restart job waits for the end
  bool stop_ = false;
  bool up_ = false;
  std::thread thread_;
};

}  // namespace sluice::test
