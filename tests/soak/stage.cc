// Faults, applied and undone.
#include "tests/soak/stage.h"

#include <csignal>
#include <regex>

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;

/// Small enough that a stall and a burst overrun it, so that gaps of known size occur.
const test::Args kRelayArgs{"--linger",     "5s",   "--ring-messages",       "3000",
                            "--ring-bytes", "4MiB", "--gateway-queue-bytes", "1MiB"};
const test::Args kGatewayArgs{"--tag-messages",
                              "--ping-interval",
                              "5s",
                              "--pong-timeout",
                              "10s",
                              "--client-queue-bytes",
                              "2MiB",
                              "--publish-wait",
                              "3s",
                              "--drain-delay",
                              "200ms",
                              "--drain-timeout",
                              "3s",
                              "--handshake-timeout",
                              "3s"};
/// --drain-timeout and its last words, on a machine that does much else.
constexpr auto kDrainMax = 60s;
/// This one closes its clients at a gap, the others tell it in log and metrics only.
constexpr std::size_t kClosesOnGap = kGateways - 1;

constexpr std::size_t kDribbleBytes = 33;

}  // namespace

Stage::Stage() {
  redis_ = std::make_unique<test::RedisServer>(directory_);
  broker_proxy_ = std::make_unique<test::FaultProxy>(redis_->endpoint(), "");
  test::Args args = kRelayArgs;
  args.insert(args.end(), {"--broker", "redis://" + broker_proxy_->endpoint().text()});
  relay_ = std::make_unique<test::Relay>(directory_, args);
  test::Endpoint relay;
  relay.path = relay_->socket_path();
  for (std::size_t i = 0; i < kGateways; ++i) {
    links_[i] = std::make_unique<test::FaultProxy>(
        relay, directory_.file("link" + std::to_string(i) + ".sock"));
    lives_[i] = std::make_shared<GatewayLife>();
    lives_[i]->gateway = i;
    lives_[i]->closes_on_gap = i == kClosesOnGap;
    gateways_[i] = std::make_unique<test::Gateway>(settings_of(i));
  }
}

Stage::~Stage() = default;

test::GatewaySettings Stage::settings_of(std::size_t index) const {
  test::GatewaySettings settings;
  settings.id = test::Stack::id_of(index);
  settings.relay = links_[index]->endpoint().text();
  settings.args = kGatewayArgs;
  if (index == kClosesOnGap) settings.args.insert(settings.args.end(), {"--on-gap", "close"});
  settings.wait_ready = false;  // the relay may be away
  return settings;
}

void Stage::start_gateway(std::size_t index) {
  auto life = std::make_shared<GatewayLife>();
  life->gateway = index;
  life->closes_on_gap = index == kClosesOnGap;
  lives_[index] = std::move(life);
  gateways_[index]->start();
}

void Stage::kill_gateway(std::size_t index) {
  lives_[index]->killed = true;
  gateways_[index]->kill();
  harvest(index);
}

void Stage::apply(const Action& action) {
  const std::size_t i = action.gateway;
  const bool present = accepts(i);
  switch (action.fault) {
    case Fault::kKillGateway:
      if (present) kill_gateway(i);
      return;
    case Fault::kDrainGateway:
      if (!present) return;
      lives_[i]->draining = true;
      drain_began_[i] = SteadyClock::now();
      gateways_[i]->process().signal(SIGTERM);
      return;
    case Fault::kStopGateway:
      if (present) gateways_[i]->process().signal(SIGSTOP);
      return;
    case Fault::kKillRelay:
      relay_state_ = State::kDown;
      return relay_->kill();
    case Fault::kEndRelay:
      relay_state_ = State::kDown;
      relay_->process().signal(SIGTERM);
      if (relay_->process().wait_exit(kDrainMax).code != 0)
        throw Violation{"the relay ended with an error"};
      return;
    case Fault::kStopRelay:
      relay_state_ = State::kStopped;
      return relay_->process().signal(SIGSTOP);
    case Fault::kKillRedis:
      redis_state_ = State::kDown;
      return redis_->kill();
    case Fault::kStopRedis:
      redis_state_ = State::kStopped;
      return redis_->stop();
    case Fault::kCutLink:
      return links_[i]->cut();
    case Fault::kPauseLink:
      return links_[i]->pause(true);
    case Fault::kDribbleLink:
      return links_[i]->dribble(kDribbleBytes);
    case Fault::kCutBroker:
      return broker_proxy_->cut();
    case Fault::kPauseBroker:
      return broker_proxy_->pause(true);
    case Fault::kBurst:  // the fleet's business
    case Fault::kCount:
      return;
  }
}

