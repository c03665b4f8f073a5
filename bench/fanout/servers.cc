#include "bench/fanout/servers.h"

namespace sluice::fanout {

std::vector<std::unique_ptr<ServerUnderTest>> make_servers() {
  std::vector<std::unique_ptr<ServerUnderTest>> servers;
  add_floors(servers);
  add_sluice(servers);
#ifdef SLUICE_BENCH_PEERS
  add_peers(servers);
#endif
  return servers;
}

}  // namespace sluice::fanout
