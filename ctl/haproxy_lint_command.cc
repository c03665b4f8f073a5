// `sluice haproxy-lint`: reads the file, asks haproxy and the gateway where it may, lets the rules
// judge.
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "common/try_again.h"
#include "common/unique_fd.h"
#include "ctl/commands.h"
#include "ctl/haproxy_config.h"
#include "ctl/haproxy_lint/haproxy_output.h"
#include "ctl/haproxy_lint/lint.h"
#include "ctl/haproxy_lint/probe_gateway.h"
#include "ctl/haproxy_lint/report.h"
#include "ctl/haproxy_lint/run_haproxy.h"

namespace sluice::ctl {
namespace {

Result<std::string> read_configuration(const std::string& path) {
  // Without O_NONBLOCK a FIFO would hold us until somebody writes.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return fail(ErrorCode::kSystem, std::strerror(errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(ErrorCode::kSystem, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalid, "it is no regular file");
  std::string text;
  std::array<char, 16384> chunk;
  while (text.size() <= kHaproxyFileBytesMax) {
    const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n == 0) break;
    if (n < 0 && try_again(errno)) continue;
    if (n < 0) return fail(ErrorCode::kSystem, std::strerror(errno));
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return text;
}

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

/// What haproxy itself says, or why it could not be asked.
void ask_haproxy(const LintCommandOptions& options, const HaproxyConfig& config,
                 Interrupts& interrupts, LintResult& result) {
  if (options.haproxy == "none") return;
  const std::string program = options.haproxy.empty() ? find_haproxy() : options.haproxy;
  if (program.empty()) {
    result.skipped.emplace_back("haproxy -c: haproxy is not installed here");
    return;
  }
  const auto run = run_haproxy_check(program, options.file, interrupts);
  if (!run) {
    result.skipped.push_back("haproxy -c: " + program + ": " + run.error().message);
    return;
  }
  auto findings = findings_of_haproxy(run->output, config);
  if (run->code != 0 && findings.empty()) {
    findings.push_back({1, "haproxy", "haproxy -c ends with code " + std::to_string(run->code),
                        "run haproxy -c -f " + options.file});
  }
  join_haproxy(std::move(findings), result.findings);
}

}  // namespace

ExitCode run_haproxy_lint(const LintCommandOptions& options, Console& console) {
  const auto text = read_configuration(options.file);
  if (!text) {
    complain("can't read " + options.file + ": " + text.error().message);
    return ExitCode::kUnreadable;
  }
  const auto config = parse_haproxy_config(*text, environment);
  if (!config) {
    complain("can't read " + options.file + ": " + config.error().message);
    return ExitCode::kUnreadable;
  }
  LintOptions lint_options{options.ping_interval, options.max_connection_age, std::nullopt};
  if (options.gateway) {
    auto answers = probe_gateway(*options.gateway);
    if (!answers) {
      complain("can't ask the gateway at " + to_string(*options.gateway) + ": " +
               answers.error().message);
      return ExitCode::kUnreadable;
    }
    lint_options.gateway = std::move(*answers);
  }
  auto result = lint(*config, lint_options, options.backends);
  if (!result) {
    complain("can't read " + options.file + ": " + result.error().message);
    return ExitCode::kUnreadable;
  }
  ask_haproxy(options, *config, console.interrupts(), *result);
  const std::string report =
      options.json ? lint_json(*result) : lint_text(options.file, *result, console.colours());
  const bool written = console.write(report);
  if (console.interrupts().ended()) {
    complain("interrupted: not all was judged");
    return ExitCode::kUnreadable;
  }
  // A reader that has gone has heard enough; the code still says what was found.
  if (!written && console.exit_code() != ExitCode::kOk) return console.exit_code();
  return result->findings.empty() ? ExitCode::kOk : ExitCode::kFindings;
}

}  // namespace sluice::ctl
