// What sessions, protocols, the Hub and the fan-out ask of whatever carries the clients' bytes: the
// Sender in the gateway, a recorder in tests.
#pragma once

#include <span>

#include "gateway/client_session.h"

namespace sluice::gateway {

class Delivery {
 public:
  virtual ~Delivery() = default;
  /// Queues one frame that this client alone gets; it leaves when the wake-up ends. At the queue
  /// bound the client is closed (1008) and the frame counted as dropped.
  virtual void deliver(ClientSession& session, FrameRef frame) = 0;
  /// Channel frames that are due, in order, behind what is queued. The runs are the caller's and
  /// stay as they are until it has called end_slice().
  virtual void deliver_due(ClientSession& session, std::span<const RunView> due) = 0;
  /// The same, but never longer than the call: what has to wait is shared.
  virtual void queue_due(ClientSession& session, std::span<const RunView> due) = 0;
  /// What deliver_due() was given is with the sockets, or queued, or counted as dropped.
  virtual void end_slice() = 0;
  /// Closes after what is due and queued has left, with what the client's protocol makes of code
  /// and reason (ClientProtocol::farewell). `reason` is UTF-8 of at most kCloseReasonBytesMax bytes
  /// and lives for the call. Idempotent.
  virtual void close(ClientSession& session, CloseCode code, const char* reason) = 0;
  /// The same, counted as something else than its code says.
  virtual void close_as(ClientSession& session, CloseCode code, const char* reason,
                        CloseReason /*counted*/) {
    close(session, code, reason);
  }
};

/// Who knows what a client still has to get of its channels.
class DueSource {
 public:
  virtual ~DueSource() = default;
  /// Puts it into the client's queue now (Delivery::queue_due).
  virtual void settle(ClientSession& session) = 0;
};

}  // namespace sluice::gateway
