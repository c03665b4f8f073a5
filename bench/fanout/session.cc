#include "bench/fanout/session.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "bench/fanout/crowd.h"
#include "bench/fanout/links.h"
#include "bench/fanout/stage.h"
#include "bench/fanout/usage.h"

namespace sluice::fanout {
namespace {

constexpr std::uint64_t kConnectMax_ns = 60 * kSecond_ns;
constexpr std::size_t kConnectsInFlight = 256;
constexpr auto kBarrierMax = std::chrono::seconds(30);
constexpr double kBusyWarning_percent = 95;
constexpr double kBusyServer_percent = 90;
constexpr double kOthersWarning_percent = 10;
/// How long W6's last connections may take to go.
constexpr std::uint64_t kLastUpgrades_ns = 5 * kSecond_ns;

std::chrono::nanoseconds seconds_of(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

std::vector<std::string> channel_names(std::uint32_t run, std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i)
    names.push_back("r" + std::to_string(run) + "c" + std::to_string(i));
  return names;
}

void add_note(Run& run, const std::string& text) {
  run.note += (run.note.empty() ? "" : "; ") + text;
}

std::string percent(double value) {
  return std::to_string(static_cast<int>(std::lround(value))) + " %";
}

class Session {
 public:
  Session(const ServerUnderTest& server, const Workload& workload, test::RedisServer& redis,
          const SessionOptions& options, Run& run)
      : workload_(workload),
        options_(options),
        seconds_(workload.seconds > 0 ? workload.seconds : options.seconds),
        run_(run),
        redis_(redis),
        channels_(channel_names(options.run, workload.channels)),
        plan_(server.plan({redis, directory_}, {workload.clients, channels_,
                                                std::chrono::seconds(workload.ping_interval_s)})),
        stage_(plan_),
        verifier_(options.run, workload.channels, workload.kept_max),
        publisher_(make_publisher(plan_.route, channels_)),
        load_(*publisher_, verifier_, workload.channels) {}

  void run() {
    switch (workload_.mode) {
      case Mode::kLinks:
        run_links();
        break;
      case Mode::kUpgrades:
        run_upgrades();
        break;
      case Mode::kIdle:
        run_idle();
        break;
      case Mode::kFairness:
        run_fairness();
        break;
      default:
        run_fan_out();
    }
    run_.faults = verifier_.faults();
    if (!stage_.all_running()) add_note(run_, "the server has ended");
  }

 private:
  /// Between two of these lies what is measured.
  struct Mark {
    std::uint64_t at_ns = 0;
    std::uint64_t cpu = 0;       ///< the server's
    std::uint64_t load_cpu = 0;  ///< ours and Redis'
    std::uint64_t deliveries = 0;
    CoreTime server_core;
    CoreTime load_core;
  };

  [[nodiscard]] Mark mark() const {
    return {now_ns(),
            cpu_ns(counted_),
            cpu_ns({::getpid(), redis_.pid()}),
            verifier_.deliveries(),
            core_time(kServerCore),
            core_time(kLoadCore)};
  }

  /// What holds for every kind of run. Returns the server's CPU time in ns.
  std::uint64_t conclude(const Mark& before) {
    const Mark after = mark();
    const std::uint64_t cpu = after.cpu - before.cpu;
    run_.seconds = static_cast<double>(after.at_ns - before.at_ns) / 1e9;
    run_.deliveries = after.deliveries - before.deliveries;
    run_.core1_busy_percent = busy_percent(before.load_core, after.load_core);
    const auto share = [&](std::uint64_t used) {
      return static_cast<double>(used) / 1e7 / run_.seconds;
    };
    run_.load_percent = share(after.load_cpu - before.load_cpu);
    run_.server_percent = share(cpu);
    run_.core0_other_percent =
        std::max(0.0, busy_percent(before.server_core, after.server_core) - run_.server_percent);
    warn();
    return cpu;
  }

  /// What makes figures doubtful.
  void warn() {
    // Both at their limit is well: with more waiting in each socket the generator's reads get
    // cheaper.
    if (run_.load_percent >= kBusyWarning_percent && run_.server_percent < kBusyServer_percent)
      add_note(run_, "generator and Redis took " + percent(run_.load_percent) +
                         " of core 1: they may have been the limit");
    const double others = run_.core1_busy_percent - run_.load_percent;
    if (std::max(others, run_.core0_other_percent) >= kOthersWarning_percent)
      add_note(run_, "others used " + percent(run_.core0_other_percent) + " of core 0, " +
                         percent(std::max(0.0, others)) + " of core 1");
    if (load_.gave_up()) add_note(run_, "deliveries were missing 20 s after the last publish");
    if (load_.throttled() > 0)
      add_note(run_, std::to_string(load_.throttled()) +
                         " messages were not published: too many under way");
  }

