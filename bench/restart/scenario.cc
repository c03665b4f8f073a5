#include "bench/restart/scenario.h"

#include <algorithm>
#include <cmath>
#include <csignal>

#include "bench/fanout/usage.h"
#include "bench/restart/fleet.h"
#include "bench/restart/machine.h"
#include "bench/restart/stage.h"
#include "bench/restart/steady.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;
using test::HarnessError;
using test::Millis;

/// For what a machine that does much else delays.
constexpr Millis kPatience = 60s;
/// From calm to the end: what is on its way arrives, slow readers included.
constexpr Millis kQuietWait = 30s;
/// How long the new process's CPU counts as the handoff's.
constexpr double kTakeoverCpu_s = 1;
/// From SIGUSR2 to the relay until it executes the new program, which it tries first.
constexpr Millis kExecWait = 20s;
/// Kills of one gateway within this time: one less than its keeper gives it up after.
constexpr double kCrashLoop_s = 61;
constexpr std::ptrdiff_t kCrashesInLoopMax = 4;
/// Before a restart is asked for, for pings that wait already.
constexpr double kBefore_s = 0.2;
constexpr double kMs = 1e6;

StageSettings stage_settings(const RunOptions& options) {
  StageSettings settings;
  settings.keepers = options.keepers;
  settings.io_uring = options.plan.io_uring;
  if (options.plan.scenario == "idle") {
    settings.gateways = 1;
    settings.balancer = false;
  }
  constexpr std::uint32_t kSpare = 1000;
  settings.connections_max = options.plan.clients + options.plan.speakers + kSpare;
  return settings;
}

/// Client ids of who is subscribed to something: relay and witness.
std::string subscribers_of(test::RedisServer& redis) {
  std::vector<std::string> ids;
  for (const std::string& line : redis.clients()) {
    if (line.find(" sub=0 psub=0 ") != std::string::npos) continue;
    ids.push_back(line.substr(line.find("id=") + 3, line.find(' ') - line.find("id=") - 3));
  }
  std::sort(ids.begin(), ids.end());
  std::string text;
  for (const std::string& id : ids) text += (text.empty() ? "" : ",") + id;
  return text;
}

/// Differs from one program image of a process to the next: addresses are drawn at each exec.
std::string image_of(pid_t pid) {
  return test::read_file("/proc/" + std::to_string(pid) + "/auxv");
}

class Run {
 public:
  explicit Run(const RunOptions& options)
      : plan_(options.plan),
        progress_(options.progress),
        stage_(stage_settings(options)),
        began_(std::chrono::steady_clock::now()),
        random_(plan_.seed),
        fleet_(plan_, stage_.targets(), began_) {}

  Record go() {
    say("connecting " + std::to_string(fleet_.wanted()) + " clients");
    wait("not every client is connected and hears", kPatience + Millis(plan_.clients * 10),
         [this] { return fleet_.view().warm.load(); });
    stay(plan_.settle_s);
    note_subscribers();
    for (std::uint32_t i = 0; i < plan_.rounds; ++i) {
      round(i);
      note_subscribers();
      stay(plan_.pause_s);
    }
    stay(plan_.settle_s);
    if (plan_.scenario == "relay-kill") note_gaps();
    return take();
  }

 private:
  void round(std::uint32_t number) {
    const std::size_t gateway = number % stage_.size();
    if (plan_.scenario == "planned" || plan_.scenario == "idle") {
      replaced({send_restart(gateway, "planned")});
    } else if (plan_.scenario == "kill") {
      stay_out_of_crash_loop(gateway);
      replaced({send_restart(gateway, "kill")});
    } else if (plan_.scenario == "upgrade") {
      upgrade_gateway(gateway);
    } else if (plan_.scenario == "package") {
      package();
    } else {
      disturb_relay(plan_.scenario == "relay-kill");
    }
    const Restart& last = record_.restarts.back();
    const FleetView& view = fleet_.view();
    say("[" + std::to_string(number + 1) + "/" + std::to_string(plan_.rounds) + "] " + last.what +
        " " + last.subject + ", pause " + std::to_string(static_cast<int>(last.pause_ms)) +
        " ms; open " + std::to_string(view.open) + " of " + std::to_string(fleet_.wanted()) + ", " +
        std::to_string(view.received) + " received, " + std::to_string(view.faults) + " faults, " +
        std::to_string(view.disconnects) + " disconnects, " + std::to_string(view.failed) +
        " failed upgrades");
  }

