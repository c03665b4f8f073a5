// Step 14, the last of a message's path, and the only place that writes to client sockets: after
// the 101 every byte that a client gets comes from here, pongs and close frames included.
// libwebsockets writes nothing, so nothing can get between two frames or into one.
//
// What a wake-up brought for a client leaves in one call when the wake-up ends: its own frames by
// flush(), its channels' by the fan-out, which hands them over without queueing them first. What
// the socket did not take waits in the outbox, a frame taken in part at its front. Sends are
// gathered and leave in batches, by the transport: in one system call each, or all in one
// (io_uring).
//
//   open ──close()──▶ closing: queue, then our close frame ──both sides' are through──▶ FIN, what
//   still comes is dropped
//                       │ kCloseWait                                 │ the client's FIN, or
//                       kLingerWait └────────────────────────▶ cut ◀─────────────┘
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "common/metrics.h"
#include "gateway/delivery.h"
#include "gateway/handoff/out_recorder.h"
#include "gateway/send_batch.h"
#include "gateway/session_table.h"
#include "gateway/transport.h"

namespace sluice::gateway {

struct SenderOptions {
  std::size_t client_queue_bytes = 0;
};

/// Counters, never reset.
struct SenderStats {
  std::uint64_t frames_out = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t sends = 0;  ///< to one socket each
  std::uint64_t partial_sends = 0;
  std::uint64_t cut_off = 0;           ///< connections ended without a whole close handshake
  std::uint64_t blocked = 0;           ///< the socket took nothing
  std::uint64_t dropped_overflow = 0;  ///< frames for a client at its queue bound
  std::uint64_t dropped_closing = 0;   ///< frames for a client about to be closed
};

class Sender final : public Delivery {
 public:
  Sender(SenderOptions options, SessionTable& sessions, const TimeSource& time);
  /// Before anything is sent. Without, it is send(2).
  void use(std::unique_ptr<Transport> transport) { transport_ = std::move(transport); }
  /// Asked before a close, so that it comes behind what is due. Outlives the Sender's use.
  void attach(DueSource& due) { due_ = &due; }

  /// Writes down what a successor needs. Before anything is sent; outlives the Sender's use.
  /// Without, there is none.
  void record_with(OutRecorder& recorder) { recorder_ = &recorder; }

  /// The session begins, with its fd.
  void opened(ClientSession& session);
  /// After opened(), of one that another process began: its outbox, phase and `out` are as that
  /// process left them (handoff/out_restore). Sends nothing yet; one that is closing gets
  /// kCloseWait anew.
  void resumed(ClientSession& session);

  // Delivery.
  void deliver(ClientSession& session, FrameRef frame) override;
  void deliver_due(ClientSession& session, std::span<const RunView> due) override;
  void queue_due(ClientSession& session, std::span<const RunView> due) override;
  void end_slice() override { transmit(); }
  void close(ClientSession& session, CloseCode code, const char* reason) override;
  void close_as(ClientSession& session, CloseCode code, const char* reason,
                CloseReason counted) override;
  /// The client's stream has ended (peer_closed): by its close frame, which is answered, or by a
  /// fault, which the caller has closed for. Either way TCP ends as soon as our close frame has
  /// left.
  void peer_ended(ClientSession& session);

  /// End of a wake-up: sends to clients that something waits for, about so many. True: there are
  /// more.
  bool flush(std::size_t clients_max);
  /// flush() has something to do.
  [[nodiscard]] bool waiting() const { return !dirty_.empty(); }
  /// The socket takes bytes again: by the next flush().
  void writeable(ClientSession& session);
  /// Cuts clients that did not take their close frame or answer it within kCloseWait, and ends
  /// those whose FIN does not come. Call every tick.
  void expire_closing(TimePoint now);
  /// Tries those again whose socket takes nothing though it is writable. Call every tick.
  void retry_starved();
  /// Broker→socket latency of a message that all its subscribers have been given.
  void note_message(std::uint32_t received_micros);

  [[nodiscard]] const SenderStats& stats() const { return stats_; }
  [[nodiscard]] const HistogramData& latency() const { return latency_; }
  [[nodiscard]] const Transport& transport() const { return *transport_; }
  /// Bytes waiting in outboxes, all clients together.
  [[nodiscard]] std::uint64_t queued_bytes() const { return queued_bytes_; }
  /// Ends the connection without a close frame, in a later turn.
  void cut_off(ClientSession& session);
  /// The session ends: what it still had is gone.
  void forget(ClientSession& session);

 private:
  void mark_dirty(ClientSession& session);
  void outbox_grew(ClientSession& session);
  void begin_close(ClientSession& session, CloseCode code, const char* reason, CloseReason counted);
  /// Sends the batch, and takes its results.
  void transmit();
  void take_result(const SendBatch::Entry& entry, std::int32_t result);
  /// So much of what was handed over has left; the rest is queued.
  void keep_rest(ClientSession& session, std::span<const RunView> due, std::size_t sent);
  void not_taken(ClientSession& session, int error);
  /// Its socket takes no more: is what waits within the bound?
  void judge(ClientSession& session);
  /// The front of its outbox into the batch, until nothing waits or the socket takes no more.
  void flush_now(ClientSession& session);
  [[nodiscard]] bool can_send(const ClientSession& session) const;
  void overflow(ClientSession& session, std::size_t frames);
  void after_flush(ClientSession& session);
  void wait_until_writeable(ClientSession& session);
  void close_frame_left(ClientSession& session);
  void linger(ClientSession& session);
  /// A later turn finds the end of the stream.
  static void shut_down(ClientSession& session);

  struct Closing {
    ClientRef ref;
    TimePoint deadline;
  };

  SenderOptions options_;
  SessionTable& sessions_;
  const TimeSource& time_;
  std::unique_ptr<Transport> transport_ = make_direct_transport();
  DueSource* due_ = nullptr;
  OutRecorder* recorder_ = nullptr;  ///< null: handoff is off
  SendBatch batch_;
  std::deque<ClientRef> dirty_;     ///< something waits, and the socket may take it
  std::vector<ClientRef> starved_;  ///< blocked until the next tick: the system wants buffers
  std::deque<Closing> closing_;     ///< in order of their deadlines
  std::deque<Closing> lingering_;   ///< likewise: FIN sent
  std::uint64_t queued_bytes_ = 0;
  SenderStats stats_;
  HistogramData latency_;
};

}  // namespace sluice::gateway
