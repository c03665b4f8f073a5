// Did each client receive, while it was connected, every message of its room, once and in order?
// The yardstick is the order in which Redis carried them, seen by a subscriber of the bench's own.
// Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "bench/deploy/message.h"
#include "common/clock.h"

namespace sluice::bench {

/// From Redis to a client, and from a client's upgrade to its subscription, at the longest: what
/// was carried closer than this to a connection's begin or end need not have come. Seconds, because
/// the machine that measures carries the whole system at once.
inline constexpr Duration kOnTheWay = std::chrono::seconds(3);

/// What Redis carried in each room, in its order.
class RoomOrder {
 public:
  explicit RoomOrder(std::size_t rooms) : rooms_(rooms) {}

  /// `at` never goes back.
  void carried(const Message& message, TimePoint at);
  /// From 1 on; nothing: not carried as yet.
  [[nodiscard]] std::optional<std::uint64_t> place(const Message& message) const;
  /// Place of the first message carried at or after `at`; one beyond the last when there is none.
  [[nodiscard]] std::uint64_t first_from(std::uint32_t room, TimePoint at) const;
  /// Messages that Redis carried twice, which it does only when told to.
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::size_t rooms() const { return rooms_.size(); }

 private:
  struct Room {
    std::unordered_map<std::uint64_t, std::uint64_t> places;  ///< by Message::key()
    std::vector<TimePoint> times;                             ///< of place i + 1
  };
  std::vector<Room> rooms_;
  std::uint64_t repeated_ = 0;
  std::uint64_t total_ = 0;
};

enum class FaultKind {
  kMissing,    ///< passed over, or never came
  kRepeated,   ///< came again
  kMisplaced,  ///< came after a later one
  kForeign,    ///< of another room, or never carried
};

struct DeliveryFault {
  FaultKind kind{};
  std::uint64_t messages = 0;
  TimePoint at;  ///< when the client showed it
};

/// One connection of a client, from its upgrade to its end.
class Delivery {
 public:
  Delivery(std::uint32_t room, TimePoint opened) : room_(room), opened_(opened) {}

  void arrived(const Message& message, TimePoint at) { waiting_.push_back({message, at}); }
  /// Judges what has arrived as far as the order is known; appends what is wrong.
  void compare(const RoomOrder& order, std::vector<DeliveryFault>& faults);
  /// Judges beginning and end of the connection as well. Call once, when the order is known up to
  /// `ended`.
  void finish(const RoomOrder& order, TimePoint ended, std::vector<DeliveryFault>& faults);

  /// Arrivals that the order does not have as yet.
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Arrival {
    Message message;
    TimePoint at;
  };
  void judge(const Arrival& arrival, std::uint64_t place, std::vector<DeliveryFault>& faults);

  std::uint32_t room_;
  TimePoint opened_;
  std::deque<Arrival> waiting_;
  std::uint64_t first_ = 0;  ///< place of the first message that came
  std::uint64_t last_ = 0;   ///< the highest place that came
  std::set<std::uint64_t> passed_over_;
};

}  // namespace sluice::bench