  /// Per delivery, and the latencies.
  void conclude_deliveries(const Mark& before) {
    const auto cpu = static_cast<double>(conclude(before));
    if (run_.deliveries == 0) {
      add_note(run_, "nothing was delivered");
      return;
    }
    const auto deliveries = static_cast<double>(run_.deliveries);
    run_.cpu_us_per_delivery = cpu / 1e3 / deliveries;
    run_.deliveries_per_second = deliveries / run_.seconds;
    run_.latency_us = in_us(load_.latencies());
  }

  static Run::Latency in_us(const Latencies& latencies) {
    const auto at = [&](double share) {
      return static_cast<double>(latencies.percentile_ns(share)) / 1e3;
    };
    return {at(0.5), at(0.99), at(0.999)};
  }

  /// Everybody is connected and has had a message. False: that did not come about.
  bool fill(Crowd& crowd) {
    counted_ = stage_.counted();
    const std::uint64_t empty = resident_bytes(counted_);
    if (!crowd.connect_all(now_ns() + kConnectMax_ns, kConnectsInFlight)) {
      add_note(run_, "only " + std::to_string(crowd.ready()) + " clients were let in");
      return false;
    }
    if (!load_.barrier(kBarrierMax)) {
      add_note(run_, std::to_string(crowd.behind()) + " clients got no message in " +
                         std::to_string(kBarrierMax.count()) + " s");
      return false;
    }
    counted_ = stage_.counted();
    run_.bytes_per_client =
        (static_cast<double>(resident_bytes(counted_)) - static_cast<double>(empty)) /
        static_cast<double>(workload_.clients);
    return true;
  }

  void measure_traffic(const std::function<void()>& each_turn) {
    (void)load_.run(workload_.traffic, seconds_of(options_.warm_up_seconds), nullptr);
    load_.latencies().clear();
    const Mark before = mark();
    if (!load_.run(workload_.traffic, seconds_of(seconds_), each_turn))
      add_note(run_, "stopped early: nothing came through any more");
    conclude_deliveries(before);
  }

  void run_fan_out() {
    Crowd crowd(load_, plan_, channels_, workload_.clients);
    if (!fill(crowd)) return;
    if (workload_.mode == Mode::kChurn) {
      run_churn(crowd);
    } else {
      if (workload_.mode == Mode::kLatency)
        add_note(run_, std::to_string(std::lround(workload_.traffic.per_second)) + " messages/s");
      measure_traffic(nullptr);
    }
  }

  /// One after the other is replaced, whoever has been there longest.
  void run_churn(Crowd& crowd) {
    std::vector<std::size_t> gone;
    std::size_t oldest = 0;
    std::uint64_t replaced = 0;
    crowd.on_gone = [&gone](std::size_t index, bool) { gone.push_back(index); };
    const double per_second = static_cast<double>(workload_.clients) * kChurnShare / kChurnSeconds;
    std::uint64_t start = 0;
    measure_traffic([&] {
      if (start == 0) start = now_ns();
      const double wanted = static_cast<double>(now_ns() - start) / 1e9 * per_second;
      for (; static_cast<double>(replaced) < wanted; ++replaced) {
        crowd.close(oldest);
        oldest = (oldest + 1) % workload_.clients;
      }
      for (const std::size_t index : std::exchange(gone, {})) crowd.dial(index);
    });
    crowd.on_gone = nullptr;
    add_note(run_, std::to_string(replaced) + " clients replaced");
  }