  // ---- gateways

  /// A keeper gives up a gateway that crashes too often in too short a time, and closes its
  /// clients.
  void stay_out_of_crash_loop(std::size_t gateway) {
    wait("time stands still", Millis(std::llround(kCrashLoop_s * 1000)) + kPatience, [&] {
      const auto recent = std::count_if(record_.restarts.begin(), record_.restarts.end(),
                                        [&](const Restart& restart) {
                                          return restart.subject == stage_.addresses(gateway).id &&
                                                 restart.asked_s > now_s() - kCrashLoop_s;
                                        });
      return recent < kCrashesInLoopMax;
    });
  }

  struct Before {
    std::size_t gateway = 0;
    std::size_t start = 0;  ///< number of the process that is to end
    std::uint64_t cpu_ns = 0;
    std::uint64_t keeper_ns = 0;
    std::size_t restart = 0;  ///< index in the record
  };

  Before ask(std::size_t gateway, const std::string& what) {
    test::Supervisor& process = stage_.gateway(gateway);
    Before before;
    before.gateway = gateway;
    before.start = process.starts();
    before.cpu_ns = fanout::cpu_ns({process.pid()});
    before.keeper_ns = keeper_ns(gateway);
    before.restart = record_.restarts.size();
    Restart& restart = record_.restarts.emplace_back();
    restart.what = what;
    restart.subject = stage_.addresses(gateway).id;
    restart.pid_before = process.pid();
    restart.asked_s = now_s();
    return before;
  }

  Before send_restart(std::size_t gateway, const std::string& what) {
    const Before before = ask(gateway, what);
    if (what == "kill") {
      stage_.gateway(gateway).signal(SIGKILL);
    } else {
      stage_.gateway(gateway).restart(SIGUSR2);
    }
    return before;
  }

  void note_end(const Before& before) {
    test::Supervisor& process = stage_.gateway(before.gateway);
    process.wait_started(before.start + 1, kPatience);
    const test::Life old = process.life(before.start);
    Restart& restart = record_.restarts[before.restart];
    restart.exited_s = seconds(old.ended);
    restart.exit_code = old.status.code;
    restart.exit_signal = old.status.signal;
    restart.cpu_before_ms = static_cast<double>(std::chrono::nanoseconds(old.cpu).count()) / kMs -
                            static_cast<double>(before.cpu_ns) / kMs;
    restart.started_s = seconds(process.life(before.start + 1).started);
  }

  /// Served: a ping that was sent after the new program began is answered.
  void note_served(const Before& before, double since_s) {
    Restart& restart = record_.restarts[before.restart];
    wait("gateway " + restart.subject + " does not serve again", kPatience,
         [&] { return fleet_.last_pulse_s(before.gateway) > since_s; });
    restart.served_s = now_s();
    restart.pid_after = stage_.gateway(before.gateway).pid();
    restart.pause_ms =
        fleet_.pause_ms(before.gateway, restart.asked_s - kBefore_s, restart.served_s);
  }

  /// `used_before_ns`: by the process that goes on, before the restart.
  void note_cpu(const Before& before, std::uint64_t used_before_ns) {
    Restart& restart = record_.restarts[before.restart];
    restart.cpu_after_ms =
        static_cast<double>(fanout::cpu_ns({restart.pid_after}) - used_before_ns) / kMs;
    restart.cpu_keeper_ms = static_cast<double>(keeper_ns(before.gateway) - before.keeper_ns) / kMs;
  }

