// The clients of a run, all on one thread, and who publishes to them. Each verifies what it gets to
// the last byte: content, order, none lost, none twice, each ping answered. Half of them are
// hostile: see manner.h.
//
// Listeners hear one channel that the fleet publishes on at Redis. Speakers are each alone on a
// channel of their own, publish there and hear themselves; the fleet is a second subscriber of
// these at Redis and knows by that what was carried. Pulses ping one gateway two hundred times
// a second: how long a pong takes is the pause. Newcomers connect through the balancer all the
// time, stay for a second, leave.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <thread>
#include <vector>

#include "bench/fanout/publisher.h"
#include "bench/restart/client.h"
#include "bench/restart/latency_log.h"
#include "bench/restart/record.h"
#include "tests/process/support/ws_wire.h"

namespace sluice::restart {

struct DirectTarget {
  std::string gateway;
  test::Endpoint to;
};

/// Where the fleet connects.
struct Targets {
  std::optional<test::Endpoint> balancer;  ///< nothing: everybody goes to `direct`
  /// Gateways without the balancer, for pulses and slow readers: it would read for them. May be
  /// empty where there is a balancer: no pulses.
  std::vector<DirectTarget> direct;
  bool proxy_header = true;  ///< what goes direct begins with one
  test::Endpoint redis;
};

/// What other threads may look at while the fleet runs.
struct FleetView {
  std::atomic<std::uint32_t> open{0};  ///< all but newcomers
  std::atomic<bool> warm{false};       ///< everybody is connected and hears
  std::atomic<bool> quiet{false};      ///< after calm(): all that is due has come
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> newcomers{0};
  std::atomic<std::uint64_t> failed{0};
  std::atomic<std::uint64_t> disconnects{0};
  std::atomic<std::uint64_t> faults{0};
  std::atomic<std::int64_t> cpu_us{0};
  std::atomic<double> heard_s{0};  ///< the latest message that somebody has was published then
};

/// One answer to a pulse that was no quick one, by gateway's index in Targets::direct.
struct SlowPulse {
  std::size_t direct = 0;
  double sent_s = 0;
  double waited_ms = 0;
};

class Fleet {
 public:
  Fleet(const Plan& plan, Targets targets, TimePoint began);
  /// Ends the thread.
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // From any thread:
  /// All clients that stay: view().open is this many when everybody is there.
  [[nodiscard]] std::uint32_t wanted() const { return wanted_; }
  [[nodiscard]] const FleetView& view() const { return view_; }
  /// Nobody publishes, pings or comes any more.
  void calm() { calm_ = true; }
  /// Rethrows what the fleet's thread ended with, if it did.
  void check();
  /// Longest wait of a pulse at this gateway that was sent between these times, ms.
  [[nodiscard]] double pause_ms(std::size_t direct, double from_s, double to_s);
  /// When the pulse at this gateway was sent that was answered last, seconds of the run.
  [[nodiscard]] double last_pulse_s(std::size_t direct) const {
    return last_pulses_.at(direct).load();
  }

  /// Ends the thread and says what was seen.
  void tell(Record& record);

 private:
  enum class Act { kConnect, kGiveUp, kFlush, kPing, kStall, kLeave, kPublish, kSpeak, kNewcomer };
  struct Planned {
    TimePoint due;
    std::uint64_t order;  ///< equal times: as planned
    std::uint32_t client;
    std::uint32_t life;
    Act act;
    bool operator>(const Planned& other) const {
      return due != other.due ? due > other.due : order > other.order;
    }
  };
  static constexpr std::uint32_t kNobody = ~0U;
  static constexpr std::size_t kKept = 1024;  ///< published texts, a power of two
  static constexpr std::size_t kDirectMax = 8;

  [[nodiscard]] static TimePoint now() { return std::chrono::steady_clock::now(); }
  [[nodiscard]] double at_s(TimePoint at) const;
  [[nodiscard]] Duration around(double seconds);
  [[nodiscard]] bool stays(const Client& client) const { return client.who != Who::kNewcomer; }

  // fleet.cc: who there is, the loop
  void add(Who who, std::uint32_t number, TimePoint come_at);
  [[nodiscard]] std::string request_of(const Client& client, bool direct) const;
  void subscribe_witness();
  void run();
  void turn(int wait_ms);
  void plan_at(TimePoint due, std::uint32_t client, Act act);
  void work_off_plan();
  void act(const Planned& planned);
  void watch(std::uint32_t index);
  void on_event(std::uint32_t index, std::uint32_t events);
  void note_progress();
  void end_thread();

  // fleet_traffic.cc: what goes out
  void connect(std::uint32_t index);
  void flush(std::uint32_t index);
  void publish_down();
  void speak();
  void send_ping(std::uint32_t index);
  void stall(std::uint32_t index);
  void leave(std::uint32_t index);
  void newcomer();
  [[nodiscard]] std::string ping_payload(Client& client);

  // fleet_input.cc: what comes in
  void read(std::uint32_t index);
  void on_bytes(std::uint32_t index);
  bool on_head(std::uint32_t index);
  void opened(std::uint32_t index);
  void on_message(std::uint32_t index, std::string_view text);
  void on_down(Client& client, std::string_view text);
  void on_own(Client& client, std::string_view text);
  void on_pong(Client& client, std::string_view payload);
  void on_close(std::uint32_t index, std::string_view payload);
  void ended(std::uint32_t index, const std::string& how);
  void hear_witness();
  void on_carried(std::string_view channel, std::string_view text);

  // fleet_verdict.cc
  void fault(FaultKind kind, const Client& client, std::uint32_t serial, TimePoint at);
  void arrived(Client& client, std::uint32_t serial);
  void close_stream(Client& client, bool complete);
  void find_lost_publishes();
  [[nodiscard]] bool all_there();
  [[nodiscard]] bool has_all(const Client& client) const;
  void finish();

  Plan plan_;
  Targets targets_;
  TimePoint began_;
  std::mt19937_64 random_;
  UniqueFd epoll_;
  std::uint32_t wanted_ = 0;
  std::deque<Client> clients_;  ///< newcomers behind those that stay
  std::uint32_t first_speaker_ = 0;
  std::vector<std::uint32_t> gone_newcomers_;  ///< may come again
  std::priority_queue<Planned, std::vector<Planned>, std::greater<>> planned_;
  std::uint64_t planned_count_ = 0;

  std::unique_ptr<fanout::Publisher> publisher_;
  std::unique_ptr<test::Socket> witness_;
  std::string witness_in_;
  std::uint32_t published_ = 0;
  std::uint32_t heard_ = 0;              ///< the highest serial that a quick listener has
  std::vector<TimePoint> published_at_;  ///< by serial - 1
  std::array<std::string, kKept> kept_;
  TimePoint last_said_{};  ///< by whomever

  LatencyLog latency_;
  std::deque<SlowPulse> slow_pulses_;
  std::mutex pulses_mutex_;  ///< of slow_pulses_
  std::array<std::atomic<double>, kDirectMax> last_pulses_{};
  Totals totals_;
  std::vector<Disconnect> disconnects_;
  std::vector<FailedUpgrade> failed_upgrades_;
  std::vector<Fault> faults_;
  std::vector<LostPublish> lost_publishes_;
  TimePoint last_turn_{};

  FleetView view_;
  std::atomic<bool> calm_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr broken_;
  std::thread thread_;
};

}  // namespace sluice::restart
