// What a user would pick instead of Sluice. One server each, one file each.
#pragma once

#include <memory>

#include "bench/fanout/server.h"

namespace sluice::fanout {

/// Descriptors beside those of the clients.
inline constexpr std::size_t kPeerDescriptors = 500;

/// Soft and hard limit for a server's process: the machine's own hard one.
[[nodiscard]] std::uint64_t descriptors_max();
/// "needs N descriptors, …"; nothing when there are enough.
[[nodiscard]] std::optional<std::string> lacks_descriptors(const Needs& needs);

[[nodiscard]] std::unique_ptr<ServerUnderTest> make_nchan();
[[nodiscard]] std::unique_ptr<ServerUnderTest> make_mosquitto();
[[nodiscard]] std::unique_ptr<ServerUnderTest> make_node_ws();
[[nodiscard]] std::unique_ptr<ServerUnderTest> make_socketio();
[[nodiscard]] std::unique_ptr<ServerUnderTest> make_article();

}  // namespace sluice::fanout
