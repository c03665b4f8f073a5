#include "common/address.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

#include "common/ip.h"
#include "common/sockaddr.h"

namespace sluice {
namespace {

/// One try per millisecond.
constexpr int kDirectoryLockTries = 100;

std::string errno_text() {
  return std::strerror(errno);
}

bool parse_number(std::string_view text, unsigned& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

Result<Address> bad(std::string_view text) {
  return fail(ErrorCode::kInvalid, "'" + std::string(text) +
                                       "' is not an address: ADDR:PORT, [ADDR6]:PORT (both in "
                                       "digits), *:PORT, unix:PATH or fd:N");
}

bool unix_address(const std::string& path, sockaddr_un& out) {
  if (path.empty() || path.size() >= sizeof out.sun_path) return false;
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.c_str(), path.size() + 1);
  return true;
}

Result<UniqueFd> new_socket(int family, int type = SOCK_STREAM) {
  UniqueFd fd(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(ErrorCode::kSystem, "no socket: " + errno_text());
  return fd;
}

Result<UniqueFd> listen_tcp(const Address& address, const ListenOptions& options) {
  sockaddr_storage storage{};
  const std::string host = address.host == "*" ? "0.0.0.0" : address.host;
  const auto ip = IpAddress::parse(host);
  if (!ip) return tl::make_unexpected(ip.error());
  const socklen_t length = to_sockaddr(*ip, address.port, storage);
  auto fd = new_socket(storage.ss_family);
  if (!fd) return fd;
  const int one = 1;
  ::setsockopt(fd->get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (::bind(fd->get(), reinterpret_cast<sockaddr*>(&storage), length) != 0 ||
      ::listen(fd->get(), options.backlog) != 0) {
    const std::string where = to_string(address);
    switch (errno) {
      case EADDRINUSE:
        return fail(ErrorCode::kInUse,
                    where + " is in use: stop what listens there or choose another port");
      case EACCES:
        return fail(ErrorCode::kPermission,
                    where + ": no permission; ports below 1024 need CAP_NET_BIND_SERVICE");
      case EADDRNOTAVAIL:
        return fail(ErrorCode::kInvalid, where + ": this host has no such address");
      default:
        return fail(ErrorCode::kSystem, where + ": " + errno_text());
    }
  }
  return fd;
}

/// Makes way for a new socket at `path`: a stale one goes, a live one or another kind of file does
/// not.
Result<void> clear_path(const std::string& path, const sockaddr_un& name, int type) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) {
    return fail(ErrorCode::kInUse,
                "unix:" + path + " exists and is not a socket: choose another path");
  }
  auto probe = new_socket(AF_UNIX, type);
  if (!probe) return tl::make_unexpected(probe.error());
  const bool connected =
      ::connect(probe->get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  if (connected || errno == EAGAIN) {
    return fail(
        ErrorCode::kInUse,
        "unix:" + path + " is live: stop the process that listens there or choose another path");
  }
  if (errno == EACCES) {
    return fail(ErrorCode::kPermission,
                "unix:" + path + ": no permission to see whether it is live");
  }
  // Only this answer says that nobody is behind it. A live datagram socket, for one, gives another.
  if (errno != ECONNREFUSED && errno != ENOENT) {
    return fail(ErrorCode::kInUse, "unix:" + path + " can't be replaced: " + errno_text());
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail(ErrorCode::kPermission,
                "unix:" + path + " is stale and can't be removed: " + errno_text());
  }
  return {};
}

/// While it lives, no other process of ours stands between clearing a path of that directory and
/// listening there: a socket that is bound but does not listen yet looks stale.
UniqueFd lock_directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Not to be had: we go on without, bind() says what is wrong with the directory. The lock is held
  // for microseconds; a stranger who keeps it longer does not keep us from starting.
  constexpr timespec kPause{0, 1'000'000};
  for (int tries = 0; fd.valid() && tries < kDirectoryLockTries; ++tries) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) break;
    ::nanosleep(&kPause, nullptr);
  }
  return fd;
}

