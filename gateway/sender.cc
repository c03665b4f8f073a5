#include "gateway/sender.h"

#include <libwebsockets.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/check.h"
#include "gateway/limits.h"

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
  if (session.phase != SessionPhase::kOpen) return;
  session.phase = SessionPhase::kClosing;
  session.close_code = code;
  session.close_reason = reason;
  closing_.push_back({session.ref, time_.now() + kCloseWait});
  // The writeable callback sends what is left, then the close frame.
  if (session.wsi != nullptr) lws_callback_on_writable(session.wsi);
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
    // Also one that was told and does not answer: libwebsockets alone would wait for it twice over.
    if (session != nullptr) cut_off(*session);
  }
}

void Sender::writeable(ClientSession& session) {
  session.blocked = false;
  flush(session);
}

void Sender::flush(ClientSession& session) {
  while (!session.outbox.empty() && !session.blocked && !session.close_started) {
    if (lws_partial_buffered(session.wsi) != 0) {
      session.blocked = true;
      lws_callback_on_writable(session.wsi);
      return;
    }
    switch (send_once(session)) {
      case Sent::kAll:
        break;
      case Sent::kBlocked:
        session.blocked = true;
        lws_callback_on_writable(session.wsi);
        return;
      case Sent::kBroken:
        // libwebsockets sees the same error when it reads; nothing more is worth sending.
        session.blocked = true;
        cut_off(session);
        return;
    }
  }
}

Sender::Sent Sender::send_once(ClientSession& session) {
  std::array<iovec, kFramesPerSend> vectors;
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = session.outbox.fill(vectors);
  ++stats_.sends;
  const ssize_t n = ::sendmsg(session.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS) {
      ++stats_.blocked;
      return Sent::kBlocked;
    }
    return Sent::kBroken;
  }
  const std::size_t before = session.outbox.frames();
  const std::size_t queued = session.outbox.bytes();
  const Outbox::Cut cut = session.outbox.consume(static_cast<std::size_t>(n));
  queued_bytes_ -= queued - session.outbox.bytes();
  stats_.frames_out += before - session.outbox.frames();
  stats_.bytes_out += static_cast<std::uint64_t>(n);
  if (cut.frame) {
    ++stats_.partial_sends;
    tail_through_lws(session, cut);
    return Sent::kBlocked;
  }
  return Sent::kAll;
}

void Sender::tail_through_lws(ClientSession& session, const Outbox::Cut& cut) {
  const auto tail = cut.frame->bytes().subspan(cut.taken);
  stats_.bytes_out += tail.size();
  // LWS_WRITE_HTTP on a WebSocket passes bytes through unchanged. lws wants LWS_PRE writable bytes
  // before the data.
  std::vector<std::uint8_t> padded(LWS_PRE + tail.size());
  std::copy(tail.begin(), tail.end(), padded.begin() + LWS_PRE);
  if (lws_write(session.wsi, padded.data() + LWS_PRE, tail.size(), LWS_WRITE_HTTP) < 0)
    cut_off(session);
}

void Sender::cut_off(ClientSession& session) {
  if (session.phase == SessionPhase::kClosed) return;
  session.phase = SessionPhase::kClosed;
  ++stats_.cut_off;
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
