// Step 14, the last of a message's path, and the only place that writes to client sockets: after
// the 101 every byte that a client gets comes from here, pongs and close frames included.
// libwebsockets writes nothing, so nothing can get between two frames or into one.
//
// What a wake-up brought for a client leaves in one call when the wake-up ends (flush_dirty). A
// frame that the socket took in part stays at the front of the outbox.
//
//   open ──close()──▶ closing: queue, then our close frame ──both sides' are through──▶ FIN, what
//   still comes is dropped
//                       │ kCloseWait                                 │ the client's FIN, or
//                       kLingerWait └────────────────────────▶ cut ◀─────────────┘
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "common/metrics.h"
#include "gateway/delivery.h"
#include "gateway/session_table.h"

namespace sluice::gateway {

struct SenderOptions {
  std::size_t client_queue_bytes = 0;
};

/// Counters, never reset.
struct SenderStats {
  std::uint64_t frames_out = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t sends = 0;  ///< system calls
  std::uint64_t partial_sends = 0;
  std::uint64_t cut_off = 0;           ///< connections ended without a whole close handshake
  std::uint64_t blocked = 0;           ///< the socket took nothing
  std::uint64_t dropped_overflow = 0;  ///< frames for a client at its queue bound
  std::uint64_t dropped_closing = 0;   ///< frames for a client about to be closed
};

class Sender final : public Delivery {
 public:
  Sender(SenderOptions options, SessionTable& sessions, const TimeSource& time);

  // Delivery.
  void deliver(ClientSession& session, FrameRef frame) override;
  void close(ClientSession& session, CloseCode code, const char* reason) override;
  /// The same, counted as something else than its code says.
  void close_as(ClientSession& session, CloseCode code, const char* reason, CloseReason counted);
  /// The client's stream has ended (peer_closed): by its close frame, which is answered, or by a
  /// fault, which the caller has closed for. Either way TCP ends as soon as our close frame has
  /// left.
  void peer_ended(ClientSession& session);

  /// End of a wake-up: every client that got something.
  void flush_dirty();
  /// The socket takes bytes again.
  void writeable(ClientSession& session);
  /// Cuts clients that did not take their close frame or answer it within kCloseWait, and ends
  /// those whose FIN does not come. Call every tick.
  void expire_closing(TimePoint now);
  /// Tries those again whose socket takes nothing though it is writable. Call every tick.
  void retry_starved();
  /// Broker→socket latency of a message in this wake-up, observed when it has been flushed.
  void note_message(std::uint32_t received_micros) { stamps_.push_back(received_micros); }

  [[nodiscard]] const SenderStats& stats() const { return stats_; }
  [[nodiscard]] const HistogramData& latency() const { return latency_; }
  /// Bytes waiting in outboxes, all clients together.
  [[nodiscard]] std::uint64_t queued_bytes() const { return queued_bytes_; }
  /// Ends the connection without a close frame, in a later turn.
  void cut_off(ClientSession& session);
  /// The session ends: what it still had is gone.
  void forget(ClientSession& session);

 private:
  enum class Sent { kAll, kBlocked, kStarved, kBroken };

  void mark_dirty(ClientSession& session);
  void flush(ClientSession& session);
  [[nodiscard]] Sent send_once(ClientSession& session);
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
  std::vector<ClientRef> dirty_;
  std::vector<ClientRef> flushing_;
  std::vector<ClientRef> starved_;  ///< blocked until the next tick: the system wants buffers
  std::deque<Closing> closing_;     ///< in order of their deadlines
  std::deque<Closing> lingering_;   ///< likewise: FIN sent
  std::vector<std::uint32_t> stamps_;
  std::uint64_t queued_bytes_ = 0;
  SenderStats stats_;
  HistogramData latency_;
};

}  // namespace sluice::gateway
