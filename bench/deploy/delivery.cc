#include "bench/deploy/delivery.h"

#include <algorithm>

namespace sluice::bench {
namespace {

/// Holes remembered per connection, to tell a late message from a repeated one.
constexpr std::size_t kPassedOverMax = 4096;

}  // namespace

void RoomOrder::carried(const Message& message, TimePoint at) {
  if (message.room >= rooms_.size()) return;
  Room& room = rooms_[message.room];
  if (!room.places.emplace(message.key(), room.times.size() + 1).second) {
    ++repeated_;
    return;
  }
  room.times.push_back(at);
  ++total_;
}

std::optional<std::uint64_t> RoomOrder::place(const Message& message) const {
  if (message.room >= rooms_.size()) return std::nullopt;
  const auto& places = rooms_[message.room].places;
  const auto found = places.find(message.key());
  if (found == places.end()) return std::nullopt;
  return found->second;
}

std::uint64_t RoomOrder::first_from(std::uint32_t room, TimePoint at) const {
  const auto& times = rooms_.at(room).times;
  return static_cast<std::uint64_t>(std::lower_bound(times.begin(), times.end(), at) -
                                    times.begin()) +
         1;
}

void Delivery::judge(const Arrival& arrival, std::uint64_t place,
                     std::vector<DeliveryFault>& faults) {
  if (last_ == 0) {
    first_ = last_ = place;
    return;
  }
  if (place > last_) {
    if (place > last_ + 1) {
      faults.push_back({FaultKind::kMissing, place - last_ - 1, arrival.at});
      for (std::uint64_t i = last_ + 1; i < place && passed_over_.size() < kPassedOverMax; ++i)
        passed_over_.insert(i);
    }
    last_ = place;
    return;
  }
  const bool late = passed_over_.erase(place) != 0 || place < first_;
  faults.push_back({late ? FaultKind::kMisplaced : FaultKind::kRepeated, 1, arrival.at});
}

void Delivery::compare(const RoomOrder& order, std::vector<DeliveryFault>& faults) {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    const Arrival& arrival = waiting_.front();
    if (arrival.message.room != room_) {
      faults.push_back({FaultKind::kForeign, 1, arrival.at});
      continue;
    }
    const auto place = order.place(arrival.message);
    if (!place) return;
    judge(arrival, *place, faults);
  }
}

void Delivery::finish(const RoomOrder& order, TimePoint ended, std::vector<DeliveryFault>& faults) {
  compare(order, faults);
  if (!waiting_.empty()) faults.push_back({FaultKind::kForeign, waiting_.size(), ended});
  const std::uint64_t from = order.first_from(room_, opened_ + kOnTheWay);
  const std::uint64_t to = order.first_from(room_, ended - kOnTheWay);  // one beyond
  if (from >= to) return;
  if (last_ == 0) {
    faults.push_back({FaultKind::kMissing, to - from, ended});
    return;
  }
  if (first_ > from) faults.push_back({FaultKind::kMissing, std::min(first_, to) - from, opened_});
  if (last_ + 1 < to) {
    faults.push_back({FaultKind::kMissing, to - std::max(last_ + 1, from), ended});
  }
}

}  // namespace sluice::bench