Result<UniqueFd> listen_unix(const Address& address, const ListenOptions& options) {
  sockaddr_un name{};
  if (!unix_address(address.path, name)) {
    return fail(ErrorCode::kInvalid, "unix:" + address.path + ": a socket path has 1 to 107 bytes");
  }
  const UniqueFd lock = lock_directory_of(address.path);
  const int type = options.unix_packets ? SOCK_SEQPACKET : SOCK_STREAM;
  if (auto cleared = clear_path(address.path, name, type); !cleared) {
    return tl::make_unexpected(cleared.error());
  }
  auto fd = new_socket(AF_UNIX, type);
  if (!fd) return fd;
  // Nobody can connect before listen(), so the mode is right from the first connection on.
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd->get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const int bind_errno = errno;
  ::umask(before);
  if (bound != 0) {
    errno = bind_errno;
    return fail(errno == EADDRINUSE ? ErrorCode::kInUse : ErrorCode::kPermission,
                "unix:" + address.path + ": " + errno_text() +
                    "; does the directory exist, and may we write there?");
  }
  if (::chmod(address.path.c_str(), options.unix_mode) != 0 ||
      ::listen(fd->get(), options.backlog) != 0) {
    auto failure = fail(ErrorCode::kSystem, "unix:" + address.path + ": " + errno_text());
    ::unlink(address.path.c_str());
    return failure;
  }
  return fd;
}

Result<UniqueFd> take_inherited(const Address& address) {
  int listening = 0;
  socklen_t length = sizeof listening;
  const std::string where = to_string(address);
  if (::getsockopt(address.fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0 ||
      listening == 0) {
    return fail(ErrorCode::kInvalid, where + " is not an inherited listening socket");
  }
  if (::fcntl(address.fd, F_SETFL, ::fcntl(address.fd, F_GETFL) | O_NONBLOCK) != 0 ||
      ::fcntl(address.fd, F_SETFD, FD_CLOEXEC) != 0) {
    return fail(ErrorCode::kSystem, where + ": " + errno_text());
  }
  return UniqueFd(address.fd);
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    address.kind = Address::Kind::kUnix;
    address.path = text.substr(5);
    if (address.path.empty() || address.path.size() > 107) {
      return fail(ErrorCode::kInvalid,
                  "'" + std::string(text) + "': a socket path has 1 to 107 bytes");
    }
    // The system would take the path to its end there, or for a name outside the file system.
    if (address.path.find('\0') != std::string::npos)
      return fail(ErrorCode::kInvalid, "a socket path has no 0 byte");
    return address;
  }
  unsigned number = 0;
  if (text.starts_with("fd:")) {
    address.kind = Address::Kind::kFd;
    if (!parse_number(text.substr(3), number) || number > 1U << 20U) return bad(text);
    address.fd = static_cast<int>(number);
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !parse_number(text.substr(colon + 1), number) ||
      number > 65535)
    return bad(text);
  address.port = static_cast<std::uint16_t>(number);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host != "*") {
    const auto ip = IpAddress::parse(host);
    if (!ip || bracketed != (host.find(':') != std::string_view::npos)) return bad(text);
  }
  address.host = host;
  return address;
}

std::string to_string(const Address& address) {
  switch (address.kind) {
    case Address::Kind::kUnix:
      return "unix:" + address.path;
    case Address::Kind::kFd:
      return "fd:" + std::to_string(address.fd);
    case Address::Kind::kTcp:
      break;
  }
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<UniqueFd> listen_on(const Address& address, const ListenOptions& options) {
  switch (address.kind) {
    case Address::Kind::kTcp:
      return listen_tcp(address, options);
    case Address::Kind::kUnix:
      return listen_unix(address, options);
    case Address::Kind::kFd:
      return take_inherited(address);
  }
  return fail(ErrorCode::kInvalid, "unknown kind of address");
}

Result<UniqueFd> connect_unix(const std::string& path, bool packets) {
  sockaddr_un name{};
  if (!unix_address(path, name))
    return fail(ErrorCode::kInvalid, "unix:" + path + ": a socket path has 1 to 107 bytes");
  auto fd = new_socket(AF_UNIX, packets ? SOCK_SEQPACKET : SOCK_STREAM);
  if (!fd) return fd;
  if (::connect(fd->get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return fd;
  switch (errno) {
    case ENOENT:
      return fail(ErrorCode::kUnavailable, "nothing there yet");
    case ECONNREFUSED:
      return fail(ErrorCode::kUnavailable, "nobody listens");
    case EAGAIN:
      return fail(ErrorCode::kUnavailable, "its queue of connections is full");
    case EACCES:
      return fail(ErrorCode::kPermission,
                  "no permission to connect: check --socket-mode of the relay and our group");
    default:
      return fail(ErrorCode::kUnavailable, errno_text());
  }
}

std::string listening_name(const Address& address, int fd) {
  return address.kind == Address::Kind::kUnix ? to_string(address) : local_name(fd);
}

std::string local_name(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "?";
  Address address;
  address.host = to_string(IpAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(storage)));
  if (storage.ss_family == AF_INET) {
    address.port = ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  } else if (storage.ss_family == AF_INET6) {
    address.port = ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
  } else {
    address.kind = Address::Kind::kUnix;
    address.path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  }
  return to_string(address);
}

}  // namespace sluice
