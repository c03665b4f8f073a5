// sluice-relay: reads its configuration, runs the daemon.
#include "common/log.h"
#include "common/out_of_memory.h"
#include "relay/config.h"
#include "relay/relay.h"

int main(int argc, char** argv) {
  using namespace sluice;
  end_when_out_of_memory("sluice-relay");
  relay::RelayConfig config;
  if (const auto code = relay::read_config(argc, argv, config)) return *code;
  log_init(config.log_level, config.log_format, "relay");
  const auto daemon = relay::Relay::create(config, Program(argc, argv, relay::kResumeFlag));
  if (!daemon) {
    log_error("{}", daemon.error().message);
    return 1;
  }
  return (*daemon)->run();
}
