#include "gateway/sender.h"

#include <libwebsockets.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/try_again.h"
#include "gateway/limits.h"
#include "proto/frame.h"

namespace sluice::gateway {
namespace {

std::vector<double> latency_bounds() {
  return {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
          0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};
}

}  // namespace

Sender::Sender(SenderOptions options, SessionTable& sessions, const TimeSource& time)
    : options_(options), sessions_(sessions), time_(time), latency_(latency_bounds()) {
}

void Sender::deliver(ClientSession& session, FrameRef frame) {
  if (session.phase != SessionPhase::kOpen) {
    ++stats_.dropped_closing;
    return;
  }
  const std::size_t bytes = frame->size();
  Enqueue verdict = session.outbox.push(frame, options_.client_queue_bytes);
  if (verdict == Enqueue::kFull && !session.blocked) {
    // Not slow, just a big wake-up: let the socket have what there is before judging.
    flush(session);
    verdict = session.outbox.push(std::move(frame), options_.client_queue_bytes);
  }
  if (verdict == Enqueue::kFull) {
    ++stats_.dropped_overflow;
    close(session, CloseCode::kPolicy, "too slow");
    cut_off(session);
    return;
  }
  queued_bytes_ += bytes;
  mark_dirty(session);
}

void Sender::mark_dirty(ClientSession& session) {
  if (session.dirty || session.blocked) return;
  session.dirty = true;
  dirty_.push_back(session.ref);
}

void Sender::close(ClientSession& session, CloseCode code, const char* reason) {
  close_as(session, code, reason, reason_of(code));
}

void Sender::close_as(ClientSession& session, CloseCode code, const char* reason,
                      CloseReason counted) {
  if (session.phase != SessionPhase::kOpen) return;
  session.phase = SessionPhase::kClosing;
  session.ended_by = counted;
  const std::string_view text(reason);
  CHECK(text.size() <= kCloseReasonBytesMax);
  const auto number = static_cast<std::uint16_t>(code);
  const char prefix[] = {static_cast<char>(number >> 8U), static_cast<char>(number & 0xFFU)};
  FrameRef frame =
      Frame::make(Opcode::kClose, {prefix, code == CloseCode::kNone ? 0U : sizeof prefix},
                  proto::as_bytes(text));
  queued_bytes_ += frame->size();
  session.outbox.push_last(std::move(frame));
  closing_.push_back({session.ref, time_.now() + kCloseWait});
  mark_dirty(session);
}

void Sender::peer_ended(ClientSession& session) {
  session.peer_closed = true;
  // RFC 6455 5.5.1: the answer carries the code that was received.
  if (session.phase == SessionPhase::kOpen)
    close_as(session, static_cast<CloseCode>(session.peer_close_code), "",
             CloseReason::kClientClosed);
  if (session.close_sent) linger(session);
}

void Sender::flush_dirty() {
  flushing_.swap(dirty_);
  for (const ClientRef ref : flushing_) {
    ClientSession* session = sessions_.find(ref);
    if (session == nullptr) continue;
    session->dirty = false;
    flush(*session);
  }
  flushing_.clear();
  if (stamps_.empty()) return;
  const std::uint32_t now = wire_micros(time_.now());
  for (const std::uint32_t stamp : stamps_)
    latency_.observe(static_cast<double>(now - stamp) * 1e-6);
  stamps_.clear();
}

void Sender::expire_closing(TimePoint now) {
  while (!closing_.empty() && closing_.front().deadline <= now) {
    ClientSession* session = sessions_.find(closing_.front().ref);
    closing_.pop_front();
    if (session != nullptr && !(session->close_sent && session->peer_closed)) cut_off(*session);
  }
  while (!lingering_.empty() && lingering_.front().deadline <= now) {
    ClientSession* session = sessions_.find(lingering_.front().ref);
    lingering_.pop_front();
    if (session != nullptr) shut_down(*session);
  }
}

void Sender::retry_starved() {
  const std::vector<ClientRef> again = std::exchange(starved_, {});
  for (const ClientRef ref : again)
    if (ClientSession* session = sessions_.find(ref)) writeable(*session);
}

void Sender::writeable(ClientSession& session) {
  session.blocked = false;
  flush(session);
}

void Sender::wait_until_writeable(ClientSession& session) {
  session.blocked = true;
  if (session.wsi != nullptr) lws_callback_on_writable(session.wsi);
}

void Sender::flush(ClientSession& session) {
  while (!session.outbox.empty() && !session.blocked && session.phase != SessionPhase::kClosed) {
    // Its 101 may be waiting.
    if (session.wsi != nullptr && lws_partial_buffered(session.wsi) != 0)
      return wait_until_writeable(session);
    switch (send_once(session)) {
      case Sent::kAll:
        break;
      case Sent::kBlocked:
        return wait_until_writeable(session);
      case Sent::kStarved:
        // Asked when it is writable, the socket would say "now", over and over.
        session.blocked = true;
        starved_.push_back(session.ref);
        return;
      case Sent::kBroken:
        // libwebsockets sees the same error when it reads; nothing more is worth sending.
        return cut_off(session);
    }
  }
  if (session.phase == SessionPhase::kClosing && session.outbox.empty() && !session.close_sent)
    close_frame_left(session);
}

void Sender::close_frame_left(ClientSession& session) {
  session.close_sent = true;
  if (session.peer_closed) linger(session);
}

void Sender::linger(ClientSession& session) {
  if (session.phase == SessionPhase::kClosed) return;
  // The server ends TCP (RFC 6455 7.1.1), but not by close(2): what the client may still be sending
  // would be answered by a reset, which can overtake our close frame.
  ::shutdown(session.fd, SHUT_WR);
  lingering_.push_back({session.ref, time_.now() + kLingerWait});
}

Sender::Sent Sender::send_once(ClientSession& session) {
  std::array<iovec, kFramesPerSend> vectors;
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = session.outbox.fill(vectors);
  ++stats_.sends;
  const ssize_t n = ::sendmsg(session.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) {
    const bool starved = errno == ENOBUFS;
    if (!starved && !try_again(errno)) return Sent::kBroken;
    ++stats_.blocked;
    return starved ? Sent::kStarved : Sent::kBlocked;
  }
  const std::size_t before = session.outbox.frames();
  session.outbox.consume(static_cast<std::size_t>(n));
  queued_bytes_ -= static_cast<std::uint64_t>(n);
  stats_.frames_out += before - session.outbox.frames();
  stats_.bytes_out += static_cast<std::uint64_t>(n);
  if (session.outbox.begun() == 0) return Sent::kAll;
  ++stats_.partial_sends;
  return Sent::kBlocked;
}

void Sender::cut_off(ClientSession& session) {
  if (session.phase == SessionPhase::kClosed) return;
  ++stats_.cut_off;
  shut_down(session);
}

void Sender::shut_down(ClientSession& session) {
  session.phase = SessionPhase::kClosed;
  // libwebsockets finds the end of the stream in a later turn and closes; we may be inside a
  // callback of this very connection. Its own LWS_TO_KILL_ASYNC does nothing when asked from a
  // timer of ours on libev (4.1.6).
  ::shutdown(session.fd, SHUT_RDWR);
}

void Sender::forget(ClientSession& session) {
  queued_bytes_ -= session.outbox.bytes();
  session.outbox.clear();
}

}  // namespace sluice::gateway
