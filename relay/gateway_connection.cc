#include "relay/gateway_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/try_again.h"
#include "relay/limits.h"

namespace sluice::relay {
GatewayConnection::GatewayConnection(event_base* base, UniqueFd fd, pid_t peer, Router& router,
                                     const TimeSource& time, ConnectionOwner& owner)
    : fd_(std::move(fd)),
      peer_(peer),
      time_(time),
      owner_(owner),
      session_(router, *this, peer),
      read_event_(
          make_event<&GatewayConnection::on_readable>(base, fd_.get(), EV_READ | EV_PERSIST, this)),
      write_event_(make_event<&GatewayConnection::on_writable>(base, fd_.get(), EV_WRITE, this)),
      flush_event_(make_event<&GatewayConnection::flush>(base, -1, 0, this)),
      opened_at_(time.now()) {
  event_add(read_event_.get(), nullptr);
}

GatewayConnection::GatewayConnection(event_base* base, UniqueFd fd, LinkState state, Router& router,
                                     const TimeSource& time, ConnectionOwner& owner)
    : fd_(std::move(fd)),
      peer_(static_cast<pid_t>(state.peer)),
      time_(time),
      owner_(owner),
      session_(router, *this, state.peer, std::move(state.session)),
      read_event_(
          make_event<&GatewayConnection::on_readable>(base, fd_.get(), EV_READ | EV_PERSIST, this)),
      write_event_(make_event<&GatewayConnection::on_writable>(base, fd_.get(), EV_WRITE, this)),
      flush_event_(make_event<&GatewayConnection::flush>(base, -1, 0, this)),
      opened_at_(state.opened_at),
      ending_since_(state.ending_since),
      told_open_(state.told_open) {
  batch_.add_text(state.unsent);
  read_on(true);
  wake();
}

void GatewayConnection::read_on(bool on) {
  if (closed_) return;
  if (on && !session_.ending()) {
    event_add(read_event_.get(), nullptr);
  } else {
    event_del(read_event_.get());
  }
}

LinkState GatewayConnection::state() const {
  LinkState state{.descriptor = fd_.get(),
                  .peer = peer_,
                  .opened_at = opened_at_,
                  .ending_since = ending_since_,
                  .told_open = told_open_,
                  .session = session_.state()};
  std::array<iovec, kBatchPiecesMax> pieces;
  const std::size_t count = batch_.pieces(pieces);
  for (std::size_t i = 0; i < count; ++i)
    state.unsent.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  return state;
}

void GatewayConnection::on_readable() {
  std::size_t total = 0;
  while (!closed_ && !session_.ending() && total < kReadBytesPerTurnMax) {
    const std::span<std::uint8_t> room = session_.prepare();
    const ssize_t got = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (got < 0 && try_again(errno)) break;
    if (got < 0) return close(std::strerror(errno));
    if (got == 0) return close("the peer closed the link");
    const auto bytes = static_cast<std::size_t>(got);
    total += bytes;
    owner_.count_bytes(bytes, 0);
    session_.commit(bytes);
    if (session_.open() && !told_open_) {
      told_open_ = true;
      owner_.connection_open(*this);
    }
    if (bytes < room.size()) break;
  }
  if (session_.ending()) event_del(read_event_.get());
}

void GatewayConnection::wake() {
  if (closed_ || waits_writable_) return;
  if (++wakes_ == 1) event_active(flush_event_.get(), 0, 0);
  // A burst leaves in whole batches, so that it need not fit the ring.
  if (wakes_ >= kBurstMessagesMax) flush();
}

void GatewayConnection::on_writable() {
  waits_writable_ = false;
  flush();
}

void GatewayConnection::flush() {
  if (closed_ || waits_writable_) return;
  std::size_t written = 0;
  wakes_ = 0;
  while (!batch_.empty() || session_.fill(batch_)) {
    if (!write_some(written)) return;
    // The rest on the next turn: others want to be served too.
    if (written >= kWriteBytesPerTurnMax) return await_writable();
  }
  if (session_.ending()) close(session_.end_text());
}

bool GatewayConnection::write_some(std::size_t& written) {
  std::array<iovec, kBatchPiecesMax> pieces;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = batch_.pieces(pieces);
  const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) {
    if (try_again(errno)) {
      await_writable();
    } else {
      close(errno == EPIPE || errno == ECONNRESET ? "the peer closed the link"
                                                  : std::strerror(errno));
    }
    return false;
  }
  const auto bytes = static_cast<std::size_t>(sent);
  batch_.consume(bytes);
  owner_.count_bytes(0, bytes);
  written += bytes;
  return true;
}

void GatewayConnection::await_writable() {
  waits_writable_ = true;
  event_add(write_event_.get(), nullptr);
}

void GatewayConnection::tick() {
  if (closed_) return;
  const TimePoint now = time_.now();
  if (!session_.open() && !session_.ending() && now - opened_at_ >= kHelloWait) {
    session_.refuse_link(proto::ErrorReason::kMalformed, "no HELLO came");
  }
  if (!session_.ending()) return;
  event_del(read_event_.get());
  if (!ending_since_) ending_since_ = now;
  if (now - *ending_since_ >= kLastWordsWait) close(session_.end_text());
}

void GatewayConnection::close(std::string_view reason) {
  if (closed_) return;
  closed_ = true;
  close_reason_ = reason;
  event_del(read_event_.get());
  event_del(write_event_.get());
  event_del(flush_event_.get());
  owner_.connection_closed(*this);
}

}  // namespace sluice::relay
