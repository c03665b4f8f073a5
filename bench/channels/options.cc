#include "bench/channels/options.h"

#include <CLI/CLI.hpp>

namespace sluice::channels {
namespace {

/// Small and short, for ctest: every step of the big one.
Plan quick_plan() {
  Plan plan;
  plan.quick = true;
  plan.clients = 300;
  plan.pool = 80;
  plan.recover = 100;
  plan.idle_s = 0.2;
  return plan;
}

void add_flags(CLI::App& app, Options& options, bool& quick) {
  Plan& plan = options.plan;
  app.add_flag("--quick", quick, "300 clients, some seconds");
  app.add_option("--clients", plan.clients, "Clients of one gateway")->check(CLI::Range(1, 19000));
  app.add_option("--per-client", plan.per_client, "Channels of each client, the shared one with it")
      ->check(CLI::Range(1, 1000));
  app.add_option("--channels", plan.pool, "Channels beside the shared one")
      ->check(CLI::Range(0, 9999));
  app.add_option("--recover", plan.recover, "Clients that are cut and come back together")
      ->check(CLI::Range(1, 19000));
  app.add_option("--idle", plan.idle_s, "Seconds of quiet: presence is set again every 25")
      ->check(CLI::Range(0.0, 600.0));
  app.add_flag("--protobuf", plan.protobuf, "Protobuf instead of JSON");
  app.add_flag("--memory", plan.memory_broker, "The embedded broker instead of Redis");
  app.add_flag("!--no-history", plan.history, "Channels without a history");
  app.add_flag("!--no-presence", plan.presence, "Channels without presence");
  app.add_flag("!--no-io-uring", plan.io_uring, "The gateway sends by send(2)");
  app.add_option("--out", options.out, "Where the results go");
  app.add_option("--logs", options.logs, "Directory for the output of all programs");
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  // Twice: the first pass finds the size, whose defaults the second then overrules.
  Options defaults;
  for (const bool first : {true, false}) {
    bool quick = false;
    options = defaults;
    CLI::App app("Many channels per client: memory, a storm of subscribes, a storm of recoveries");
    app.name("channels");
    add_flags(app, options, quick);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : 2;
    }
    if (first && quick) defaults.plan = quick_plan();
  }
  Plan& plan = options.plan;
  if (plan.per_client > plan.pool + 1) plan.per_client = plan.pool + 1;
  if (plan.recover > plan.clients) plan.recover = plan.clients;
  return std::nullopt;
}

}  // namespace sluice::channels
