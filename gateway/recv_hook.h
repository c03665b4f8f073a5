// Step 1: between the kernel and libwebsockets. libwebsockets reads with recv(2), which is bound
// when the program is loaded; this program defines it itself, so that what clients send can be
// looked at before libwebsockets parses it. Sockets that nobody watches are not touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::gateway {

class ReceiveFilter {
 public:
  virtual ~ReceiveFilter() = default;
  /// Somebody is about to read from `fd`: whatever was read before has been parsed. False: nothing
  /// is read now, the caller of recv hears EAGAIN.
  [[nodiscard]] virtual bool receiving(int fd) = 0;
  /// `bytes` came from `fd`; the first so many of them, as left by the call, are what the caller of
  /// recv gets. None: it hears EAGAIN, for there is more to come. Not called at the stream's end,
  /// on errors, or for a peek.
  [[nodiscard]] virtual std::size_t received(int fd, std::span<std::uint8_t> bytes) = 0;
};

/// For all sockets on which this thread receives; null ends it. No other thread may receive on
/// watched sockets.
void set_receive_filter(ReceiveFilter* filter);
/// Shared libraries really call the recv of this program: false where it was linked in a way that
/// keeps the symbol inside.
[[nodiscard]] bool receive_hook_bound();

}  // namespace sluice::gateway
