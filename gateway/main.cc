#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/out_of_memory.h"
#include "common/program.h"
#include "gateway/config.h"
#include "gateway/gateway.h"

namespace {

/// Without destructors: the kernel takes everything back at once, while libwebsockets' own way of
/// ending its context would write to clients that may be somebody else's by now (ARCHITECTURE.md,
/// Ownership).
[[noreturn]] void end_process(int code) {
  std::fflush(nullptr);
  ::_exit(code);
}

/// Until the loop watches these signals: a process that only starts, or waits for the end of the
/// one before it, ends at once when it is told to. The kernel's own way does not count for process
/// 1 of a container. What came while this program took another one's place is let in.
void end_when_told() {
  for (const int number : {SIGTERM, SIGINT, SIGUSR2}) std::signal(number, [](int) { ::_exit(0); });
  std::signal(SIGHUP, SIG_IGN);
  sluice::hold_signals(false);
}

}  // namespace

int main(int argc, char** argv) {
  sluice::end_when_out_of_memory("sluice-gateway");
  std::signal(SIGPIPE, SIG_IGN);
  // It would write a line for each peer that sends noise.
  google::protobuf::SetLogHandler(nullptr);
  end_when_told();
  sluice::gateway::ConfigOutcome outcome = sluice::gateway::parse_config(argc, argv);
  if (!outcome.config) return outcome.exit_code;
  sluice::log_init(outcome.config->log_level, outcome.config->log_format,
                   "gateway[" + outcome.config->id + "]");
  const bool check_only = outcome.config->check_only;
  const auto gateway = std::make_unique<sluice::gateway::Gateway>(std::move(*outcome.config),
                                                                  sluice::Program(argc, argv));
  if (auto started = gateway->start(); !started) {
    std::fprintf(stderr, "sluice-gateway: %s\n", started.error().message.c_str());
    end_process(1);
  }
  end_process(check_only ? 0 : gateway->run());
}
