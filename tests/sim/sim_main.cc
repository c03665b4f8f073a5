// sim --seed N: replays one run. sim --forever [--seed N]: seed after seed until one fails.
// --takeovers: worlds in which gateways stand still, die and are taken over, and relays are
// upgraded, and nothing else fails.
// --tiny: worlds with next to no ring. --short-linger: in which a relay soon forgets who is away.
// sim --sweep: the fault sweep; sim --sweep N: the one run of it in which the N-th call fails.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sim/world.h"

namespace {

using sluice::sim::World;
using sluice::sim::WorldOptions;

bool run(const WorldOptions& options, const char* what, std::uint64_t number) {
  World world(options);
  const std::string failure = world.run();
  std::printf(
      "%s %llu: %llu deliveries, %llu gaps, %llu takeovers, %llu relay restarts, %llu upgrades, "
      "%llu "
      "recovered "
      "with %llu, %llu not",
      what, static_cast<unsigned long long>(number),
      static_cast<unsigned long long>(world.deliveries),
      static_cast<unsigned long long>(world.gaps), static_cast<unsigned long long>(world.takeovers),
      static_cast<unsigned long long>(world.relay_restarts),
      static_cast<unsigned long long>(world.relay_upgrades),
      static_cast<unsigned long long>(world.recovered),
      static_cast<unsigned long long>(world.recovered_publications),
      static_cast<unsigned long long>(world.unrecovered));
  if (world.faults.happened()) {
    const std::string_view port = to_string(world.faults.failed());
    std::printf(", failed: %.*s", static_cast<int>(port.size()), port.data());
  }
  std::printf("%s%s\n", failure.empty() ? "" : ": ", failure.c_str());
  std::fflush(stdout);
  return failure.empty();
}

int sweep(std::uint64_t only) {
  if (only != 0) return run(sluice::sim::sweep_options(only), "call", only) ? 0 : 1;
  World whole(sluice::sim::sweep_options(0));
  if (!whole.run().empty()) return run(sluice::sim::sweep_options(0), "call", 0) ? 0 : 1;
  int failures = 0;
  for (std::uint64_t n = 1; n <= whole.faults.count(); ++n) {
    if (!run(sluice::sim::sweep_options(n), "call", n)) ++failures;
  }
  std::printf("%llu calls, %d failures\n", static_cast<unsigned long long>(whole.faults.count()),
              failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  bool forever = false;
  WorldOptions options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--forever") == 0) {
      forever = true;
    } else if (std::strcmp(argv[i], "--takeovers") == 0) {
      options = sluice::sim::takeover_options(seed);
    } else if (std::strcmp(argv[i], "--short-linger") == 0) {
      options = sluice::sim::short_linger_options(seed);
    } else if (std::strcmp(argv[i], "--tiny") == 0) {
      options = sluice::sim::tiny_options(seed);
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--sweep") == 0) {
      return sweep(i + 1 < argc ? std::strtoull(argv[i + 1], nullptr, 10) : 0);
    } else {
      std::fprintf(stderr,
                   "usage: sim [--takeovers | --tiny | --short-linger] [--seed N] [--forever] | "
                   "--sweep [N]\n");
      return 2;
    }
  }
  do {
    options.seed = seed;
    if (!run(options, "seed", seed)) return 1;
    ++seed;
  } while (forever);
  return 0;
}
