// A proxy that misbehaves on demand, TCP or Unix on either side: pauses, stalls one connection,
// cuts, dribbles bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/process/support/socket.h"

namespace sluice::test {

class FaultProxy {
 public:
  /// Listens on a Unix socket at `path`, or on a free TCP port when `path` is empty.
  FaultProxy(Endpoint target, const std::string& path);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

  /// Nothing moves any more, in either direction; connections stay.
  void pause(bool on);
  /// The n-th connection (from 0, in order of accepting) stands still, the others go on.
  void stall(std::size_t connection, bool on);
  /// New connections are closed at once.
  void refuse(bool on);
  /// Ends every connection with a reset.
  void cut();
  /// At most so many bytes per read and write, one piece per millisecond and connection; 0 = as
  /// they come.
  void dribble(std::size_t bytes);
  /// Every piece of bytes from the server passes through `change` on its way to the client: a proxy
  /// that lies, for tests of those who should notice. Set before the first connection.
  void tamper(std::function<void(std::string&)> change) { tamper_ = std::move(change); }

  [[nodiscard]] std::size_t accepted() const { return accepted_; }
  [[nodiscard]] std::size_t live() const { return live_; }

 private:
  struct Half;
  struct Pair;

  void run();
  void wake();
  void accept_one();
  void apply_cut();
  bool moves(const Pair& pair) const;

  Endpoint target_;
  Endpoint endpoint_;
  UniqueFd listener_;
  UniqueFd wake_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> paused_{false};
  std::atomic<bool> refuse_{false};
  std::atomic<bool> cut_{false};
  std::atomic<std::size_t> dribble_{0};
  std::atomic<std::size_t> accepted_{0};
  std::atomic<std::size_t> live_{0};
  mutable std::mutex mutex_;
  std::vector<std::size_t> stalled_;
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::function<void(std::string&)> tamper_;
  std::thread thread_;
};

}  // namespace sluice::test
