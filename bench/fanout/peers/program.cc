#include "bench/fanout/peers/program.h"

#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>
#include <sstream>

#include "tests/process/support/process.h"

namespace sluice::fanout {

std::optional<std::string> find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  // An account that is not root has no sbin in its PATH.
  std::istringstream directories(std::string(path != nullptr ? path : "/usr/bin") + ":/usr/sbin");
  for (std::string candidate; std::getline(directories, candidate, ':');) {
    candidate.append("/").append(name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::string version_by(const std::vector<std::string>& command, const std::string& pattern) {
  test::SpawnOptions options;
  options.args = command;
  const std::string output = test::run(std::move(options)).output;
  std::smatch match;
  return std::regex_search(output, match, std::regex(pattern)) ? match[1].str() : "unknown";
}

std::string own_account() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

}  // namespace sluice::fanout
