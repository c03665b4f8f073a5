// Publishes that can't go to the relay yet, in order, bounded in bytes, each with its deadline. One
// waiting time for all, so the order of arrival is the order of deadlines.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "common/clock.h"
#include "gateway/outbox.h"
#include "gateway/protocols/client_protocol.h"

namespace sluice::gateway {

/// Who is told the outcome of a publish.
struct PublishOrigin {
  ClientRef client;   ///< nobody's: none is
  Ticket ticket = 0;  ///< as PublishRequest::ticket
};

struct HeldPublish {
  PublishOrigin origin;
  std::string channel;
  std::string payload;
  std::string meta;
  TimePoint deadline{};
};

class PublishHold {
 public:
  explicit PublishHold(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  [[nodiscard]] Enqueue push(HeldPublish publish);
  [[nodiscard]] bool empty() const { return queue_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t count() const { return queue_.size(); }
  [[nodiscard]] const HeldPublish& front() const { return queue_.front(); }
  HeldPublish pop();
  /// The front has waited long enough.
  [[nodiscard]] bool front_expired(TimePoint now) const {
    return !queue_.empty() && queue_.front().deadline <= now;
  }

 private:
  std::deque<HeldPublish> queue_;
  std::size_t bytes_ = 0;
  std::size_t bytes_max_;
};

}  // namespace sluice::gateway
