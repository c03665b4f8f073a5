// Step 14: how a batch of sends reaches the sockets. One call, and when it returns each send has
// its result: nothing is ever under way between two calls, so neither a closed connection nor a
// frozen process can meet a send in flight.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "common/result.h"

namespace sluice::gateway {

/// One send to one socket, never waited for (MSG_DONTWAIT).
struct SendOp {
  int fd = -1;
  std::uint32_t slot = 0;          ///< the session's, as told to opened()
  const iovec* vectors = nullptr;  ///< alive for the call
  std::uint32_t vector_count = 0;
  std::int32_t result = 0;  ///< bytes taken, or -errno
};

class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// At most kSendsPerBatch of them, each for another socket.
  virtual void send(std::span<SendOp> batch) = 0;
  /// The session in this slot begins to send on `fd`, and ends: after closed() the transport holds
  /// nothing of the socket.
  virtual void opened(std::uint32_t slot, int fd) = 0;
  virtual void closed(std::uint32_t slot) = 0;
  /// System calls made by send(), never reset.
  [[nodiscard]] std::uint64_t system_calls() const { return system_calls_; }

 protected:
  std::uint64_t system_calls_ = 0;
};

/// send(2) and sendmsg(2), one call each.
[[nodiscard]] std::unique_ptr<Transport> make_direct_transport();
/// One io_uring_enter(2) for a batch. `slots_max`: sessions at once. Fails where the kernel has no
/// io_uring that does what is needed, or forbids it.
[[nodiscard]] Result<std::unique_ptr<Transport>> make_uring_transport(std::size_t slots_max);

}  // namespace sluice::gateway
