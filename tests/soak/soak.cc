// Storm, calm, judgement.
#include "tests/soak/soak.h"

#include <algorithm>

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 20ms;
constexpr std::size_t kActionsShown = 20;
/// Everything heals in seconds; this is for a machine that does much else.
constexpr auto kHealWait = 90s;
constexpr auto kMarkerEvery = 300ms;
constexpr auto kRemembered = 150s;
constexpr auto kWarmUp = 3s;
constexpr auto kTailWait = 10s;
constexpr auto kBaseWait = 1s;

constexpr std::uint64_t kMiB = 1U << 20U;
/// Memory under storm: queues, ring and clients at their bounds would be less.
constexpr std::uint64_t kRssMax = 192 * kMiB;
/// What allocators may keep at the end above the base.
constexpr std::uint64_t kRssSlack = 16 * kMiB;
/// A gateway's descriptors beside its clients' in a storm.
constexpr std::size_t kFdsBeside = 100;

const std::array kGatewayZeros{"connections",       "handshakes_pending", "channels",
                               "subscriptions",     "publishes_pending",  "publish_queue_bytes",
                               "client_queue_bytes"};
const std::array kRelayZeros{"channels",
                             "subscriptions",
                             "gateway_queue_bytes",
                             "publishes_held",
                             "publish_queue_bytes",
                             "publishes_in_flight",
                             "broker_publish_in_flight_bytes"};

}  // namespace

Soak::Soak(SoakOptions options)
    : options_(options),
      storms_(options.seed),
      ledger_(kChannels),
      stage_(std::make_unique<Stage>()),
      witness_(std::make_unique<Witness>(stage_->redis().unix_endpoint(), kChannels)),
      liar_(options.lie),
      // The clients draw from a stream of their own, so that they don't move the faults.
      fleet_(*stage_, ledger_, ~options.seed, options.clients),
      progress_(options.progress) {
  if (options_.lie == Lie::kNone) return;
  liar_proxy_ = std::make_unique<test::FaultProxy>(stage_->gateway(0).endpoint(), "");
  liar_proxy_->tamper([this](std::string& bytes) { liar_.change(bytes); });
  fleet_.redirect(0, liar_proxy_->endpoint());
}

Soak::~Soak() {
  stage_->redis().kill();  // ends the witness's reading
}

SoakResult Soak::run() {
  try {
    go_on();
  } catch (const Violation& violation) {
    result_.violation = violation.what;
  } catch (const test::HarnessError& error) {
    result_.violation = std::string("harness: ") + error.what();
  }
  result_.counts = fleet_.counts();
  progress_.end();
  return result_;
}

void Soak::go_on() {
  until(kHealWait,
        [&]() -> std::string { return witness_->subscribed() ? "" : "the witness hears nothing"; });
  // One small cycle first: allocators and tables have then seen everything once.
  storm(kWarmUp);
  calm();
  leave_and_settle();
  const Everyone base = base_resources();
  began_ = SteadyClock::now();
  while (SteadyClock::now() - began_ < options_.lasts) {
    storm(options_.storm);
    calm();
    ++result_.storms;
  }
  leave_and_settle();
  settle_resources(base);
}

void Soak::step(int wait_ms) {
  fleet_.serve(wait_ms);
  witness_->tell(ledger_);
  stage_->tend();
  const auto gone = std::chrono::duration_cast<Millis>(SteadyClock::now() - began_);
  progress_.show([&] {
    const FleetCounts& counts = fleet_.counts();
    return std::to_string(gone.count() / 1000) + "/" +
           std::to_string(options_.lasts.count() / 1000) + " s  seed " +
           std::to_string(options_.seed) + "  clients " + std::to_string(fleet_.present()) +
           " of " + std::to_string(counts.came) + "  received " + std::to_string(counts.received) +
           "  faults " + std::to_string(result_.faults) +
           "  last: " + (result_.last_actions.empty() ? "-" : result_.last_actions.back());
  });
}

void Soak::until(Millis wait, const std::function<std::string()>& missing) {
  const test::Deadline deadline = test::Deadline::in(wait);
  while (true) {
    step(5);
    const std::string what = missing();
    if (what.empty()) return;
    if (deadline.passed()) {
      throw Violation{"after " + std::to_string(wait.count() / 1000) + " s of calm: " + what};
    }
  }
}

