#include "gateway/sender.h"

#include <libwebsockets.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/check.h"
#include "common/try_again.h"
#include "gateway/handoff/fault_point.h"
#include "gateway/limits.h"
#include "gateway/protocols/client_protocol.h"
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

void Sender::opened(ClientSession& session) {
  transport_->opened(session.ref.index, session.fd);
  // After the 101 libwebsockets writes nothing; so this need not be asked before each send.
  if (session.wsi != nullptr && lws_partial_buffered(session.wsi) != 0)
    wait_until_writeable(session);
}

void Sender::resumed(ClientSession& session) {
  queued_bytes_ += session.outbox.bytes();
  if (session.out.close_queued) {
    closing_.push_back({session.ref, time_.now() + kCloseWait});
    if (session.outbox.empty()) close_frame_left(session);
  }
  mark_dirty(session);
}

// ---- what is to be sent

void Sender::deliver(ClientSession& session, FrameRef frame) {
  if (session.phase != SessionPhase::kOpen) {
    ++stats_.dropped_closing;
    return;
  }
  const std::size_t bytes = frame->size();
  Enqueue verdict = session.outbox.push(frame, options_.client_queue_bytes);
  if (verdict == Enqueue::kFull && can_send(session)) {
    // Not slow, just a big wake-up: let the socket have what there is before judging.
    flush_now(session);
    verdict = session.outbox.push(std::move(frame), options_.client_queue_bytes);
  }
  if (verdict == Enqueue::kFull) return overflow(session, 1);
  queued_bytes_ += bytes;
  outbox_grew(session);
}

void Sender::deliver_due(ClientSession& session, std::span<const RunView> due) {
  if (session.sending) transmit();
  const bool direct =
      session.phase == SessionPhase::kOpen && !session.blocked && session.outbox.empty();
  if (!direct || due.empty()) return queue_due(session, due);
  if (due.size() > kFramesPerSend) {
    // A record speaks of all that is due up to a sequence, so all of it has its place before the
    // first part leaves.
    queue_due(session, due);
    return flush_now(session);
  }
  if (batch_.full()) transmit();
  session.sending = true;
  batch_.add(session, due);
  if (recorder_ != nullptr) recorder_->placed(session);
}

void Sender::queue_due(ClientSession& session, std::span<const RunView> due) {
  for (const RunView& view : due) {
    if (session.phase != SessionPhase::kOpen) {
      stats_.dropped_closing += view.frames;
      continue;
    }
    // A client whose socket has not been tried yet is judged when it has been.
    if (!session.blocked) {
      session.outbox.push_last(view);
    } else if (session.outbox.push(view, options_.client_queue_bytes) == Enqueue::kFull) {
      overflow(session, view.frames);
      continue;
    }
    queued_bytes_ += view.size();
  }
  if (recorder_ != nullptr) recorder_->placed(session);
  outbox_grew(session);
}

void Sender::outbox_grew(ClientSession& session) {
  if (recorder_ != nullptr) recorder_->changed(session);
  mark_dirty(session);
}

bool Sender::can_send(const ClientSession& session) const {
  return !session.blocked && !session.sending && !session.outbox.empty();
}

void Sender::overflow(ClientSession& session, std::size_t frames) {
  stats_.dropped_overflow += frames;
  begin_close(session, CloseCode::kPolicy, "too slow", CloseReason::kTooSlow);
  cut_off(session);
}

void Sender::mark_dirty(ClientSession& session) {
  if (session.dirty || session.blocked || session.outbox.empty()) return;
  session.dirty = true;
  dirty_.push_back(session.ref);
}

void Sender::close(ClientSession& session, CloseCode code, const char* reason) {
  close_as(session, code, reason, reason_of(code));
}

void Sender::close_as(ClientSession& session, CloseCode code, const char* reason,
                      CloseReason counted) {
  if (session.phase != SessionPhase::kOpen) return;
  if (due_ != nullptr) due_->settle(session);
  begin_close(session, code, reason, counted);
}

void Sender::begin_close(ClientSession& session, CloseCode code, const char* reason,
                         CloseReason counted) {
  if (session.phase != SessionPhase::kOpen) return;
  session.phase = SessionPhase::kClosing;
  session.ended_by = counted;
  // An answer to the client's own close carries the client's code.
  if (session.protocol != nullptr && counted != CloseReason::kClientClosed) {
    const Farewell said = session.protocol->farewell({code, reason}, counted);
    code = said.code;
    reason = said.reason;
  }
  const std::string_view text(reason);
  CHECK(text.size() <= kCloseReasonBytesMax);
  const auto number = static_cast<std::uint16_t>(code);
  const char prefix[] = {static_cast<char>(number >> 8U), static_cast<char>(number & 0xFFU)};
  FrameRef frame =
      FrameRun::make(Opcode::kClose, {prefix, code == CloseCode::kNone ? 0U : sizeof prefix},
                     proto::as_bytes(text));
  queued_bytes_ += frame->size();
  session.outbox.push_last(std::move(frame));
  session.out.close_queued = true;
  closing_.push_back({session.ref, time_.now() + kCloseWait});
  outbox_grew(session);
}

