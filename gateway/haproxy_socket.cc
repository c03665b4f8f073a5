#include "gateway/haproxy_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/ip.h"
#include "common/sockaddr.h"
#include "common/try_again.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

constexpr std::size_t kReadBytes = 16U << 10U;

std::string why_not(int error) {
  switch (error) {
    case ENOENT:
      return "nothing there yet";
    case ECONNREFUSED:
      return "nobody listens";
    case EACCES:
      return "no permission to connect: our user must be let in by `mode`, `user` or `group` of "
             "its "
             "`stats socket` line";
    default:
      return std::strerror(error);
  }
}

/// A connection that may still be under way.
Result<UniqueFd> dial_tcp(const Address& address) {
  const auto ip = IpAddress::parse(address.host);
  if (!ip) return tl::make_unexpected(ip.error());
  sockaddr_storage storage{};
  const socklen_t length = to_sockaddr(*ip, address.port, storage);
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(ErrorCode::kSystem, std::strerror(errno));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno != EINPROGRESS) {
    return fail(ErrorCode::kUnavailable, why_not(errno));
  }
  return fd;
}

Result<UniqueFd> dial(const Address& address) {
  if (address.kind == Address::Kind::kTcp) return dial_tcp(address);
  auto fd = connect_unix(address.path);
  if (!fd && fd.error().code == ErrorCode::kPermission)
    return fail(ErrorCode::kPermission, why_not(EACCES));
  return fd;
}

}  // namespace

HaproxySocket::HaproxySocket(EventLoop& loop, Address address)
    : loop_(loop), address_(std::move(address)), timer_(loop, [this] { out_of_time(); }) {
}

void HaproxySocket::run(const std::string& command, Duration within, Done done) {
  CHECK(!busy());
  done_ = std::move(done);
  not_dialled_.reset();
  unsent_ = command + "\n";
  auto fd = dial(address_);
  if (!fd) {
    // Told from the loop, like every other outcome.
    not_dialled_ = fd.error();
    timer_.start_once(Duration::zero());
    return;
  }
  fd_ = std::move(*fd);
  connecting_ = address_.kind == Address::Kind::kTcp;
  watcher_.emplace(loop_, fd_.get(), [this](IoEvents ready) { on_ready(ready); });
  watcher_->watch(kIoRead | kIoWrite);
  timer_.start_once(within);
}

void HaproxySocket::out_of_time() {
  if (not_dialled_) return end(tl::make_unexpected(*not_dialled_));
  end(fail(ErrorCode::kUnavailable, connecting_ ? "it can't be reached" : "it does not answer"));
}

void HaproxySocket::on_ready(IoEvents events) {
  if (connecting_ && !connected()) return;
  if (!unsent_.empty()) {
    write_some();
  } else if ((events & kIoRead) != 0) {
    read_some();
  }
}

bool HaproxySocket::connected() {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error != 0) {
    end(fail(ErrorCode::kUnavailable, why_not(error)));
    return false;
  }
  connecting_ = false;
  return true;
}

void HaproxySocket::write_some() {
  const ssize_t n = ::send(fd_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) {
    if (try_again(errno)) return;
    return end(fail(ErrorCode::kUnavailable,
                    std::string("the connection broke: ") + std::strerror(errno)));
  }
  unsent_.erase(0, static_cast<std::size_t>(n));
  if (unsent_.empty()) watcher_->watch(kIoRead);
}

// HAProxy closes when it has answered a line that did not begin with `prompt`.
void HaproxySocket::read_some() {
  std::array<char, kReadBytes> buffer;
  const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0) {
    if (try_again(errno)) return;
    return end(fail(ErrorCode::kUnavailable,
                    std::string("the connection broke: ") + std::strerror(errno)));
  }
  if (n == 0) {
    if (reply_.empty()) return end(fail(ErrorCode::kUnavailable, "it closed without an answer"));
    return end(std::move(reply_));
  }
  if (reply_.size() + static_cast<std::size_t>(n) > kHaproxyReplyBytesMax)
    return end(fail(ErrorCode::kTooLarge, "its answer is too long"));
  reply_.append(buffer.data(), static_cast<std::size_t>(n));
}

void HaproxySocket::end(Result<std::string> reply) {
  timer_.stop();
  watcher_.reset();
  fd_.reset();
  reply_.clear();
  std::exchange(done_, nullptr)(std::move(reply));
}

}  // namespace sluice::gateway
