#include "relay/handover/relay_state.h"

#include <unordered_set>

#include "relay/handover/link_state.h"
#include "relay/handover/memory_broker_codec.h"
#include "relay/handover/router_codec.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kLinkBytesMin = 64;
constexpr std::size_t kAddressBytesMax = 4096;

/// Each link of the Router has its connection, and the other way round.
void check_links(StateReader& in, const Router& router, const Descriptors& descriptors,
                 const std::vector<LinkState>& links) {
  std::unordered_set<std::uint64_t> named;
  std::unordered_set<int> sockets;
  for (const LinkState& link : links) {
    in.require(descriptors.has(link.descriptor) && sockets.insert(link.descriptor).second,
               "link's descriptor", "is not there");
    if (link.session.link == 0) continue;
    in.require(router.adoptable(link.session.link) && named.insert(link.session.link).second,
               "link's number", "is none, or there twice");
  }
  in.require(named.size() == router.all_links(), "gateway's link", "has no connection");
}

/// What the Router has is what the broker is to bring.
void check_channels(StateReader& in, const RelayParts& parts) {
  for (const auto& [name, channel] : parts.router.channel_table()) {
    parts.broker.subscribe(name, channel->options);
    const bool confirmed = parts.redis != nullptr && parts.redis->is_confirmed(name);
    in.require(channel->confirmed || !confirmed, "channel's confirmation", "was not heard");
  }
  const std::size_t wanted =
      parts.redis == nullptr ? parts.router.channels() : parts.redis->wanted();
  in.require(wanted == parts.router.channels(), "wanted channels", "are wanted by nobody");
}

}  // namespace

Preamble make_preamble(const RelayParts& parts, const std::vector<LinkState>& links,
                       int link_socket, int admin_socket, int api_socket) {
  Preamble preamble{.link_socket = link_socket, .admin_socket = admin_socket, .others = {}};
  for (const LinkState& link : links) preamble.others.push_back(link.descriptor);
  if (api_socket >= 0) preamble.others.push_back(api_socket);
  if (parts.redis != nullptr) {
    for (const int fd : parts.redis->descriptors()) preamble.others.push_back(fd);
  }
  return preamble;
}

void write_state(StateWriter& out, const RelayParts& parts, const Leftovers& leftovers) {
  out.text(parts.broker.describe());
  out.time(leftovers.stopped_at);
  RouterCodec::write(out, parts.router);
  if (parts.redis != nullptr) parts.redis->save(out);
  if (parts.memory != nullptr) MemoryBrokerCodec::write(out, *parts.memory);
  out.counters(leftovers.link_stats);
  out.number<std::uint64_t>(leftovers.links.size());
  for (const LinkState& link : leftovers.links) write(out, link);
  out.number<std::int32_t>(leftovers.api_socket);
}

Leftovers read_state(StateReader& in, const RelayParts& parts, Descriptors& descriptors) {
  Leftovers leftovers;
  in.require(in.text("broker's address", kAddressBytesMax) == parts.broker.describe(),
             "broker's address", "is another one now");
  leftovers.stopped_at = in.time("time of the switch");
  leftovers.unanswered = RouterCodec::read(in, parts.router);
  if (parts.redis != nullptr && in.good()) parts.redis->resume(in, descriptors);
  if (parts.memory != nullptr && in.good()) MemoryBrokerCodec::read(in, *parts.memory);
  leftovers.link_stats = in.counters<LinkStats>("links' counters");
  const std::size_t links = in.count("links", kLinkBytesMin);
  for (std::size_t i = 0; i < links && in.good(); ++i) leftovers.links.push_back(read_link(in));
  leftovers.api_socket = in.number<std::int32_t>("API's socket");
  in.require(leftovers.api_socket == -1 || descriptors.has(leftovers.api_socket), "API's socket",
             "was not carried");
  in.must_end();
  if (in.good()) check_links(in, parts.router, descriptors, leftovers.links);
  if (in.good()) check_channels(in, parts);
  return leftovers;
}

}  // namespace sluice::relay
