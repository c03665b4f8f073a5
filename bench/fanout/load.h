// The load generator's loop: one epoll for the publisher and all receivers. Everything that is
// published and received goes through the verifier.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "bench/fanout/latency.h"
#include "bench/fanout/publisher.h"
#include "bench/fanout/traffic.h"
#include "bench/fanout/verifier.h"
#include "common/unique_fd.h"

namespace sluice::fanout {

/// CLOCK_MONOTONIC.
[[nodiscard]] std::uint64_t now_ns();

inline constexpr std::uint64_t kMillisecond_ns = 1'000'000;
inline constexpr std::uint64_t kSecond_ns = 1'000'000'000;

/// Whoever receives: WebSocket clients, or gateways' links.
class Receivers {
 public:
  Receivers() = default;
  virtual ~Receivers() = default;
  Receivers(const Receivers&) = delete;
  Receivers& operator=(const Receivers&) = delete;

  virtual void on_event(std::uint64_t index, std::uint32_t events) = 0;
  /// Somebody is still there.
  [[nodiscard]] virtual bool any() const = 0;
  /// Receivers that have not got the latest message of their channel.
  [[nodiscard]] virtual std::size_t behind() const = 0;
  /// What they have not got by now is lost to them.
  virtual void give_up() = 0;
};

class Load {
 public:
  Load(Publisher& publisher, Verifier& verifier, std::size_t channels);

  /// Its sockets are in this epoll, data.u64 being its own index.
  void set_receivers(Receivers& receivers) { receivers_ = &receivers; }
  [[nodiscard]] int epoll() const { return epoll_.get(); }
  [[nodiscard]] Latencies& latencies() { return latencies_; }
  /// From now on the last channel is left out of the plan and gets so many messages per second, and
  /// only its deliveries count as latencies.
  void set_beside(double per_second) { beside_per_second_ = per_second; }
  void received(std::uint32_t channel, std::uint64_t took_ns) {
    if (beside_per_second_ == 0 || channel + 1 == channels_) latencies_.add(took_ns);
  }
  [[nodiscard]] Verifier& verifier() { return verifier_; }

  /// One turn: waits no longer than until then, works off what has come. Throws
  /// test::HarnessError when the publisher's connection is gone.
  void turn(std::uint64_t until_ns);
  /// Turns until `done` or the deadline; what `done` gave last.
  bool turn_until(std::uint64_t deadline_ns, const std::function<bool()>& done);

  /// Publishes by the plan for so long, `each_turn` in between. Then waits until everybody has
  /// everything; after `drain_max` what is missing is lost. False: nothing came through any more,
  /// or nobody was left, and it stopped early.
  bool run(const TrafficPlan& plan, std::chrono::nanoseconds span,
           const std::function<void()>& each_turn);

  /// Warm-up messages until each channel's latest has reached all its receivers: nothing is lost at
  /// the start. False: it never did.
  [[nodiscard]] bool barrier(std::chrono::nanoseconds wait);

  /// After run(): it gave up waiting for deliveries.
  [[nodiscard]] bool gave_up() const { return gave_up_; }
  /// Messages that were due and not published because too many were under way.
  [[nodiscard]] std::uint64_t throttled() const { return throttled_; }

 private:
  void publish_one();
  void publish(std::size_t channel);
  void flush();
  void drain();

  UniqueFd epoll_;
  Publisher& publisher_;
  Verifier& verifier_;
  Receivers* receivers_ = nullptr;
  Latencies latencies_;
  std::size_t channels_;
  std::size_t channel_ = 0;  ///< whose turn it is
  bool want_write_ = false;
  bool gave_up_ = false;
  std::uint64_t throttled_ = 0;
  double beside_per_second_ = 0;
};

}  // namespace sluice::fanout
