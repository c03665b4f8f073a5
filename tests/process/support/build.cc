#include "tests/process/support/build.h"

#include <cstdlib>
#include <fstream>

namespace sluice::test {
namespace {

Sanitizer read_sanitizer() {
  // A build without the file, of an older tree: none.
  std::ifstream file(build_directory() + "/sanitizer");
  Sanitizer read;
  std::getline(file, read.name);
  std::getline(file, read.runtime);
  return read;
}

}  // namespace

std::string build_directory() {
  const char* given = std::getenv(kBuildVariable);
  return given != nullptr ? given : SLUICE_BUILD_DIR;
}

const Sanitizer& sanitizer() {
  static const Sanitizer read = read_sanitizer();
  return read;
}

}  // namespace sluice::test
