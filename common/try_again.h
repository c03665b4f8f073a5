// What a non-blocking socket call says when it has only to be tried again later (accept(2),
// recv(2), send(2)).
#pragma once

#include <cerrno>

namespace sluice {

[[nodiscard]] inline bool try_again(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace sluice
