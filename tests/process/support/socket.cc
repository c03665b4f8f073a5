// Sockets with deadlines.
#include "tests/process/support/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "tests/support/held_port.h"

namespace sluice::test {
namespace {

sockaddr_in inet_address(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw HarnessError("not an IPv4 address: " + host);
  }
  return address;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw HarnessError("path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr* generic(const sockaddr_in& a) {
  return reinterpret_cast<const sockaddr*>(&a);
}
const sockaddr* generic(const sockaddr_un& a) {
  return reinterpret_cast<const sockaddr*>(&a);
}

bool wait_for(int fd, short events, const Deadline& deadline) {
  pollfd entry{fd, events, 0};
  int ready = 0;
  do {
    ready = ::poll(&entry, 1, deadline.left_ms());
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

Endpoint Endpoint::parse(const std::string& text) {
  Endpoint endpoint;
  if (text.rfind("unix:", 0) == 0) {
    endpoint.path = text.substr(5);
    return endpoint;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw HarnessError("not an address: " + text);
  endpoint.host = text.substr(0, colon);
  endpoint.port = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)));
  return endpoint;
}

std::string Endpoint::text() const {
  return path.empty() ? host + ":" + std::to_string(port) : "unix:" + path;
}

UniqueFd open_socket(const Endpoint& to, bool blocking, int receive_buffer, int segment_bytes) {
  const int family = to.path.empty() ? AF_INET : AF_UNIX;
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) throw_errno("socket");
  if (receive_buffer > 0) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  }
  int failed = 0;
  if (family == AF_INET) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (segment_bytes > 0) {
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
    }
    if (!to.source.empty()) {
      const sockaddr_in from = inet_address(to.source, 0);
      if (::bind(fd.get(), generic(from), sizeof from) != 0) throw_errno("bind " + to.source);
    }
    const sockaddr_in address = inet_address(to.host, to.port);
    failed = ::connect(fd.get(), generic(address), sizeof address);
  } else {
    const sockaddr_un address = unix_address(to.path);
    failed = ::connect(fd.get(), generic(address), sizeof address);
  }
  if (failed != 0 && errno != EINPROGRESS) throw_errno("connect " + to.text());
  if (blocking) {
    if (!wait_for(fd.get(), POLLOUT, Deadline::in(5s))) {
      throw HarnessError("connect timed out: " + to.text());
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    if (error != 0) throw_errno("connect " + to.text());
  }
  return fd;
}

Socket Socket::connect(const Endpoint& to, Millis wait, int receive_buffer) {
  const Deadline deadline = Deadline::in(wait);
  while (true) {
    try {
      return Socket(open_socket(to, true, receive_buffer));
    } catch (const HarnessError&) {
      // A Unix socket with a full backlog says EAGAIN; everything else is final.
      if (errno != EAGAIN || deadline.passed()) throw;
      ::poll(nullptr, 0, 5);
    }
  }
}

bool Socket::try_send(std::string_view bytes, Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    if (!wait_for(fd_.get(), POLLOUT, deadline)) throw HarnessError("peer takes no bytes");
  }
  return true;
}

void Socket::send_all(std::string_view bytes, Millis wait) {
  if (!try_send(bytes, wait)) throw_errno("send");
}

ReadResult Socket::read_some(Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  ReadResult result;
  char buffer[65536];
  while (true) {
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0) {
      result.end = ReadEnd::kData;
      result.data.assign(buffer, static_cast<std::size_t>(got));
      return result;
    }
    if (got == 0) {
      result.end = ReadEnd::kEof;
      return result;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      result.end = ReadEnd::kReset;
      return result;
    }
    if (!wait_for(fd_.get(), POLLIN, deadline)) return result;
  }
}

std::string Socket::read_all(Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  std::string all;
  while (true) {
    const ReadResult part = read_some(Millis(deadline.left_ms()));
    if (part.end != ReadEnd::kData) return all;
    all += part.data;
  }
}

void Socket::shut_write() {
  ::shutdown(fd_.get(), SHUT_WR);
}

void Socket::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  fd_.reset();
}

UniqueFd listen_tcp(std::uint16_t port, std::uint16_t* bound) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw_errno("socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address = inet_address("127.0.0.1", port);
  if (::bind(fd.get(), generic(address), sizeof address) != 0) throw_errno("bind");
  if (::listen(fd.get(), 512) != 0) throw_errno("listen");
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  if (bound != nullptr) *bound = ntohs(address.sin_port);
  return fd;
}

UniqueFd listen_unix(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) throw_errno("socket");
  const sockaddr_un address = unix_address(path);
  if (::bind(fd.get(), generic(address), sizeof address) != 0) throw_errno("bind " + path);
  if (::listen(fd.get(), 512) != 0) throw_errno("listen");
  return fd;
}

std::uint16_t free_port() {
  static std::mt19937 random{std::random_device{}()};
  static std::vector<HeldPort> held;
  std::uniform_int_distribution<int> pick(10240, 32000);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::optional<HeldPort> port = HeldPort::take(static_cast<std::uint16_t>(pick(random)));
    if (!port.has_value()) continue;
    held.push_back(std::move(*port));
    return held.back().number();
  }
  throw HarnessError("no free port");
}

}  // namespace sluice::test
