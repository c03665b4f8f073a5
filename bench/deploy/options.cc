#include "bench/deploy/options.h"

#include <CLI/CLI.hpp>

#include "common/units.h"

namespace sluice::bench {
namespace {

/// Flags with units, in seconds and per second.
void add_duration(CLI::App& app, const std::string& name, double& target, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&target, name](const std::string& text) {
           const auto parsed = parse_duration(text);
           if (!parsed) throw CLI::ValidationError(name, parsed.error().message);
           target = std::chrono::duration<double>(*parsed).count();
         },
         help)
      ->type_name("TIME");
}

void add_rate(CLI::App& app, const std::string& name, double& target, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&target, name](const std::string& text) {
           const auto parsed = parse_rate(text);
           if (!parsed) throw CLI::ValidationError(name, parsed.error().message);
           target = *parsed;
         },
         help)
      ->type_name("RATE");
}

/// Small and short, for ctest: every step of the big one, but no time to get balanced.
void make_quick(Plan& plan) {
  plan.quick = true;
  plan.clients = 200;
  plan.short_per_s = 10;
  plan.short_life_s = 2;
  plan.session_s = 60;
  plan.publish_every_s = 5;
  plan.room = 20;
  plan.ramp_per_s = 200;
  plan.baseline_s = 1;
  plan.pause_s = 0;
  plan.settle_s = 3;
  plan.balance_at_s = 0;
}

/// What belongs to a scenario unless it is said otherwise.
void make_scenario(Plan& plan, bool quick) {
  if (plan.scenario == "reload") {
    plan.hard_stop_s = quick ? 12 : 60;
    plan.connection_age_s = quick ? 8 : 45;
    plan.session_s = 0;
    plan.settle_s = quick ? 2 : 10;
  }
}

void add_flags(CLI::App& app, Options& options, bool& quick) {
  Plan& plan = options.plan;
  app.add_option("--scenario", plan.scenario, "rolling, reload or kill")
      ->check(CLI::IsMember({"rolling", "reload", "kill"}));
  app.add_flag("--quick", quick, "200 clients, half a minute");
  app.add_option("--clients", plan.clients, "Clients that stay, and come back")
      ->check(CLI::Range(1, 7000));
  app.add_option("--seed", plan.seed, "Of all that is random");
  add_rate(app, "--short-lived", plan.short_per_s, "Beside them, new short-lived clients");
  add_duration(app, "--short-life", plan.short_life_s, "How long those stay");
  add_duration(app, "--session", plan.session_s,
               "Mean time until a client that stays connects anew by itself, 0s: never");
  add_duration(app, "--publish-every", plan.publish_every_s, "Between messages of a client");
  app.add_option("--room", plan.room, "Clients per channel")->check(CLI::Range(1, 10000));
  add_rate(app, "--ramp", plan.ramp_per_s, "First connections");
  add_duration(app, "--baseline", plan.baseline_s, "Before anything is done");
  add_duration(app, "--pause", plan.pause_s,
               "From a gateway's return to the next drain; haproxy.cfg's slowstart takes 20 s");
  add_duration(app, "--settle", plan.settle_s, "After everything was done");
  add_rate(app, "--drain-rate", plan.drain_rate, "The gateways' flag");
  add_duration(app, "--max-connection-age", plan.connection_age_s, "The gateways' flag, 0s: none");
  add_duration(app, "--hard-stop-after", plan.hard_stop_s, "HAProxy's, in `reload`");
  app.add_option("--out", options.out, "Where the results go, without the ending");
  app.add_option("--logs", options.logs, "Directory for the output of all programs");
}

}  // namespace

std::optional<int> parse_options(int argc, const char* const* argv, Options& options) {
  // Twice: the first pass finds scenario and size, whose defaults the second then overrules.
  Options defaults;
  for (const bool first : {true, false}) {
    bool quick = false;
    options = defaults;
    CLI::App app("Deploys four gateways behind HAProxy under load, and judges what clients saw");
    app.name("deploy");
    add_flags(app, options, quick);
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? 0 : 2;
    }
    if (!first) break;
    defaults.plan.scenario = options.plan.scenario;
    defaults.out = "bench/results/deploy-" + options.plan.scenario;
    if (quick) make_quick(defaults.plan);
    make_scenario(defaults.plan, quick);
  }
  if (options.plan.room > options.plan.clients) options.plan.room = options.plan.clients;
  return std::nullopt;
}

}  // namespace sluice::bench
