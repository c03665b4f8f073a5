// The clients of a run, all on one thread: those that stay and come back as SDKs do, and those that
// come for ten seconds. They talk in rooms, and what each receives is judged while it comes.
#pragma once

#include <atomic>
#include <queue>
#include <vector>

#include "bench/deploy/delivery.h"
#include "bench/deploy/reconnect.h"
#include "bench/deploy/record.h"
#include "bench/deploy/witness.h"
#include "tests/process/support/ws_swarm.h"

namespace sluice::bench {

/// What other threads may look at while the load runs.
struct LoadView {
  std::atomic<std::uint32_t> came{0};  ///< of those that stay: connected at least once
  std::atomic<std::uint32_t> open_long{0};
  std::atomic<std::uint32_t> open_short{0};
  std::atomic<std::uint32_t> closes{0};      ///< of the last whole second
  std::atomic<std::uint32_t> reconnects{0};  ///< of the last whole second
  std::atomic<std::uint64_t> failed{0};      ///< upgrades, so far
  std::atomic<std::uint64_t> faults{0};      ///< of delivery, so far
  std::atomic<std::uint64_t> cuts{0};        ///< so far
  std::atomic<std::int64_t> cpu_us{0};       ///< of the load's thread
};

class Load final : public test::SwarmObserver {
 public:
  Load(const Plan& plan, test::Endpoint balancer, Witness& witness, TimePoint began);

  /// Until stop(); throws HarnessError when a server breaks RFC 6455.
  void run();
  // From any thread:
  /// Nobody sends or comes any more, and those that stay do not leave by themselves; who is closed
  /// still comes back.
  void calm() { calm_ = true; }
  void stop() { stop_ = true; }
  [[nodiscard]] const LoadView& view() const { return view_; }

  /// After run(): what was seen.
  void tell(Record& record);

  // What the swarm tells.
  void message(std::size_t index, const std::string& text) override;
  void opened(std::size_t index) override;
  void closing(std::size_t index) override;
  void ended(std::size_t index) override;

 private:
  enum class State { kAway, kConnecting, kOpen, kLeaving, kTold };
  enum class Act { kConnect, kGiveUp, kPublish, kLeave, kArrive };
  struct Sent {
    std::uint32_t number = 0;
    TimePoint at;
    bool cut = false;  ///< the connection was cut soon after
  };
  /// One client; its connections come and go.
  struct Client {
    bool stays = true;
    Sdk sdk = Sdk::kCentrifuge;
    std::uint32_t room = 0;
    State state = State::kAway;
    std::uint32_t life = 0;  ///< of its present connection; what was planned for another is void
    unsigned attempt = 0;
    TimePoint away_since{};
    bool came_before = false;
    std::size_t index = 0;  ///< in the swarm
    std::size_t gateway = kUnknownGateway;
    Delivery delivery{0, TimePoint{}};
    std::vector<Sent> sent;
  };
  struct Planned {
    TimePoint due;
    std::uint64_t order;  ///< equal times: as planned
    std::size_t client;
    std::uint32_t life;
    Act act;
    bool operator>(const Planned& other) const {
      return due != other.due ? due > other.due : order > other.order;
    }
  };
  struct Finished {
    Delivery delivery;
    TimePoint ended;
  };

  [[nodiscard]] static TimePoint now() { return std::chrono::steady_clock::now(); }
  [[nodiscard]] ClientSecond& second() { return second_at(now()); }
  [[nodiscard]] ClientSecond& second_at(TimePoint at);
  [[nodiscard]] Duration around(double seconds);
  [[nodiscard]] Duration exponential(double mean_s);
  void plan_at(TimePoint due, std::size_t client, Act act);
  void work_off_plan();
  void act(const Planned& planned);
  void connect(std::size_t client);
  void give_up(std::size_t client);
  void publish(std::size_t client);
  void leave(std::size_t client);
  void arrive(TimePoint due);
  void come_back(std::size_t client);
  void lose(std::size_t client);
  void count_refusal(const test::SwarmClient& end);
  void hear_witness();
  void judge_finished(bool all);
  void count_faults();
  void close_seconds();
  void tell_view();
  void finish();

  Plan plan_;
  test::Endpoint balancer_;
  Witness& witness_;
  TimePoint began_;
  SeededRandom random_;
  test::WsSwarm swarm_;
  std::vector<Client> clients_;          ///< those that stay, then the short-lived
  std::vector<std::size_t> idle_short_;  ///< short-lived ones that have gone
  std::vector<std::size_t> client_of_;   ///< by index in the swarm
  std::priority_queue<Planned, std::vector<Planned>, std::greater<>> planned_;
  std::uint64_t planned_count_ = 0;
  RoomOrder order_;
  std::vector<std::size_t> unjudged_;  ///< clients with arrivals that the order did not have
  std::deque<Finished> finished_;
  std::vector<DeliveryFault> faults_;
  std::vector<ClientSecond> seconds_;
  std::size_t seconds_closed_ = 0;
  TimePoint last_turn_;
  PerGateway<std::uint32_t> open_{};
  std::uint32_t open_long_ = 0;
  std::uint32_t open_short_ = 0;
  std::vector<Close> closes_;
  Totals totals_;
  LoadView view_;
  std::atomic<bool> calm_{false};
  std::atomic<bool> stop_{false};
};

}  // namespace sluice::bench
