// The bench's own servers.
#pragma once

#include "bench/fanout/server.h"

namespace sluice::fanout {

void add_floors(std::vector<std::unique_ptr<ServerUnderTest>>& servers);
void add_sluice(std::vector<std::unique_ptr<ServerUnderTest>>& servers);

/// W5: the relay without a gateway. Its plan's endpoint is the relay's socket.
[[nodiscard]] std::unique_ptr<ServerUnderTest> make_relay_alone();

/// Clients that a process has no descriptors for are refused before anything is started.
[[nodiscard]] std::optional<std::string> short_of_descriptors(std::size_t clients);

/// Why there is no io_uring of the kind that both io_uring servers use: an old kernel, or a
/// container that forbids it.
[[nodiscard]] std::optional<std::string> no_io_uring();

}  // namespace sluice::fanout
