// A directory of a test's own, gone with it. Short, because a Unix socket's path ends at 107 bytes.
#pragma once

#include <string>
#include <string_view>

namespace sluice::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  /// A path inside; throws when it would not fit a Unix socket address.
  [[nodiscard]] std::string file(std::string_view name) const;
  /// Writes a file with mode 0600 and returns its path.
  std::string write(std::string_view name, std::string_view content) const;

 private:
  std::string path_;
};

[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace sluice::test
