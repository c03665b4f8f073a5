// The commands. Each returns the exit code; what went wrong has been said.
#pragma once

#include "ctl/access_options.h"
#include "ctl/console.h"
#include "ctl/options.h"

namespace sluice::ctl {

[[nodiscard]] ExitCode run_status(const StatusOptions& options, Console& console);
[[nodiscard]] ExitCode run_tail(const TailOptions& options, Console& console);
[[nodiscard]] ExitCode run_publish(const PublishOptions& options, Console& console);
[[nodiscard]] ExitCode run_drain(const DrainOptions& options, Console& console);
[[nodiscard]] ExitCode run_undrain(const DrainOptions& options, Console& console);
[[nodiscard]] ExitCode run_upgrade(const UpgradeOptions& options, Console& console);
[[nodiscard]] ExitCode run_channels(const ChannelsOptions& options, Console& console);
[[nodiscard]] ExitCode run_presence(const PresenceOptions& options, Console& console);
[[nodiscard]] ExitCode run_history(const HistoryOptions& options, Console& console);
[[nodiscard]] ExitCode run_disconnect(const DisconnectOptions& options, Console& console);
[[nodiscard]] ExitCode run_haproxy_lint(const LintCommandOptions& options, Console& console);
[[nodiscard]] ExitCode run_check(const CheckOptions& options, Console& console);
[[nodiscard]] ExitCode run_token_make(const TokenMakeOptions& options, Console& console);
[[nodiscard]] ExitCode run_token_inspect(const TokenInspectOptions& options, Console& console);
[[nodiscard]] ExitCode run_version(const CommonOptions& options, Console& console);

/// Says it and hands its code on.
[[nodiscard]] inline ExitCode end_with(const Failure& failure) {
  if (!failure.message.empty()) complain(failure.text());
  return failure.code;
}

}  // namespace sluice::ctl
