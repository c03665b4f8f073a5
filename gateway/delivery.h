// What sessions, protocols and the Hub ask of whatever carries the clients' bytes: the Sender in
// the gateway, a recorder in tests.
#pragma once

#include "gateway/client_session.h"

namespace sluice::gateway {

class Delivery {
 public:
  virtual ~Delivery() = default;
  /// Queues one frame; it leaves when the wake-up ends. At the queue bound the client is closed
  /// (1008) and the frame counted as dropped.
  virtual void deliver(ClientSession& session, FrameRef frame) = 0;
  /// Closes after what is queued has left. `reason` is a static text of at most
  /// kCloseReasonBytesMax bytes. Idempotent.
  virtual void close(ClientSession& session, CloseCode code, const char* reason) = 0;
};

}  // namespace sluice::gateway