  void replaced(const std::vector<Before>& all) {
    for (const Before& before : all) note_end(before);
    for (const Before& before : all)
      note_served(before, record_.restarts[before.restart].started_s);
    stay(kTakeoverCpu_s);
    for (const Before& before : all) note_cpu(before, 0);
  }

  void upgrade_gateway(std::size_t gateway) {
    const std::string image = image_of(stage_.gateway(gateway).pid());
    const Before before = ask(gateway, "upgrade");
    stage_.upgrade(stage_.addresses(gateway).id);
    Restart& restart = record_.restarts[before.restart];
    restart.executed = image_of(restart.pid_before) != image;
    restart.started_s = now_s();
    note_served(before, restart.started_s);
    stay(kTakeoverCpu_s);
    note_cpu(before, before.cpu_ns);
  }

  [[nodiscard]] std::uint64_t keeper_ns(std::size_t gateway) {
    const pid_t keeper = stage_.keeper_pid(gateway);
    return keeper == 0 ? 0 : fanout::cpu_ns({keeper});
  }

  // ---- the relay

  void disturb_relay(bool kill) {
    const std::size_t at = ask_relay(kill);
    wait_relay_served(at);
  }

  std::size_t ask_relay(bool kill) {
    if (kill) count_channels();
    Restart& restart = record_.restarts.emplace_back();
    restart.what = kill ? "kill" : "relay-upgrade";
    restart.subject = "relay";
    restart.pid_before = stage_.relay().pid();
    restart.asked_s = now_s();
    const std::size_t start = stage_.relay().starts();
    if (kill) {
      stage_.relay().signal(SIGKILL);
      stage_.relay().wait_started(start + 1, kPatience);
      const test::Life old = stage_.relay().life(start);
      restart.exited_s = seconds(old.ended);
      restart.exit_signal = old.status.signal;
      restart.started_s = seconds(stage_.relay().life(start + 1).started);
    } else {
      relay_image_ = image_of(restart.pid_before);
      stage_.relay().signal(SIGUSR2);
    }
    return record_.restarts.size() - 1;
  }

  /// Served: somebody has a message that was published after the new program began. The pause is
  /// what a message waited at the most, as the record's latencies say; after a kill nothing waited,
  /// and it is how long nothing came through.
  void wait_relay_served(std::size_t at) {
    Restart& restart = record_.restarts[at];
    if (restart.what == "relay-upgrade") {
      restart.executed =
          test::eventually(kExecWait, [&] { return image_of(restart.pid_before) != relay_image_; });
      restart.started_s = now_s();
    }
    wait("no message comes through the relay", kPatience,
         [&] { return fleet_.view().heard_s > restart.started_s; });
    restart.pause_ms = (fleet_.view().heard_s - restart.asked_s) * 1000;
    for (std::size_t g = 0; g < stage_.size(); ++g) stage_.wait_ready(g);
    restart.served_s = now_s();
    restart.pid_after = stage_.relay().pid();
  }

  /// Relay and gateways at once, in whichever order.
  void package() {
    std::vector<std::size_t> order(stage_.size() + 1);  // the last is the relay
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    std::vector<Before> gateways;
    std::size_t relay = 0;
    for (const std::size_t who : order) {
      if (who == stage_.size()) {
        relay = ask_relay(false);
      } else {
        gateways.push_back(send_restart(who, "planned"));
      }
    }
    replaced(gateways);
    wait_relay_served(relay);
  }

  void count_channels() {
    record_.relay.gap_events_wanted += stage_.metric("sluice_gateway_channels");
  }

  void note_gaps() {
    record_.relay.gap_events = stage_.metric("sluice_gateway_gap_events_total");
    record_.relay.unknown_fate =
        stage_.metric("sluice_gateway_publishes_total", "outcome=\"unknown_fate\"");
  }

  void note_subscribers() {
    if (plan_.scenario == "relay-upgrade" || plan_.scenario == "package")
      record_.relay.subscriber_ids.push_back(subscribers_of(stage_.redis()));
  }

