#include "gateway/recv_hook.h"

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>

namespace {

/// Of the thread that set it: libraries look names up in threads of their own, and what those
/// receive is none of a client's.
thread_local sluice::gateway::ReceiveFilter* receive_filter = nullptr;

}  // namespace

// By its own name and a label: with _FORTIFY_SOURCE the header's recv is an inline function, which
// can't be defined again.
extern "C" __attribute__((visibility("default"))) ssize_t sluice_recv(int fd, void* buffer,
                                                                      size_t size,
                                                                      int flags) noexcept
    __asm__("recv");

extern "C" ssize_t sluice_recv(int fd, void* buffer, size_t size, int flags) noexcept {
  if (receive_filter != nullptr && !receive_filter->receiving(fd)) {
    errno = EAGAIN;
    return -1;
  }
  // glibc's recv is this very call.
  const ssize_t n = ::recvfrom(fd, buffer, size, flags, nullptr, nullptr);
  if (n <= 0 || receive_filter == nullptr || (flags & MSG_PEEK) != 0) return n;
  const std::size_t kept = receive_filter->received(
      fd, {static_cast<std::uint8_t*>(buffer), static_cast<std::size_t>(n)});
  if (kept > 0) return static_cast<ssize_t>(kept);
  errno = EAGAIN;
  return -1;
}

namespace sluice::gateway {

void set_receive_filter(ReceiveFilter* filter) {
  receive_filter = filter;
}

bool receive_hook_bound() {
  return ::dlsym(RTLD_DEFAULT, "recv") == reinterpret_cast<void*>(&sluice_recv);
}

}  // namespace sluice::gateway
