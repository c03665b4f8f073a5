// A subscriber of the soak's own at Redis, on a thread: sees the order in which Redis carries the
// messages, and knows when it could not look.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/process/support/resp.h"
#include "tests/soak/ledger.h"

namespace sluice::soak {

class Witness {
 public:
  Witness(test::Endpoint redis, std::size_t channels);
  /// Redis must have ended: that ends the thread's reading.
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  /// Moves what came since the last call into the ledger.
  void tell(Ledger& ledger);
  [[nodiscard]] bool subscribed() const { return subscribed_; }

 private:
  void run();
  void subscribe_and_read();

  test::Endpoint redis_;
  std::size_t channels_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> subscribed_{false};
  std::mutex mutex_;
  std::vector<std::string> pushes_;  ///< "message\nCHANNEL\nPAYLOAD"
  std::vector<std::pair<SteadyClock::time_point, SteadyClock::time_point>> blind_;
  bool lost_ = false;  ///< had a subscription and lost it
  SteadyClock::time_point blind_since_{};
  std::thread thread_;
};

}  // namespace sluice::soak
