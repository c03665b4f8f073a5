// sluice-keeper: reads its configuration, runs the keeper.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/out_of_memory.h"
#include "keeper/config.h"
#include "keeper/keeper.h"

namespace {

/// Takes the resume flag and its value out of `args`. Not a number: -1, which can't be read.
std::optional<int> take_resume_fd(std::vector<std::string>& args) {
  const auto flag = std::find(args.begin(), args.end(), sluice::keeper::kResumeFlag);
  if (flag == args.end() || flag + 1 == args.end()) return std::nullopt;
  const std::string text = *(flag + 1);
  args.erase(flag, flag + 2);
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  return error == std::errc() && end == text.data() + text.size() ? fd : -1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sluice;
  end_when_out_of_memory("sluice-keeper");
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> args(argv, argv + argc);
  const std::optional<int> saved = take_resume_fd(args);
  std::vector<char*> flags;
  flags.reserve(args.size());
  for (std::string& arg : args) flags.push_back(arg.data());
  keeper::KeeperConfig config;
  if (const auto code = keeper::read_config(static_cast<int>(flags.size()), flags.data(), config))
    return *code;
  if (config.check_only) return 0;
  log_init(config.log_level, config.log_format, "keeper[" + config.id + "]");
  const auto daemon =
      keeper::Keeper::create(config, Program(argc, argv, keeper::kResumeFlag), saved);
  if (!daemon) {
    log_error("{}", daemon.error().message);
    return 1;
  }
  return (*daemon)->run();
}
