#include "gateway/handoff/decoy_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace sluice::gateway {
namespace {

/// Some 130 bytes are expected.
constexpr std::size_t kAnswerBytesMax = 1024;

}  // namespace

Result<DecoySocket> DecoySocket::open() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail(ErrorCode::kSystem, std::string("socketpair: ") + std::strerror(errno));
  return DecoySocket(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

bool DecoySocket::shaken() const {
  std::array<char, kAnswerBytesMax> buffer;
  const ssize_t n = ::read(ours_.get(), buffer.data(), buffer.size());
  if (n <= 0) return false;
  const std::string_view answer(buffer.data(), static_cast<std::size_t>(n));
  constexpr std::string_view kEnd = "\r\n\r\n";
  return answer.starts_with("HTTP/1.1 101 ") && answer.find(kEnd) == answer.size() - kEnd.size();
}

bool DecoySocket::replace(int number, const UniqueFd& socket) {
  return ::dup3(socket.get(), number, O_CLOEXEC) == number;
}

}  // namespace sluice::gateway
