#include "bench/deploy/scenario.h"

#include <sys/utsname.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <thread>

#include "bench/deploy/load.h"
#include "bench/deploy/sampler.h"
#include "bench/deploy/stage.h"

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;
using test::HarnessError;
using test::Millis;

/// For what the machine delays, above what was planned.
constexpr Millis kPatience = 60s;
/// --drain-timeout, and what is left to do after it.
constexpr Millis kDrainMax = 90s;
/// From calm to the end: what is on its way arrives, and is judged.
constexpr Millis kCalm = 5s;
/// In `kill`: how long the gateway is away before it is started again.
constexpr Millis kAwayAfterKill = 10s;

Millis from_seconds(double seconds) {
  return Millis(static_cast<std::int64_t>(seconds * 1000));
}

/// One run: the stage, the clients, who looks, and what was done when.
class Run {
 public:
  explicit Run(const Plan& plan)
      : plan_(plan),
        stage_(plan),
        began_(std::chrono::steady_clock::now()),
        load_(plan, stage_.balancer().endpoint(), stage_.witness(), began_),
        sampler_(stage_, load_.view(), began_, plan.scenario),
        thread_([this] { carry(); }) {}

  ~Run() {
    load_.stop();
    if (thread_.joinable()) thread_.join();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Record go() {
    sampler_.phase("connecting");
    wait("not every client is connected",
         from_seconds(plan_.clients / plan_.ramp_per_s) + kPatience,
         [this] { return load_.view().came == plan_.clients; });
    event("connected", "clients");
    stay("before", from_seconds(plan_.baseline_s));
    if (plan_.scenario == "rolling") rolling();
    if (plan_.scenario == "reload") reload();
    if (plan_.scenario == "kill") kill_one();
    stay("settling", from_seconds(plan_.settle_s));
    load_.calm();
    stay("calm", kCalm);
    return take();
  }

 private:
  void carry() {
    try {
      load_.run();
    } catch (...) {
      broken_ = std::current_exception();
      failed_ = true;
    }
  }

  [[nodiscard]] double at_s() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }
  void event(const std::string& what, const std::string& subject, std::int64_t value = 0) {
    record_.events.push_back({at_s(), what, subject, value});
    sampler_.phase(what + " " + subject);
  }
  void wait(const std::string& otherwise, Millis longest, const std::function<bool()>& holds) {
    const bool held = test::eventually(longest, [&] { return failed_ || holds(); });
    if (failed_) std::rethrow_exception(broken_);
    if (!held) throw HarnessError(otherwise);
  }
  void stay(const std::string& phase, Millis span) {
    sampler_.phase(phase);
    const test::Deadline end = test::Deadline::in(span);
    wait("", span + kPatience, [&] { return end.passed(); });
  }
  void wait_status(std::size_t gateway, const std::string& status) {
    const std::string name = gateway_name(gateway);
    wait("HAProxy does not say " + status + " of " + name, kPatience,
         [&] { return stage_.balancer().stat(name, "status").rfind(status, 0) == 0; });
  }
  void start(std::size_t gateway) {
    stage_.start_gateway(gateway);
    event("started", gateway_name(gateway));
    // HAProxy may not have noticed that it was away: "back" is what it thinks of the new one.
    wait_status(gateway, "UP");
    event("back", gateway_name(gateway));
  }

  void rolling() {
    for (std::size_t g = 0; g < kGateways; ++g) {
      if (g > 0) stay("pause", from_seconds(plan_.pause_s));
      test::Process& process = stage_.gateway(g).process();
      event("drain", gateway_name(g));
      process.signal(SIGTERM);
      wait("gateway " + gateway_name(g) + " does not end its drain", kDrainMax,
           [&] { return !process.running(); });
      event("exited", gateway_name(g), process.wait_exit().code);
      start(g);
    }
  }

  void reload() {
    const std::vector<pid_t> before = test::Haproxy::workers_of(stage_.balancer_pid());
    event("reload", "haproxy");
    stage_.balancer().process().signal(SIGUSR2);
    const auto gone = [&] {
      const std::vector<pid_t> now = test::Haproxy::workers_of(stage_.balancer_pid());
      return std::none_of(before.begin(), before.end(), [&](pid_t pid) {
        return std::find(now.begin(), now.end(), pid) != now.end();
      });
    };
    wait("the old HAProxy worker does not end", from_seconds(plan_.hard_stop_s) + kPatience, gone);
    event("old worker ended", "haproxy");
  }

  void kill_one() {
    constexpr std::size_t kVictim = 1;
    event("kill", gateway_name(kVictim));
    stage_.gateway(kVictim).process().signal(SIGKILL);
    wait_status(kVictim, "DOWN");
    event("down", gateway_name(kVictim));
    (void)stage_.gateway(kVictim).process().wait_exit();
    stay("killed " + gateway_name(kVictim), kAwayAfterKill);
    start(kVictim);
  }

  Record take() {
    load_.stop();
    thread_.join();
    if (failed_) std::rethrow_exception(broken_);
    record_.plan = plan_;
    load_.tell(record_);
    record_.samples = sampler_.take();
    describe_machine();
    return std::move(record_);
  }

  void describe_machine() {
    utsname system{};
    ::uname(&system);
    record_.machine["kernel"] = system.release;
    record_.machine["cores"] = std::to_string(std::thread::hardware_concurrency());
    record_.machine["haproxy"] = stage_.balancer().version();
  }

  Plan plan_;
  Stage stage_;
  TimePoint began_;
  Load load_;
  Sampler sampler_;
  Record record_;
  std::exception_ptr broken_;
  std::atomic<bool> failed_{false};
  std::thread thread_;  ///< the load's
};

}  // namespace

Record run_scenario(const Plan& plan) {
  return Run(plan).go();
}

}  // namespace sluice::bench
