#include "relay/api/http_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/try_again.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

const char* phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
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

const char* extra_fields(int status) {
  switch (status) {
    case 401:
      return "WWW-Authenticate: apikey\r\n";
    case 405:
      return "Allow: POST\r\n";
    case 503:
      return "Retry-After: 1\r\n";
    default:
      return "";
  }
}

}  // namespace

HttpConnection::HttpConnection(event_base* base, UniqueFd fd, std::uint64_t id,
                               HttpConnectionOwner& owner)
    : fd_(std::move(fd)),
      id_(id),
      owner_(owner),
      read_event_(
          make_event<&HttpConnection::on_readable>(base, fd_.get(), EV_READ | EV_PERSIST, this)),
      write_event_(make_event<&HttpConnection::on_writable>(base, fd_.get(), EV_WRITE, this)),
      deadline_event_(make_event<&HttpConnection::on_deadline>(base, -1, 0, this)) {
  wait_for_request();
}

// ---- reading

void HttpConnection::wait_for_request() {
  state_ = State::kReading;
  deadline_is_heads_ = false;
  set_deadline(kIdleWait);
  read_on(true);
  // What was sent behind the last request is here already.
  if (!in_.empty() || peer_finished_) event_active(read_event_.get(), EV_READ, 0);
}

void HttpConnection::on_readable() {
  if (state_ == State::kDraining) return drain();
  if (state_ != State::kReading) return;
  read_some();
  if (state_ == State::kReading) advance();
}

void HttpConnection::read_some() {
  std::array<char, 16384> chunk;
  for (std::size_t turn = 0; turn < kReadBytesPerTurnMax && !peer_finished_;) {
    const std::size_t wanted = head_bytes_ == 0 ? kHeadBytesMax : head_bytes_ + body_bytes_;
    if (in_.size() >= wanted) return;
    const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && try_again(errno)) return;
    if (got < 0) return close();
    // Who has nothing more to say may still wait for the answer.
    if (got == 0) peer_finished_ = true;
    in_.append(chunk.data(), static_cast<std::size_t>(got));
    turn += static_cast<std::size_t>(got);
  }
}

void HttpConnection::advance() {
  if (head_bytes_ == 0) {
    // An empty line in front of a request is nobody's fault (RFC 9112 2.2).
    if (in_.starts_with("\r\n")) in_.erase(0, 2);
    const HttpHead head = parse_http_head(in_);
    if (head.status == 0) {
      if (peer_finished_) return close();
      if (!in_.empty() && !std::exchange(deadline_is_heads_, true)) set_deadline(kHeadWait);
      return;
    }
    if (head.status != 200) return refuse(head.status);
    begin_request(head);
    if (state_ != State::kReading) return;
  }
  if (in_.size() >= head_bytes_ + body_bytes_) return hand_out();
  if (peer_finished_) return close();
}

void HttpConnection::begin_request(const HttpHead& head) {
  const int judged = owner_.http_admit(head);
  if (judged != 200) return refuse(judged);
  admitted_ = true;
  head_bytes_ = head.bytes;
  body_bytes_ = head.body_bytes;
  keep_alive_ = head.keep_alive;
  path_ = head.path;
  if (in_.size() >= head_bytes_ + body_bytes_) return;
  set_deadline(kBodyWait);
  if (!head.expects_continue) return;
  // Nothing else waits to be written: the socket has room for these few bytes.
  const ssize_t sent =
      ::send(fd_.get(), kContinue.data(), kContinue.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(kContinue.size())) close();
}

void HttpConnection::hand_out() {
  state_ = State::kAnswering;
  read_on(false);
  set_deadline(kAnswerWait);
  std::string body = in_.substr(head_bytes_, body_bytes_);
  in_.erase(0, head_bytes_ + body_bytes_);
  if (in_.empty()) in_.shrink_to_fit();
  owner_.http_request(*this, path_, std::move(body));
}

// ---- writing

void HttpConnection::answer(int status, std::string_view body) {
  if (state_ == State::kAnswering) write(status, body);
}

void HttpConnection::refuse(int status) {
  if (state_ != State::kReading) return;
  finish_request();
  keep_alive_ = false;
  in_.clear();
  read_on(false);
  write(status, owner_.http_refusal(status));
}

void HttpConnection::write(int status, std::string_view body) {
  state_ = State::kWriting;
  keep_alive_ = keep_alive_ && taking_in_ && (!peer_finished_ || !in_.empty());
  out_ = "HTTP/1.1 " + std::to_string(status) + " " + phrase(status) +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nCache-Control: no-store\r\nConnection: " + (keep_alive_ ? "keep-alive" : "close") +
         "\r\n" + extra_fields(status) + "\r\n";
  out_ += body;
  sent_ = 0;
  set_deadline(kWriteWait);
  on_writable();
}

void HttpConnection::on_writable() {
  while (sent_ < out_.size()) {
    const ssize_t sent =
        ::send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && try_again(errno)) {
      event_add(write_event_.get(), nullptr);
      return;
    }
    if (sent < 0) return close();
    sent_ += static_cast<std::size_t>(sent);
  }
  written();
}

void HttpConnection::written() {
  std::string().swap(out_);
  // Only now: an answer that nobody reads takes its place among the requests under way.
  finish_request();
  if (keep_alive_ && taking_in_) return wait_for_request();
  // A close with bytes unread would tear the answer away.
  ::shutdown(fd_.get(), SHUT_WR);
  state_ = State::kDraining;
  set_deadline(kCloseWait);
  read_on(true);
  if (peer_finished_) close();
}

void HttpConnection::drain() {
  std::array<char, 16384> dropped;
  const ssize_t got = ::recv(fd_.get(), dropped.data(), dropped.size(), MSG_DONTWAIT);
  if (got < 0 && try_again(errno)) return;
  if (got <= 0) return close();
  drained_ += static_cast<std::size_t>(got);
  if (drained_ > kDrainBytesMax) close();
}

// ---- the end

void HttpConnection::finish_request() {
  head_bytes_ = 0;
  const std::size_t bytes = std::exchange(body_bytes_, 0);
  if (std::exchange(admitted_, false)) owner_.http_finished(bytes);
}

void HttpConnection::on_deadline() {
  const bool idle = state_ == State::kReading && in_.empty();
  if (!idle && state_ != State::kDraining) owner_.http_timed_out();
  if (state_ == State::kReading && !idle) return refuse(408);
  close();
}

void HttpConnection::take_in(bool on) {
  taking_in_ = on;
  if (state_ != State::kReading) return;
  read_on(on);
  if (on && !in_.empty()) event_active(read_event_.get(), EV_READ, 0);
}

void HttpConnection::end() {
  taking_in_ = false;
  if (state_ == State::kReading || state_ == State::kDraining) close();
}

void HttpConnection::set_deadline(Duration wait) {
  const timeval time = to_timeval(wait);
  event_add(deadline_event_.get(), &time);
}

void HttpConnection::read_on(bool on) {
  if (on && (taking_in_ || state_ == State::kDraining)) {
    event_add(read_event_.get(), nullptr);
  } else {
    event_del(read_event_.get());
  }
}

void HttpConnection::close() {
  if (std::exchange(state_, State::kClosed) == State::kClosed) return;
  event_del(read_event_.get());
  event_del(write_event_.get());
  event_del(deadline_event_.get());
  finish_request();
  owner_.http_closed(*this);
}

}  // namespace sluice::relay::api
