// The ways in which a gateway sends, as far as this machine has them.
#pragma once

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/unique_fd.h"

namespace sluice::test {

/// Containers and administrators may forbid it.
inline bool io_uring_allowed() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const UniqueFd ring(static_cast<int>(::syscall(SYS_io_uring_setup, 4, &params)));
  return ring.valid();
}

}  // namespace sluice::test
