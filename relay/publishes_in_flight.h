// Step 7 of a message's path: publishes that the broker has and has not answered. Answers come
// nearly always in the order asked, so this is a queue. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/check.h"
#include "relay/block_queue.h"
#include "relay/brokers/broker.h"
#include "relay/publish_hold.h"

namespace sluice::relay {

/// Bounded by whoever asks the broker before each whether it has room.
class PublishesInFlight {
 public:
  /// Ids are +1 each, never used again.
  [[nodiscard]] PublishId add(const PublishRequest& request) {
    requests_.push_back(request);
    ++count_;
    return first_ + requests_.size() - 1;
  }
  /// Each id once.
  [[nodiscard]] PublishRequest take(PublishId id) {
    CHECK(id >= first_ && id - first_ < requests_.size());
    std::optional<PublishRequest>& place = requests_[id - first_];
    CHECK(place.has_value());
    const PublishRequest request = *place;
    place.reset();
    --count_;
    for (; !requests_.empty() && !requests_.front(); ++first_) requests_.drop_front();
    return request;
  }
  /// All of them, in the order in which they were given.
  template <typename Use>
  void each(Use use) const {
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i]) use(*requests_[i]);
    }
  }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  BlockQueue<std::optional<PublishRequest>> requests_;
  PublishId first_ = 1;
  std::size_t count_ = 0;
};

}  // namespace sluice::relay
