// The program that this process runs, by the name under which it was started: a new file of that
// name is the new version. It is tried first, then executed in this one's place; the process id
// stays, so that no supervisor has to know.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"

namespace sluice {

class Program {
 public:
  /// Of main(). The name is looked up now, as execvp(3) does it: what directory this process is in
  /// later does not matter. `internal_flag`: one with a value that an earlier upgrade has put
  /// between the arguments and that is none of the start; empty: there is none.
  Program(int argc, char** argv, std::string_view internal_flag = {});

  /// Absolute; a link in it may be turned to a new version. Empty: not found.
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The arguments of the start, argv[0] first, and `more` behind them.
  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& more = {}) const;

  /// Becomes that program, with `more` behind the arguments. Signals that are blocked stay so.
  /// Returns only when it can't be done.
  [[nodiscard]] Error execute(const std::vector<std::string>& more = {}) const;

 private:
  std::string path_;
  std::vector<std::string> arguments_;
};

/// SIGTERM, SIGINT, SIGUSR2 and SIGHUP would end a program that has not set its handlers yet: they
/// wait from before execute() until the program that follows has them.
void hold_signals(bool hold);

/// A child process: the program with --check, which says whether it would start. What it has to say
/// about that goes where this process's own lines go.
class ProgramCheck {
 public:
  /// Fails where it can't be run.
  [[nodiscard]] static Result<ProgramCheck> start(const Program& program);
  ProgramCheck(ProgramCheck&& other) noexcept;
  ProgramCheck& operator=(ProgramCheck&& other) noexcept;
  ProgramCheck(const ProgramCheck&) = delete;
  ProgramCheck& operator=(const ProgramCheck&) = delete;
  /// Kills it if it still runs.
  ~ProgramCheck();

  /// A pidfd: readable when it has ended.
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// Once it has ended (it is waited for): nothing is wrong, or what. Once.
  [[nodiscard]] Result<void> result();

 private:
  ProgramCheck(std::string path, pid_t child, UniqueFd fd);
  void end();

  std::string path_;
  pid_t child_ = -1;  ///< not waited for yet; -1: none
  UniqueFd fd_;
};

}  // namespace sluice
