#include "ctl/haproxy_lint/probe_gateway.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/ip.h"
#include "common/try_again.h"
#include "common/unique_fd.h"

namespace sluice::ctl {
namespace {

using namespace std::string_view_literals;

constexpr Duration kAnswerWait = std::chrono::seconds(2);

/// Version 2, LOCAL: the balancer speaks for itself (PROXY protocol, 2.2).
constexpr std::string_view kLocalHeader = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"sv;
constexpr std::string_view kRequest =
    "GET /readyz HTTP/1.1\r\nHost: sluice\r\nConnection: close\r\n\r\n";
constexpr std::string_view kHttp = "HTTP/";

/// Milliseconds until then, 0 when it has passed.
int left_ms(TimePoint deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyTime().now());
  return left.count() > 0 ? static_cast<int>(left.count()) : 0;
}

bool ready(int fd, short events, TimePoint deadline) {
  for (;;) {
    pollfd wait_for{fd, events, 0};
    const int left = left_ms(deadline);
    if (left == 0) return false;
    const int n = ::poll(&wait_for, 1, left);
    if (n > 0) return true;
    if (n < 0 && errno != EINTR) return false;
  }
}

Result<UniqueFd> connect_tcp(const Address& address, TimePoint deadline) {
  const auto ip = IpAddress::parse(address.host == "*" ? "127.0.0.1" : address.host);
  if (!ip) return tl::make_unexpected(ip.error());
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const bool is_v4 = ip->is_v4();
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  std::memcpy(&v4.sin_addr, ip->bytes.data() + 12, sizeof v4.sin_addr);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, ip->bytes.data(), sizeof v6.sin6_addr);
  UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(ErrorCode::kSystem, std::strerror(errno));
  const auto* name =
      is_v4 ? reinterpret_cast<const sockaddr*>(&v4) : reinterpret_cast<const sockaddr*>(&v6);
  int error = ::connect(fd.get(), name, is_v4 ? sizeof v4 : sizeof v6) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    if (!ready(fd.get(), POLLOUT, deadline)) return fail(ErrorCode::kUnavailable, "no answer");
    socklen_t length = sizeof error;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error != 0) return fail(ErrorCode::kUnavailable, std::strerror(error));
  return fd;
}

/// True: an HTTP answer; false: closed without one.
Result<bool> answered(const Address& address, std::string_view prefix) {
  const TimePoint deadline = SteadyTime().now() + kAnswerWait;
  auto fd = address.kind == Address::Kind::kUnix ? connect_unix(address.path)
                                                 : connect_tcp(address, deadline);
  if (!fd) return tl::make_unexpected(fd.error());
  const std::string request = std::string(prefix) + std::string(kRequest);
  // So few bytes fit into any socket. A gateway that has closed by now says so when we read.
  static_cast<void>(::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL));
  std::string got;
  while (got.size() < kHttp.size()) {
    if (!ready(fd->get(), POLLIN, deadline))
      return fail(ErrorCode::kUnavailable, "neither answers nor closes within 2 s");
    std::array<char, 256> chunk;
    const ssize_t n = ::recv(fd->get(), chunk.data(), chunk.size(), 0);
    if (n < 0 && try_again(errno)) continue;
    if (n <= 0) return false;
    got.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return got.starts_with(kHttp);
}

}  // namespace

Result<GatewayAnswers> probe_gateway(const Address& address) {
  const auto plain = answered(address, {});
  if (!plain) return tl::make_unexpected(plain.error());
  const auto proxied = answered(address, kLocalHeader);
  if (!proxied) return tl::make_unexpected(proxied.error());
  return GatewayAnswers{to_string(address), *plain, *proxied};
}

}  // namespace sluice::ctl