// ---- storm

void Soak::apply(const Action& action) {
  const auto at = std::chrono::duration_cast<Millis>(SteadyClock::now() - began_);
  result_.last_actions.push_back(std::to_string(at.count()) + " ms: " + describe(action));
  if (result_.last_actions.size() > kActionsShown) result_.last_actions.pop_front();
  ++result_.faults;
  stage_->apply(action);
  if (action.fault == Fault::kBurst) fleet_.burst(action.channel);
}

void Soak::storm(Millis span) {
  const std::vector<Action> actions = storms_.storm(span);
  std::multimap<Millis, Action> undoes;
  auto next = actions.begin();
  const auto start = SteadyClock::now();
  for (Millis due{0}; due < span; due += kTick) {
    for (; next != actions.end() && next->at <= due; ++next) {
      apply(*next);
      undoes.emplace(due + next->lasts, *next);
    }
    for (; !undoes.empty() && undoes.begin()->first <= due; undoes.erase(undoes.begin())) {
      stage_->undo(undoes.begin()->second);
    }
    fleet_.stir();
    if (options_.lie == Lie::kCut && due == 2s) liar_proxy_->cut();
    do {
      const auto left = std::chrono::ceil<Millis>(start + due + kTick - SteadyClock::now()).count();
      step(left > 0 ? static_cast<int>(left) : 0);
    } while (SteadyClock::now() < start + due + kTick);
    if (due.count() % 1000 == 0) {
      stage_->harvest();
      check_bounds();
    }
  }
  for (const auto& [at, action] : undoes) stage_->undo(action);
}

void Soak::check_bounds() {
  for (std::size_t i = 0; i < kGateways; ++i) {
    if (!stage_->accepts(i)) continue;
    test::Process& process = stage_->gateway(i).process();
    if (!test::sanitized() && process.rss_bytes() > kRssMax) {
      throw Violation{"gateway " + stage_->gateway(i).id() + " holds " +
                      std::to_string(process.rss_bytes() / kMiB) + " MiB"};
    }
    if (process.fd_count() > options_.clients * 2 + kFdsBeside) {
      throw Violation{"gateway " + stage_->gateway(i).id() + " has " +
                      std::to_string(process.fd_count()) + " descriptors"};
    }
  }
  test::Process& relay = stage_->relay().process();
  if (!test::sanitized() && relay.running() && relay.rss_bytes() > kRssMax) {
    throw Violation{"the relay holds " + std::to_string(relay.rss_bytes() / kMiB) + " MiB"};
  }
}

// ---- calm

void Soak::heal() {
  until(kHealWait, [&]() -> std::string {
    fleet_.calm();
    if (stage_->draining()) return "a gateway still drains";
    if (!witness_->subscribed()) return "Redis is not back";
    for (std::size_t i = 0; i < kGateways; ++i) {
      const test::HttpResponse answer = stage_->gateway(i).readyz();
      if (answer.body.rfind("ready", 0) != 0) {
        return "gateway " + stage_->gateway(i).id() + " says: " + answer.body;
      }
    }
    return "";
  });
}

void Soak::await_markers() {
  fleet_.begin_markers();
  auto next = SteadyClock::now();
  until(kHealWait, [&] {
    if (SteadyClock::now() >= next) {
      fleet_.send_markers();
      next = SteadyClock::now() + kMarkerEvery;
    }
    fleet_.calm();
    return fleet_.waiting();
  });
}

void Soak::check_publishes() {
  std::array<std::uint64_t, kGateways> unknown{};
  for (std::size_t i = 0; i < kGateways; ++i) {
    const std::string gateway = "gateway " + stage_->gateway(i).id();
    // Every message of a client has an outcome: none is dropped in silence.
    until(kTailWait + kHealWait, [&]() -> std::string {
      const test::Metrics metrics = stage_->gateway(i).metrics();
      unknown.at(i) = static_cast<std::uint64_t>(
          metrics.value("sluice_gateway_publishes_total", "unknown_fate"));
      const double got = metrics.value("sluice_gateway_client_messages_total");
      const double done = metrics.value("sluice_gateway_publishes_total");
      if (got == done) return "";
      return gateway + " took " + std::to_string(got) + " messages and tells the outcome of " +
             std::to_string(done);
    });
  }
  fleet_.count_lost_publishes();
  for (std::size_t i = 0; i < kGateways; ++i) {
    const std::uint64_t lost = stage_->life(i)->lost_publishes;
    if (lost <= unknown.at(i)) continue;
    throw Violation{"gateway " + stage_->gateway(i).id() + ": " + std::to_string(lost) +
                    " messages of clients that stayed never reached Redis, " +
                    std::to_string(unknown.at(i)) + " are told to be of unknown fate"};
  }
}