void Sender::peer_ended(ClientSession& session) {
  session.peer_closed = true;
  // RFC 6455 5.5.1: the answer carries the code that was received.
  if (session.phase == SessionPhase::kOpen)
    close_as(session, static_cast<CloseCode>(session.peer_close_code), "",
             CloseReason::kClientClosed);
  if (session.close_sent) linger(session);
}

// ---- sending

bool Sender::flush(std::size_t clients_max) {
  for (std::size_t n = 0; n < clients_max && !dirty_.empty(); ++n) {
    ClientSession* session = sessions_.find(dirty_.front());
    dirty_.pop_front();
    if (session == nullptr) continue;
    session->dirty = false;
    if (session->phase == SessionPhase::kClosed || !can_send(*session)) continue;
    if (batch_.full()) transmit();
    session->sending = true;
    batch_.add_outbox(*session);
  }
  transmit();
  return !dirty_.empty();
}

void Sender::flush_now(ClientSession& session) {
  // With whatever else is in the batch: the verdict is needed now.
  while (can_send(session) && session.phase != SessionPhase::kClosed) {
    if (batch_.full()) transmit();
    session.sending = true;
    batch_.add_outbox(session);
    transmit();
  }
}

void Sender::transmit() {
  if (batch_.empty()) return;
  if (recorder_ != nullptr) {
    recorder_->before_send(batch_);
    fault_point("send.recorded");
  }
  const std::span<SendOp> ops = batch_.ops();
  transport_->send(ops);
  if (recorder_ != nullptr) fault_point("send.sent");
  stats_.sends += ops.size();
  for (std::size_t i = 0; i < ops.size(); ++i) take_result(batch_.entry(i), ops[i].result);
  batch_.clear();
}

void Sender::take_result(const SendBatch::Entry& entry, std::int32_t result) {
  ClientSession& session = *entry.session;
  // Nothing ends a session between the batch's beginning and its end; if ever something does, its
  // slot's next tenant must not pay for it.
  CHECK(session.ref.generation == entry.generation);
  session.sending = false;
  const std::size_t sent = result > 0 ? static_cast<std::size_t>(result) : 0;
  const bool whole = result >= 0 && sent == entry.bytes;
  stats_.bytes_out += sent;
  if (entry.view_count == 0) {
    queued_bytes_ -= sent;
    stats_.frames_out += session.outbox.consume(sent);
  } else if (whole) {
    for (const RunView& view : batch_.views(entry)) stats_.frames_out += view.frames;
  } else {
    keep_rest(session, batch_.views(entry), sent);
  }
  if (recorder_ != nullptr) recorder_->after_send(session, entry, sent);
  if (whole) {
    if (!session.outbox.empty()) return mark_dirty(session);
    return after_flush(session);
  }
  ++(result >= 0 ? stats_.partial_sends : stats_.blocked);
  not_taken(session, result < 0 ? -result : EAGAIN);
  judge(session);
}

void Sender::judge(ClientSession& session) {
  const Outbox& outbox = session.outbox;
  if (session.phase == SessionPhase::kOpen && outbox.frames() > 1 &&
      (outbox.bytes() > options_.client_queue_bytes || outbox.frames() > kClientQueueFramesMax))
    overflow(session, outbox.frames());
}

void Sender::keep_rest(ClientSession& session, std::span<const RunView> due, std::size_t sent) {
  std::vector<RunView> rest;
  for (RunView view : due) {
    const std::size_t gone = std::min(sent, view.size());
    sent -= gone;
    if (gone == view.size()) {
      stats_.frames_out += view.frames;
      continue;
    }
    view.begin += static_cast<std::uint32_t>(gone);
    rest.push_back(view);
    queued_bytes_ += view.size();
  }
  session.outbox.push_front(rest);
}

void Sender::not_taken(ClientSession& session, int error) {
  if (session.phase == SessionPhase::kClosed) return;
  const bool starved = error == ENOBUFS || error == ENOMEM;
  // libwebsockets sees the same error when it reads; nothing more is worth sending.
  if (!starved && !try_again(error)) return cut_off(session);
  if (!starved) return wait_until_writeable(session);
  // Asked when it is writable, the socket would say "now", over and over.
  session.blocked = true;
  starved_.push_back(session.ref);
}

void Sender::after_flush(ClientSession& session) {
  if (session.phase == SessionPhase::kClosing && !session.close_sent) close_frame_left(session);
}

void Sender::note_message(std::uint32_t received_micros) {
  const std::uint32_t now = wire_micros(time_.now());
  latency_.observe(static_cast<double>(now - received_micros) * 1e-6);
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
  // libwebsockets' own 101 goes first.
  if (session.wsi != nullptr && lws_partial_buffered(session.wsi) != 0)
    return wait_until_writeable(session);
  session.blocked = false;
  mark_dirty(session);
}

void Sender::wait_until_writeable(ClientSession& session) {
  session.blocked = true;
  if (session.wsi != nullptr) lws_callback_on_writable(session.wsi);
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
  if (recorder_ != nullptr) recorder_->closed(session);
  queued_bytes_ -= session.outbox.bytes();
  session.outbox.clear();
  transport_->closed(session.ref.index);
}

}  // namespace sluice::gateway
