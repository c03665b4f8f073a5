// sim --seed N: replays one run. sim --forever [--seed N]: seed after seed until one fails.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sim/world.h"

int main(int argc, char** argv) {
  std::uint64_t seed = 1;
  bool forever = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--forever") == 0) {
      forever = true;
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: sim [--seed N] [--forever]\n");
      return 2;
    }
  }
  do {
    sluice::sim::World world({.seed = seed});
    const std::string failure = world.run();
    std::printf(
        "seed %llu: %llu deliveries, %llu gaps%s%s\n", static_cast<unsigned long long>(seed),
        static_cast<unsigned long long>(world.deliveries),
        static_cast<unsigned long long>(world.gaps), failure.empty() ? "" : ": ", failure.c_str());
    std::fflush(stdout);
    if (!failure.empty()) return 1;
    ++seed;
  } while (forever);
  return 0;
}
