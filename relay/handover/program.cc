#include "relay/handover/program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace sluice::relay {
namespace {

constexpr std::string_view kResumeFlag = "--resume-fd";

/// Not resolved further: a symbolic link that is turned to a new version is one.
std::string absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  return error ? std::string() : whole.string();
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return absolute(name);
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = std::string(rest.substr(0, end)) + "/" + name;
    if (end > 0 && ::access(candidate.c_str(), X_OK) == 0) return absolute(candidate);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace

Program::Program(int argc, char** argv) {
  if (argc < 1) return;
  path_ = find_program(argv[0]);
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == kResumeFlag) {
      ++i;  // and its value
    } else {
      arguments_.emplace_back(argument);
    }
  }
}

std::vector<std::string> Program::arguments(const std::vector<std::string>& more) const {
  std::vector<std::string> all = arguments_;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

int Program::execute(const std::vector<std::string>& more) const {
  std::vector<std::string> texts = arguments(more);
  ::execve(path_.c_str(), argument_pointers(texts).data(), environ);
  return errno;
}

std::vector<char*> argument_pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace sluice::relay