void Stage::undo(const Action& action) {
  const std::size_t i = action.gateway;
  switch (action.fault) {
    case Fault::kKillGateway:
      if (lives_[i]->killed) start_gateway(i);
      return;
    case Fault::kStopGateway:
      if (accepts(i)) gateways_[i]->process().signal(SIGCONT);
      return;
    case Fault::kKillRelay:
    case Fault::kEndRelay:
      relay_->start();
      relay_state_ = State::kUp;
      return;
    case Fault::kStopRelay:
      relay_state_ = State::kUp;
      return relay_->process().signal(SIGCONT);
    case Fault::kKillRedis:
      redis_->start();
      redis_state_ = State::kUp;
      return;
    case Fault::kStopRedis:
      redis_state_ = State::kUp;
      return redis_->resume();
    case Fault::kPauseLink:
      return links_[i]->pause(false);
    case Fault::kDribbleLink:
      return links_[i]->dribble(0);
    case Fault::kPauseBroker:
      return broker_proxy_->pause(false);
    default:
      return;
  }
}

bool Stage::draining() const {
  for (const auto& life : lives_) {
    if (life->draining) return true;
  }
  return false;
}

void Stage::tend_drain(std::size_t index) {
  test::Process& process = gateways_[index]->process();
  if (process.running()) {
    if (SteadyClock::now() - drain_began_[index] < kDrainMax) return;
    throw Violation{"gateway " + gateways_[index]->id() + " does not end its drain"};
  }
  const test::ExitStatus status = process.wait_exit();
  if (status.code != 0) {
    throw Violation{"gateway " + gateways_[index]->id() + " ended its drain with code " +
                    std::to_string(status.code) + ", signal " + std::to_string(status.signal)};
  }
  harvest(index);
  start_gateway(index);
}

void Stage::tend() {
  for (std::size_t i = 0; i < kGateways; ++i) {
    if (lives_[i]->draining) {
      tend_drain(i);
    } else if (!lives_[i]->killed && !gateways_[i]->process().running()) {
      throw Violation{"gateway " + gateways_[i]->id() + " has ended by itself"};
    }
  }
  if (relay_state_ != State::kDown && !relay_->process().running()) {
    throw Violation{"the relay has ended by itself"};
  }
}

void Stage::harvest() {
  for (std::size_t i = 0; i < kGateways; ++i) harvest(i);
}

void Stage::harvest(std::size_t index) {
  static const std::regex kGap("gap channel=(\\S+) cause=\"[^\"]*\" messages=(\\S+)");
  test::Process& process = gateways_[index]->process();
  GatewayLife& life = *lives_[index];
  const std::vector<std::string> fresh = process.lines("", life.log_mark);
  life.log_mark += fresh.size();
  for (const std::string& line : fresh) {
    if (line.find(" gap channel=") == std::string::npos) continue;
    std::smatch match;
    if (!std::regex_search(line, match, kGap))
      throw Violation{"a gap that says too little: " + line};
    GapTally& tally = life.gaps[match[1]];
    ++tally.lines;
    if (match[2] == "unknown") {
      ++tally.unknown;
    } else {
      tally.messages += std::stoull(match[2]);
    }
  }
}

}  // namespace sluice::soak
