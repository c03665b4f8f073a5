// sluice: the operators' tool. Finds the command, reads its flags, runs it.
#include <cstdio>
#include <string>
#include <string_view>

#include "ctl/commands.h"

namespace sluice::ctl {
namespace {

constexpr int kUsage = static_cast<int>(ExitCode::kUsage);

template <typename Options>
int run(int argc, char** argv, ExitCode (*command)(const Options&, Console&), bool watch_output) {
  Options options;
  if (const auto code = read_options(argc, argv, options)) return *code;
  Console console(watch_output);
  return static_cast<int>(command(options, console));
}

int run_version_command(int argc, char** argv) {
  CommonOptions options;
  if (const auto code = read_version_options(argc, argv, options)) return *code;
  Console console(true);
  return static_cast<int>(run_version(options, console));
}

int run_undrain_command(int argc, char** argv) {
  DrainOptions options;
  if (const auto code = read_undrain_options(argc, argv, options)) return *code;
  Console console(true);
  return static_cast<int>(run_undrain(options, console));
}

/// `token` has commands of its own.
int run_token_command(int argc, char** argv) {
  const std::string_view command = argc < 2 ? "" : argv[1];
  if (command == "make") return run(argc - 1, argv + 1, run_token_make, false);
  if (command == "inspect") return run(argc - 1, argv + 1, run_token_inspect, false);
  if (command == "--help" || command == "-h") {
    std::fputs(token_help_text(), stdout);
    return 0;
  }
  complain("token: make or inspect, flags behind it (see --help)");
  return kUsage;
}

int dispatch(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(help_text(), stderr);
    return kUsage;
  }
  const std::string_view command = argv[1];
  if (command == "--help" || command == "-h" || command == "help") {
    std::fputs(help_text(), stdout);
    return 0;
  }
  if (command == "--version") {
    std::puts("sluice " SLUICE_VERSION);
    return 0;
  }
  if (command == "status") return run(argc - 1, argv + 1, run_status, true);
  if (command == "tail") return run(argc - 1, argv + 1, run_tail, true);
  if (command == "publish") return run(argc - 1, argv + 1, run_publish, false);
  if (command == "drain") return run(argc - 1, argv + 1, run_drain, true);
  if (command == "undrain") return run_undrain_command(argc - 1, argv + 1);
  if (command == "upgrade") return run(argc - 1, argv + 1, run_upgrade, true);
  if (command == "channels") return run(argc - 1, argv + 1, run_channels, true);
  if (command == "presence") return run(argc - 1, argv + 1, run_presence, true);
  if (command == "history") return run(argc - 1, argv + 1, run_history, true);
  if (command == "disconnect") return run(argc - 1, argv + 1, run_disconnect, false);
  if (command == "haproxy-lint") return run(argc - 1, argv + 1, run_haproxy_lint, false);
  if (command == "check") return run(argc - 1, argv + 1, run_check, false);
  if (command == "token") return run_token_command(argc - 1, argv + 1);
  if (command == "version") return run_version_command(argc - 1, argv + 1);
  complain("'" + std::string(command) +
           "' is no command: status, tail, publish, channels, presence, history, disconnect, "
           "drain, undrain, upgrade, haproxy-lint, check, token or version, flags behind it (see "
           "--help)");
  return kUsage;
}

}  // namespace
}  // namespace sluice::ctl

int main(int argc, char** argv) {
  return sluice::ctl::dispatch(argc, argv);
}
