// Temporary directories.
#include "tests/process/support/temp_dir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/unique_fd.h"
#include "tests/process/support/deadline.h"

namespace sluice::test {

TempDir::TempDir() {
  char name[] = "/tmp/slp-XXXXXX";
  if (::mkdtemp(name) == nullptr) throw_errno("mkdtemp");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::file(std::string_view name) const {
  std::string path = path_ + "/" + std::string(name);
  if (path.size() >= sizeof(sockaddr_un::sun_path)) throw HarnessError("path too long: " + path);
  return path;
}

std::string TempDir::write(std::string_view name, std::string_view content) const {
  std::string path = file(name);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) throw_errno(path);
  if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    throw_errno("write " + path);
  }
  return path;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw HarnessError("cannot read " + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace sluice::test
