#include <csignal>
#include <cstdio>

#include "common/log.h"
#include "gateway/config.h"
#include "gateway/gateway.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  sluice::gateway::ConfigOutcome outcome = sluice::gateway::parse_config(argc, argv);
  if (!outcome.config) return outcome.exit_code;
  sluice::log_init(outcome.config->log_level, outcome.config->log_format,
                   "gateway[" + outcome.config->id + "]");
  sluice::gateway::Gateway gateway(std::move(*outcome.config));
  if (auto started = gateway.start(); !started) {
    std::fprintf(stderr, "sluice-gateway: %s\n", started.error().message.c_str());
    return 1;
  }
  return gateway.run();
}
