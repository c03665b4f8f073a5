// Step 14, the last of a message's path, and the only place that writes to client sockets.
//
// What a wake-up brought for a client leaves in one call when the wake-up ends (flush_dirty). While
// libwebsockets has nothing buffered for the connection, the bytes go straight to the socket; the
// tail of a partly sent frame goes through libwebsockets' own output buffer, because only there
// nothing of its own (PONG, CLOSE) can get into the middle of it.
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
  std::uint64_t cut_off = 0;           ///< connections ended without a close handshake
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

  /// End of a wake-up: every client that got something.
  void flush_dirty();
  /// From the writeable callback: libwebsockets' buffer is empty again.
  void writeable(ClientSession& session);
  /// Cuts clients that were to be closed and have not taken their bytes within kCloseWait. Call
  /// every tick.
  void expire_closing(TimePoint now);
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
  enum class Sent { kAll, kBlocked, kBroken };

  void mark_dirty(ClientSession& session);
  void flush(ClientSession& session);
  [[nodiscard]] Sent send_once(ClientSession& session);
  void tail_through_lws(ClientSession& session, const Outbox::Cut& cut);

  struct Closing {
    ClientRef ref;
    TimePoint deadline;
  };

  SenderOptions options_;
  SessionTable& sessions_;
  const TimeSource& time_;
  std::vector<ClientRef> dirty_;
  std::vector<ClientRef> flushing_;
  std::deque<Closing> closing_;  ///< in order of their deadlines
  std::vector<std::uint32_t> stamps_;
  std::uint64_t queued_bytes_ = 0;
  SenderStats stats_;
  HistogramData latency_;
};

}  // namespace sluice::gateway
