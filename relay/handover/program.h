// The program that this process runs, by the name under which it was started: a new file of that
// name is the new version.
#pragma once

#include <string>
#include <vector>

namespace sluice::relay {

class Program {
 public:
  /// `argv` as main() got it. The name is looked up now: relative to the working directory, or in
  /// $PATH.
  Program(int argc, char** argv);

  /// Absolute; empty: it was not found.
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The arguments of the start, argv[0] first, without a --resume-fd of an earlier upgrade, and
  /// `more` behind them.
  [[nodiscard]] std::vector<std::string> arguments(const std::vector<std::string>& more) const;

  /// Becomes that program. Returns only when that failed, with errno.
  [[nodiscard]] int execute(const std::vector<std::string>& more) const;

 private:
  std::string path_;
  std::vector<std::string> arguments_;
};

/// For execve and posix_spawn: pointers into `texts`, and a null behind them.
[[nodiscard]] std::vector<char*> argument_pointers(std::vector<std::string>& texts);

}  // namespace sluice::relay
