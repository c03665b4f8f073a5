// Judges every delivery: is it the message that this client had to get next, to the last byte?
// Knows what was published, what each client has, and which messages have reached everybody. Pure.
//
// The usual case, the expected message, is one comparison with the text that was published. All
// else is parsed and sorted into lost, twice, misordered and corrupt.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bench/fanout/message.h"

namespace sluice::fanout {

struct Faults {
  std::uint64_t lost = 0;
  std::uint64_t twice = 0;
  std::uint64_t misordered = 0;
  std::uint64_t corrupt = 0;
  std::uint64_t disconnected = 0;
  std::uint64_t refused = 0;
  [[nodiscard]] std::uint64_t total() const {
    return lost + twice + misordered + corrupt + disconnected + refused;
  }
};

/// A receiver's place. The owner keeps it beside its socket.
struct Place {
  std::uint32_t channel = 0;
  bool counted = false;     ///< messages published from now on wait for it
  std::uint64_t next = 1;   ///< sequence expected
  std::uint64_t since = 1;  ///< first sequence that it had to get
};

class Verifier {
 public:
  /// `kept_max` (a power of two): messages per channel that may be under way at once.
  Verifier(std::uint32_t run, std::size_t channels, std::size_t kept_max);

  /// False: publishing one more on this channel would pass kept_max.
  [[nodiscard]] bool has_room(std::size_t channel) const;
  /// The text to publish, valid until kept_max later ones.
  [[nodiscard]] std::string_view publish(std::size_t channel, std::uint64_t now_ns);

  /// From now on this receiver must get everything that is published.
  void join(Place& place);
  /// It is gone: nobody waits for it. What it has not received is not counted.
  void leave(Place& place);

  /// A delivery. Returns when the message was published, for the latency; 0: it does not count.
  std::uint64_t receive(Place& place, std::string_view message, std::uint64_t who) {
    Channel& channel = channels_[place.channel];
    const Entry& entry = channel.kept[place.next & mask_];
    if (message.size() == kPayloadBytes && place.next < channel.next && place.counted &&
        std::memcmp(message.data(), entry.text.data(), kPayloadBytes) == 0) [[likely]] {
      settle(channel, place.next);
      ++place.next;
      ++deliveries_;
      return entry.sent_ns;
    }
    return receive_unexpected(place, message, who);
  }

  /// The messages that this receiver has not got by now are lost to it. One that comes later still
  /// is no fault more.
  void give_up(Place& place);

  /// Before strict(true), faults do not count and a receiver may begin anywhere: warm-up.
  void strict(bool on) { strict_ = on; }
  [[nodiscard]] bool has_latest(const Place& place) const {
    return place.next == channels_[place.channel].next;
  }

  [[nodiscard]] std::uint64_t published() const { return published_; }
  /// Messages that everybody counted has, or will never have.
  [[nodiscard]] std::uint64_t completed() const { return completed_; }
  [[nodiscard]] std::uint64_t outstanding() const { return published_ - completed_; }
  [[nodiscard]] std::uint64_t deliveries() const { return deliveries_; }
  [[nodiscard]] Faults& faults() { return faults_; }
  [[nodiscard]] const Faults& faults() const { return faults_; }

 private:
  struct Entry {
    MessageText text;
    std::uint64_t sent_ns = 0;
    std::uint32_t waiting = 0;  ///< receivers that have not got it
  };
  struct Channel {
    std::vector<Entry> kept;   ///< by sequence & mask
    std::uint64_t next = 1;    ///< sequence of the next to publish
    std::uint64_t oldest = 1;  ///< the first that somebody waits for
    std::uint32_t receivers = 0;
  };

  std::uint64_t receive_unexpected(Place& place, std::string_view message, std::uint64_t who);
  void skip_to(Place& place, std::uint64_t sequence);
  void settle(Channel& channel, std::uint64_t sequence) {
    if (--channel.kept[sequence & mask_].waiting == 0) complete(channel);
  }
  void complete(Channel& channel);

  std::uint32_t run_;
  std::uint64_t mask_;
  std::vector<Channel> channels_;
  bool strict_ = false;
  std::uint64_t published_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t deliveries_ = 0;
  Faults faults_;
  /// By receiver, sequences passed over and so counted as lost: one that comes after all is
  /// misordered instead. Bounded by kHolesMax.
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> holes_;
  std::size_t holes_count_ = 0;
};

}  // namespace sluice::fanout
