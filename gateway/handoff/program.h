// This program, perhaps in a newer version: tried first, then executed in place of the running one.
// The process id stays, so that no supervisor has to know.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "gateway/event_loop.h"

namespace sluice::gateway {

class Program {
 public:
  /// Of main(). argv[0] is looked up now, so that a later change of directory does not matter; what
  /// the file there is, is decided when it is executed.
  Program(EventLoop& loop, std::vector<std::string> arguments);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// Runs it with the same arguments and --check, and tells how that went: nothing is wrong, or
  /// what. It has kCheckWait. Fails where it can't be started, or one is running.
  using OnChecked = std::function<void(Result<void>)>;
  [[nodiscard]] Result<void> check(OnChecked checked);
  /// Takes this process's place. Returns only when that can't be done.
  [[nodiscard]] Error execute() const;

 private:
  void finished();
  void too_slow();
  void report(Result<void> result);

  EventLoop& loop_;
  std::vector<std::string> arguments_;
  std::string path_;
  pid_t child_ = 0;
  UniqueFd child_fd_;
  std::optional<IoWatcher> ended_;
  Timer deadline_;
  OnChecked checked_;
};

}  // namespace sluice::gateway
