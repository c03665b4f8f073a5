// What Redis carried, and in which order: the yardstick for what clients receive. Filled by the
// witness, a subscriber of the soak's own beside the relay's.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/process/support/deadline.h"

namespace sluice::soak {

using test::SteadyClock;

/// A message as it travels: "s CHANNEL SENDER NUMBER FILL".
struct Numbered {
  std::size_t channel = 0;
  std::uint32_t sender = 0;
  std::uint32_t number = 0;

  [[nodiscard]] std::uint64_t key() const {
    return static_cast<std::uint64_t>(sender) << 32U | number;
  }
};
[[nodiscard]] std::string to_text(const Numbered& message, std::size_t fill);
[[nodiscard]] std::optional<Numbered> parse(std::string_view text);

/// A broken promise: ends the soak.
struct Violation {
  std::string what;
};

/// Senders up to this are the soak's own publishers at Redis, one per channel.
inline constexpr std::uint32_t kFirstClientSender = 1000;

class Ledger {
 public:
  explicit Ledger(std::size_t channels) : channels_(channels) {}

  /// The witness has received it. Throws Violation when it was carried before, or out of its
  /// sender's order.
  void carried(std::string_view channel_name, const Numbered& message);
  /// A client has it, the witness was away when it passed: from now on it is known, without a
  /// place.
  void carried_unseen(const Numbered& message);
  /// Between these times the witness may have missed messages.
  void blind(SteadyClock::time_point from, SteadyClock::time_point to) {
    blind_.emplace_back(from, to);
  }
  [[nodiscard]] bool was_blind(SteadyClock::time_point from, SteadyClock::time_point to) const;

  /// Its place in the channel's order, from 1; 0 = carried unseen; nothing = not carried as yet.
  [[nodiscard]] std::optional<std::uint64_t> place(const Numbered& message) const;
  [[nodiscard]] std::uint64_t total() const { return total_; }
  /// Forgets what is older, so that a long soak needs no more memory than a short one.
  void forget_before(SteadyClock::time_point time);

 private:
  struct Channel {
    std::uint64_t last = 0;
    std::unordered_map<std::uint64_t, std::uint64_t> places;   ///< by Numbered::key()
    std::unordered_map<std::uint32_t, std::uint32_t> numbers;  ///< by sender: its last
    std::deque<std::pair<SteadyClock::time_point, std::uint64_t>> ages;
  };

  std::vector<Channel> channels_;
  std::vector<std::pair<SteadyClock::time_point, SteadyClock::time_point>> blind_;
  std::uint64_t total_ = 0;
};

[[nodiscard]] std::string channel_name(std::size_t channel);

}  // namespace sluice::soak