  // ---- time

  [[nodiscard]] double seconds(test::SteadyClock::time_point at) const {
    return std::chrono::duration<double>(at - began_).count();
  }
  [[nodiscard]] double now_s() const { return seconds(test::SteadyClock::now()); }

  void say(const std::string& text) { progress_(plan_.scenario + ": " + text); }

  void wait(const std::string& otherwise, Millis longest, const std::function<bool()>& holds) {
    const bool held = test::eventually(longest, [&] {
      fleet_.check();
      return holds();
    });
    if (!held) throw HarnessError(otherwise);
  }

  void stay(double span_s) {
    const auto span = Millis(static_cast<std::int64_t>(span_s * 1000));
    const test::Deadline end = test::Deadline::in(span);
    wait("", span + kPatience, [&] { return end.passed(); });
  }

  Record take() {
    fleet_.calm();
    say("waiting for what is on its way");
    // What does not come by then is judged as lost.
    (void)test::eventually(kQuietWait, [this] {
      fleet_.check();
      return fleet_.view().quiet.load();
    });
    record_.plan = plan_;
    fleet_.tell(record_);
    for (Restart& restart : record_.restarts) {
      if (restart.what == "relay-upgrade") restart.pause_ms = longest_wait(restart);
      if (pulse_was_cut(restart)) restart.pause_ms = (restart.served_s - restart.asked_s) * 1000;
    }
    record_.machine = this_machine();
    return std::move(record_);
  }

  /// Then what it had waited for never came.
  [[nodiscard]] bool pulse_was_cut(const Restart& restart) const {
    return std::any_of(record_.disconnects.begin(), record_.disconnects.end(),
                       [&](const Disconnect& one) {
                         return one.who == Who::kPulse && one.gateway == restart.subject &&
                                one.at_s >= restart.asked_s && one.at_s <= restart.served_s;
                       });
  }

  [[nodiscard]] double longest_wait(const Restart& restart) const {
    double most = 0;
    for (const LatencyTenth& tenth : record_.latency) {
      if (tenth.at_s >= restart.asked_s - kBefore_s && tenth.at_s <= restart.served_s + 1)
        most = std::max(most, tenth.max_ms);
    }
    return most;
  }

  Plan plan_;
  Progress progress_;
  Stage stage_;
  TimePoint began_;
  std::mt19937_64 random_;
  std::string relay_image_;  ///< before it was asked to become another
  Record record_;
  Fleet fleet_;
};

}  // namespace

const std::vector<std::string>& scenarios() {
  static const std::vector<std::string> all{"planned",    "kill",    "upgrade", "relay-upgrade",
                                            "relay-kill", "package", "idle",    "steady"};
  return all;
}

Plan plan_of(const std::string& scenario, bool quick) {
  static const std::map<std::string, std::uint32_t> kRounds{
      {"planned", 100},   {"kill", 50},    {"upgrade", 20}, {"relay-upgrade", 20},
      {"relay-kill", 10}, {"package", 10}, {"idle", 5},     {"steady", 10}};
  Plan plan;
  plan.scenario = scenario;
  plan.rounds = kRounds.at(scenario);
  plan.quick = quick;
  if (quick) {
    plan.rounds = scenario == "steady" ? 6 : 4;
    plan.clients = 100;
    plan.speakers = 20;
    plan.newcomers_per_s = 10;
    plan.pause_s = 0.5;
    plan.settle_s = 1;
  }
  if (scenario == "idle") {
    plan.clients = quick ? 500 : 10000;
    plan.speakers = 0;
    plan.hostile = false;
    plan.down_per_s = plan.up_per_s = plan.newcomers_per_s = 0;
  }
  return plan;
}

Record run_scenario(const RunOptions& options) {
  if (options.plan.scenario == "steady") return run_steady(options);
  return Run(options).go();
}

}  // namespace sluice::restart
