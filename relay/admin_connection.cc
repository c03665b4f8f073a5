#include "relay/admin_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/try_again.h"
#include "relay/admin_request.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

const char* phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

}  // namespace

AdminConnection::AdminConnection(event_base* base, UniqueFd fd, AdminConnectionOwner& owner)
    : fd_(std::move(fd)),
      owner_(owner),
      read_event_(
          make_event<&AdminConnection::on_readable>(base, fd_.get(), EV_READ | EV_PERSIST, this)),
      write_event_(make_event<&AdminConnection::on_writable>(base, fd_.get(), EV_WRITE, this)),
      deadline_event_(make_event<&AdminConnection::on_deadline>(base, -1, 0, this)) {
  event_add(read_event_.get(), nullptr);
  const timeval wait = to_timeval(kAdminWait);
  event_add(deadline_event_.get(), &wait);
}

void AdminConnection::on_readable() {
  if (state_ == State::kReading) {
    read_request();
  } else {
    drain();
  }
}

void AdminConnection::read_request() {
  std::array<char, 4096> chunk;
  const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (got < 0 && try_again(errno)) return;
  if (got <= 0) return close();
  bytes_.append(chunk.data(), static_cast<std::size_t>(got));
  const AdminRequest request = parse_admin_request(bytes_);
  if (request.status == 0) return;
  if (request.status == 200) return reply(owner_.admin_page(request.method, request.target));
  owner_.admin_malformed();
  refuse(request.status, phrase(request.status));
}

void AdminConnection::refuse(int status, std::string_view text) {
  reply({.status = status, .body = std::string(text) + "\n"});
}

void AdminConnection::reply(const HttpReply& page) {
  bytes_ = "HTTP/1.1 " + std::to_string(page.status) + " " + phrase(page.status) +
           "\r\nContent-Type: " + page.content_type +
           "\r\nContent-Length: " + std::to_string(page.body.size()) +
           "\r\nCache-Control: no-store\r\nConnection: close\r\n";
  if (page.status == 405) bytes_ += "Allow: GET\r\n";
  bytes_ += "\r\n" + page.body;
  state_ = State::kWriting;
  event_del(read_event_.get());
  on_writable();
}

void AdminConnection::on_writable() {
  while (sent_ < bytes_.size()) {
    const ssize_t sent = ::send(fd_.get(), bytes_.data() + sent_, bytes_.size() - sent_,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && try_again(errno)) {
      event_add(write_event_.get(), nullptr);
      return;
    }
    if (sent < 0) return close();
    sent_ += static_cast<std::size_t>(sent);
  }
  ::shutdown(fd_.get(), SHUT_WR);
  std::string().swap(bytes_);
  state_ = State::kDraining;
  event_add(read_event_.get(), nullptr);
}

void AdminConnection::drain() {
  std::array<char, 4096> dropped;
  const ssize_t got = ::recv(fd_.get(), dropped.data(), dropped.size(), MSG_DONTWAIT);
  if (got < 0 && try_again(errno)) return;
  if (got <= 0) return close();
  drained_ += static_cast<std::size_t>(got);
  if (drained_ > kAdminDrainBytesMax) close();
}

void AdminConnection::on_deadline() {
  if (state_ != State::kDraining) owner_.admin_timed_out();
  close();
}

void AdminConnection::close() {
  if (std::exchange(state_, State::kClosed) == State::kClosed) return;
  event_del(read_event_.get());
  event_del(write_event_.get());
  event_del(deadline_event_.get());
  owner_.admin_closed(*this);
}

}  // namespace sluice::relay