  void run_upgrades() {
    // One client stays: a channel that comes and goes with each client is another measurement.
    const std::size_t clients = workload_.clients;
    Crowd crowd(load_, plan_, channels_, clients + 1);
    crowd.dial(clients);
    if (!load_.turn_until(now_ns() + kConnectMax_ns, [&] { return crowd.is_ready(clients); }) ||
        !load_.barrier(kBarrierMax)) {
      add_note(run_, "no client was let in");
      return;
    }
    counted_ = stage_.counted();
    std::uint64_t done = 0;
    std::vector<std::size_t> ready;
    std::vector<std::size_t> gone;
    for (std::size_t i = 0; i < clients; ++i) gone.push_back(i);
    crowd.on_ready = [&](std::size_t index) { ready.push_back(index); };
    crowd.on_gone = [&](std::size_t index, bool upgraded) {
      done += upgraded ? 1U : 0U;
      gone.push_back(index);
    };
    const Mark before = mark();
    const std::uint64_t end = before.at_ns + static_cast<std::uint64_t>(seconds_ * 1e9);
    (void)load_.turn_until(end + kLastUpgrades_ns, [&] {
      for (const std::size_t index : std::exchange(ready, {})) crowd.close(index);
      if (now_ns() >= end) return gone.size() == clients;
      for (const std::size_t index : std::exchange(gone, {})) crowd.dial(index);
      return false;
    });
    crowd.on_gone = nullptr;
    crowd.on_ready = nullptr;
    if (gone.size() < clients)
      add_note(run_, std::to_string(clients - gone.size()) + " connections did not end");
    const auto cpu = static_cast<double>(conclude(before));
    run_.upgrades_per_second = static_cast<double>(done) / run_.seconds;
    if (done > 0) run_.cpu_us_per_upgrade = cpu / 1e3 / static_cast<double>(done);
  }

  void run_idle() {
    Crowd crowd(load_, plan_, channels_, workload_.clients);
    if (!fill(crowd)) return;
    const std::uint64_t pings = crowd.pings();
    const Mark before = mark();
    (void)load_.run({}, seconds_of(seconds_), nullptr);
    const auto cpu = static_cast<double>(conclude(before));
    run_.idle_cpu_percent = cpu / 1e7 / run_.seconds;
    add_note(run_, std::to_string(crowd.pings() - pings) + " pings");
  }

  /// The last clients are on a channel of their own; one more comes, is let in, and goes, again and
  /// again.
  void run_fairness() {
    const std::size_t newcomer = workload_.clients;
    Crowd crowd(load_, plan_, channels_, workload_.clients + 1);
    const std::size_t huge = workload_.clients - kBesides;
    crowd.channel_of = [&](std::size_t i) { return i >= huge && i < newcomer ? 1U : 0U; };
    if (!fill(crowd)) return;
    load_.set_beside(kBesidesRate);
    Latencies opening;
    std::uint64_t dialed_ns = 1;  // 0: gone
    bool here = true;
    crowd.on_ready = [&](std::size_t index) {
      if (index != newcomer) return;
      opening.add(now_ns() - dialed_ns);
      here = true;
    };
    crowd.on_gone = [&](std::size_t index, bool) {
      if (index == newcomer) dialed_ns = 0;
    };
    measure_traffic([&] {
      if (std::exchange(here, false)) return crowd.close(newcomer);
      if (dialed_ns != 0) return;
      dialed_ns = now_ns();
      crowd.dial(newcomer);
    });
    crowd.on_gone = nullptr;
    crowd.on_ready = nullptr;
    if (opening.count() > 0) run_.open_us = in_us(opening);
    add_note(run_, std::to_string(opening.count()) + " newcomers");
  }

  void run_links() {
    counted_ = stage_.counted();
    Links links(load_, plan_.endpoint, channels_[0], kLinks);
    if (!links.subscribe_all(now_ns() + kConnectMax_ns) || !load_.barrier(kBarrierMax)) {
      add_note(run_, "the relay lets nothing through");
      return;
    }
    measure_traffic(nullptr);
    if (run_.cpu_us_per_delivery)
      add_note(run_, "the relay alone; a full core would make " +
                         std::to_string(std::lround(1e6 / *run_.cpu_us_per_delivery)) +
                         " deliveries/s");
  }

  const Workload& workload_;
  const SessionOptions& options_;
  double seconds_;
  Run& run_;
  test::RedisServer& redis_;
  test::TempDir directory_;
  std::vector<std::string> channels_;
  ServerPlan plan_;
  Stage stage_;
  Verifier verifier_;
  std::unique_ptr<Publisher> publisher_;
  Load load_;
  std::vector<pid_t> counted_;
};

}  // namespace

Run run_session(const ServerUnderTest& server, const Workload& workload, test::RedisServer& redis,
                const SessionOptions& options) {
  Run run;
  run.workload = workload.id;
  run.variant = workload.variant;
  run.server = server.identity().name;
  run.clients = workload.clients;
  const Needs needs{workload.clients, channel_names(options.run, workload.channels),
                    std::chrono::seconds(workload.ping_interval_s)};
  if (const auto reason = server.refuses(needs)) {
    run.note = *reason;
    return run;
  }
  try {
    Session(server, workload, redis, options, run).run();
  } catch (const test::HarnessError& error) {
    add_note(run, error.what());
  }
  return run;
}

}  // namespace sluice::fanout