void Soak::calm() {
  heal();
  await_markers();
  check_publishes();
  stage_->harvest();
  fleet_.judge();
  ledger_.forget_before(SteadyClock::now() - kRemembered);
}

// ---- the end

std::string Soak::unsettled() {
  for (std::size_t i = 0; i < kGateways; ++i) {
    const test::Metrics metrics = stage_->gateway(i).metrics();
    for (const char* name : kGatewayZeros) {
      const double value = metrics.value(std::string("sluice_gateway_") + name);
      if (value == 0) continue;
      return "gateway " + stage_->gateway(i).id() + " has " + name + " " + std::to_string(value);
    }
  }
  const test::Metrics metrics = stage_->relay().metrics();
  for (const char* name : kRelayZeros) {
    const double value = metrics.value(std::string("sluice_relay_") + name);
    if (value != 0) return std::string("the relay has ") + name + " " + std::to_string(value);
  }
  if (metrics.value("sluice_relay_gateways_known") != kGateways)
    return "the relay knows other gateways";
  return "";
}

void Soak::leave_and_settle() {
  fleet_.dismiss();
  until(kHealWait, [&]() -> std::string {
    return fleet_.present() == 0 ? "" : "clients that have closed get no answer";
  });
  stage_->harvest();
  fleet_.judge();
  until(kHealWait, [&] { return unsettled(); });
}

Soak::Everyone Soak::resources() {
  Everyone all;
  for (std::size_t i = 0; i <= kGateways; ++i) {
    test::Process& process =
        i < kGateways ? stage_->gateway(i).process() : stage_->relay().process();
    all.at(i) = {process.rss_bytes(), process.fd_count()};
  }
  return all;
}

Soak::Everyone Soak::base_resources() {
  // Our own scrapes are connections too, which a daemon may see end a moment later.
  Everyone base = resources();
  const test::Deadline deadline = test::Deadline::in(kBaseWait);
  until(kHealWait, [&]() -> std::string {
    const Everyone now = resources();
    for (std::size_t i = 0; i <= kGateways; ++i) {
      base.at(i).fds = std::min(base.at(i).fds, now.at(i).fds);
    }
    return deadline.passed() ? "" : "looking";
  });
  return base;
}

void Soak::settle_resources(const Everyone& base) {
  Everyone now;
  until(kHealWait, [&]() -> std::string {
    now = resources();
    for (std::size_t i = 0; i <= kGateways; ++i) {
      const std::string who = i < kGateways ? "gateway " + stage_->gateway(i).id() : "the relay";
      if (now.at(i).fds != base.at(i).fds) {
        return who + " has " + std::to_string(now.at(i).fds) + " descriptors, at first " +
               std::to_string(base.at(i).fds);
      }
      if (!test::sanitized() && now.at(i).rss > base.at(i).rss + kRssSlack) {
        return who + " holds " + std::to_string(now.at(i).rss / 1024) + " KiB, at first " +
               std::to_string(base.at(i).rss / 1024);
      }
    }
    return "";
  });
  say_resources(base, now);
}

void Soak::say_resources(const Everyone& base, const Everyone& end) {
  for (std::size_t i = 0; i <= kGateways; ++i) {
    result_.resources +=
        (i < kGateways ? "gateway " + stage_->gateway(i).id() : std::string("relay")) + ": " +
        std::to_string(base.at(i).rss / 1024) + " KiB, " + std::to_string(base.at(i).fds) +
        " descriptors at first; " + std::to_string(end.at(i).rss / 1024) + " KiB, " +
        std::to_string(end.at(i).fds) + " at the end\n";
  }
}

}  // namespace sluice::soak
