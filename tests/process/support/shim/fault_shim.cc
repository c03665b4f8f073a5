// For tests alone: a library that stands between a daemon and libc (LD_PRELOAD) and lets system
// calls fail as the rules in a mapped page say. Without the page it passes everything on.
#include "tests/process/support/shim/fault_shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace {

using namespace sluice::test;

FaultPage* map_page() {
  const char* path = std::getenv(kFaultFileVariable);
  if (path == nullptr) return nullptr;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) std::abort();
  void* page = ::mmap(nullptr, sizeof(FaultPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) std::abort();
  ::close(fd);
  return static_cast<FaultPage*>(page);
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

int family_of(int fd) {
  int family = 0;
  socklen_t size = sizeof family;
  const int saved = errno;
  const bool known = ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0;
  errno = saved;
  return known ? family : -1;
}

/// 0: let it pass.
int fault(FaultCall call, int family) {
  static FaultPage* const page = map_page();
  if (page == nullptr) return 0;
  FaultRule& rule = page->rules[static_cast<std::uint32_t>(call)];
  const int error = rule.error.load();
  if (error == 0 || family < 0) return 0;
  if (rule.family.load() != 0 && family != rule.family.load()) return 0;
  const std::uint64_t number = rule.calls.fetch_add(1) + 1;
  if (number % rule.every.load() != 0) return 0;
  rule.failed.fetch_add(1);
  if (error != kPartial) errno = error;
  return error;
}

/// Asked only where a rule may want it: a family costs a system call.
int fault_on(FaultCall call, int fd) {
  return fault(call, family_of(fd));
}

}  // namespace

extern "C" {

int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  static auto* const real = next<decltype(::accept4)>("accept4");
  return fault_on(FaultCall::kAccept, fd) != 0 ? -1 : real(fd, address, length, flags);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  static auto* const real = next<decltype(::send)>("send");
  const int error = fault_on(FaultCall::kSend, fd);
  if (error == kPartial) return real(fd, bytes, size > 0 ? 1 : 0, flags);
  return error != 0 ? -1 : real(fd, bytes, size, flags);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const real = next<decltype(::sendmsg)>("sendmsg");
  const int error = fault_on(FaultCall::kSend, fd);
  if (error != kPartial) return error != 0 ? -1 : real(fd, message, flags);
  msghdr part = *message;
  for (size_t i = 0; i < part.msg_iovlen; ++i) {
    if (part.msg_iov[i].iov_len == 0) continue;
    iovec first{part.msg_iov[i].iov_base, 1};
    part.msg_iov = &first;
    part.msg_iovlen = 1;
    return real(fd, &part, flags);
  }
  return real(fd, message, flags);
}

ssize_t recv(int fd, void* bytes, size_t size, int flags) {
  static auto* const real = next<decltype(::recv)>("recv");
  return fault_on(FaultCall::kReceive, fd) != 0 ? -1 : real(fd, bytes, size, flags);
}

ssize_t recvmsg(int fd, msghdr* message, int flags) {
  static auto* const real = next<decltype(::recvmsg)>("recvmsg");
  return fault_on(FaultCall::kReceive, fd) != 0 ? -1 : real(fd, message, flags);
}

ssize_t read(int fd, void* bytes, size_t size) {
  static auto* const real = next<decltype(::read)>("read");
  return fault_on(FaultCall::kReceive, fd) != 0 ? -1 : real(fd, bytes, size);
}

int epoll_wait(int fd, epoll_event* events, int count, int timeout) {
  static auto* const real = next<decltype(::epoll_wait)>("epoll_wait");
  return fault(FaultCall::kPoll, 0) != 0 ? -1 : real(fd, events, count, timeout);
}

int socket(int domain, int type, int protocol) noexcept {
  static auto* const real = next<decltype(::socket)>("socket");
  return fault(FaultCall::kSocket, domain) != 0 ? -1 : real(domain, type, protocol);
}

int connect(int fd, const sockaddr* address, socklen_t length) {
  static auto* const real = next<decltype(::connect)>("connect");
  return fault(FaultCall::kConnect, address->sa_family) != 0 ? -1 : real(fd, address, length);
}

}  // extern "C"
