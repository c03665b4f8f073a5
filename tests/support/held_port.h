// A TCP port of the loopback that nobody else of the tests is given while this lives.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "common/unique_fd.h"

namespace sluice::test {

/// Keeps a socket bound, without listening. Servers that set SO_REUSEADDR or SO_REUSEPORT before
/// they bind, as they all do, get the port nevertheless; the kernel and other HeldPorts don't
/// choose it. Merely asking for a free port and letting go of it is not enough: HAProxy binds with
/// SO_REUSEPORT, so that of two frontends with the same port neither hears of the other
/// (socket(7)).
class HeldPort {
 public:
  /// `port`, or with 0 one that the kernel chooses. Nothing, where it is taken.
  static std::optional<HeldPort> take(std::uint16_t port) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t length = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd.get(), generic, length) != 0) return std::nullopt;
    if (::getsockname(fd.get(), generic, &length) != 0) return std::nullopt;
    // Only now: before the bind they would let us share a port that somebody has.
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    return HeldPort(std::move(fd), ntohs(address.sin_port));
  }
  [[nodiscard]] std::uint16_t number() const { return number_; }

 private:
  HeldPort(UniqueFd fd, std::uint16_t number) : fd_(std::move(fd)), number_(number) {}

  UniqueFd fd_;
  std::uint16_t number_;
};

}  // namespace sluice::test
