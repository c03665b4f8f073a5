#include "relay/brokers/redis_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

/// A kernel that does not know one of them loses nothing that the PINGs don't find.
void set_tcp_options(int fd) {
  const auto set = [fd](int level, int option, int value) {
    (void)::setsockopt(fd, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

tl::unexpected<Error> password_fault(const std::string& path, const std::string& what) {
  return fail(ErrorCode::kUnavailable, "--broker-password-file " + path + ": " + what);
}

}  // namespace

std::string connect_failure(const RedisEndpoint& endpoint, int error) {
  return "can't connect to " + endpoint.name + ": " + std::strerror(error);
}

Result<RedisSocket> begin_connect(const RedisEndpoint& endpoint) {
  const int family = endpoint.address.ss_family;
  RedisSocket socket;
  socket.fd = UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.fd.valid()) return fail(ErrorCode::kSystem, connect_failure(endpoint, errno));
  if (family != AF_UNIX) set_tcp_options(socket.fd.get());
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  socket.connected = ::connect(socket.fd.get(), address, endpoint.length) == 0;
  if (!socket.connected && errno != EINPROGRESS) {
    return fail(ErrorCode::kUnavailable, connect_failure(endpoint, errno));
  }
  return socket;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

Result<std::string> read_password_file(const std::string& path) {
  // Non-blocking: a named pipe without a writer must not stop the loop.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return password_fault(path, std::strerror(errno));
  std::array<char, kPasswordBytesMax + 2> buffer;
  std::size_t have = 0;
  while (have < buffer.size()) {
    const ssize_t got = ::read(file.get(), buffer.data() + have, buffer.size() - have);
    if (got < 0) return password_fault(path, std::strerror(errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  std::string text(buffer.data(), have);
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) return password_fault(path, "is empty");
  if (text.size() > kPasswordBytesMax) {
    return password_fault(
        path, "has more than " + std::to_string(kPasswordBytesMax) + " bytes in a line");
  }
  return text;
}

}  // namespace sluice::relay
