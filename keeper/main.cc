// sluice-keeper: reads its configuration, runs the keeper.
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <string>
#include <string_view>
#include <vector>

#include "common/log.h"
#include "common/out_of_memory.h"
#include "keeper/config.h"
#include "keeper/keeper.h"

namespace {

/// "PROGRAM --resume-fd N ...": takes the two out of `args`. Not a number: -1, which can't be read.
std::optional<int> take_resume_fd(std::vector<std::string>& args) {
  if (args.size() < 3 || args[1] != sluice::keeper::kResumeFlag) return std::nullopt;
  const std::string& text = args[2];
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size()) fd = -1;
  args.erase(args.begin() + 1, args.begin() + 3);
  return fd;
}

/// By its path: a package puts the next version there.
std::string program_path(const std::string& called) {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size > 0 ? std::string(path.data(), static_cast<std::size_t>(size)) : called;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sluice;
  end_when_out_of_memory("sluice-keeper");
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> args(argv, argv + argc);
  const std::optional<int> saved = take_resume_fd(args);
  std::vector<char*> flags;
  for (std::string& arg : args) flags.push_back(arg.data());
  keeper::KeeperConfig config;
  if (const auto code = keeper::read_config(static_cast<int>(flags.size()), flags.data(), config))
    return *code;
  log_init(config.log_level, config.log_format, "keeper[" + config.id + "]");
  const std::string path = program_path(args[0]);
  const auto daemon = keeper::Keeper::create(config, {path, args}, saved);
  if (!daemon) {
    log_error("{}", daemon.error().message);
    return 1;
  }
  return (*daemon)->run();
}
