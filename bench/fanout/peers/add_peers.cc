#include <sys/resource.h>

#include "bench/fanout/peers/peers.h"

namespace sluice::fanout {

std::uint64_t descriptors_max() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : 0;
}

std::optional<std::string> lacks_descriptors(const Needs& needs) {
  const std::uint64_t wanted = needs.clients + kPeerDescriptors;
  const std::uint64_t limit = descriptors_max();
  if (limit >= wanted) return std::nullopt;
  return "needs " + std::to_string(wanted) + " descriptors, the limit is " + std::to_string(limit);
}

void add_peers(std::vector<std::unique_ptr<ServerUnderTest>>& servers) {
  servers.push_back(make_nchan());
  servers.push_back(make_mosquitto());
  servers.push_back(make_node_ws());
  servers.push_back(make_socketio());
  servers.push_back(make_article());
}

}  // namespace sluice::fanout
