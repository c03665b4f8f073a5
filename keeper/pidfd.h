// A process by a descriptor (pidfd_open): it can't be mistaken for another, whoever gets its
// number.
#pragma once

#include <optional>

#include <sys/types.h>

namespace sluice::keeper {

/// The process has ended: none of its threads will ever run again.
[[nodiscard]] bool process_ended(int pidfd);
/// Its number, as it is seen from here: 0 where it is not of our namespace, -1 when it has ended
/// and was waited for. Nothing: the descriptor is no pidfd.
[[nodiscard]] std::optional<pid_t> process_of(int pidfd);

}  // namespace sluice::keeper
