// A subscriber of the bench's own at Redis, on a thread: sees in which order Redis carries the
// clients' messages.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "bench/deploy/message.h"
#include "common/clock.h"
#include "tests/process/support/socket.h"

namespace sluice::bench {

class Witness {
 public:
  /// Subscribed when the constructor returns.
  explicit Witness(const test::Endpoint& redis);
  /// Redis must have ended: that ends the thread's reading.
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  /// What came since the last call.
  [[nodiscard]] std::vector<std::pair<Message, TimePoint>> take();
  /// The subscription is lost: nothing can be judged any more.
  [[nodiscard]] bool blind() const { return blind_; }

 private:
  void read(const test::Endpoint& redis);

  std::atomic<bool> subscribed_{false};
  std::atomic<bool> blind_{false};
  std::mutex mutex_;
  std::vector<std::pair<Message, TimePoint>> carried_;
  std::thread thread_;
};

}  // namespace sluice::bench
