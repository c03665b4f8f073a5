// Drawing storms. Only the generator's raw numbers are used: distributions differ between
// libraries.
#include "tests/soak/schedule.h"

#include <array>

namespace sluice::soak {
namespace {

constexpr Millis kMeanPause{700};
constexpr Millis kTailQuiet{500};
/// What a drain may take: the flags of the stage say less.
constexpr Millis kDrainSpan{4000};

struct Kind {
  Fault fault;
  unsigned weight;
  unsigned least_ms;
  unsigned most_ms;
};

/// Stalls go past the link's and the pings' time-outs now and then.
constexpr std::array kKinds{
    Kind{Fault::kKillGateway, 12, 0, 2000},  Kind{Fault::kDrainGateway, 6, 4000, 4000},
    Kind{Fault::kStopGateway, 10, 50, 8000}, Kind{Fault::kKillRelay, 5, 0, 2000},
    Kind{Fault::kEndRelay, 2, 0, 1000},      Kind{Fault::kStopRelay, 4, 50, 8000},
    Kind{Fault::kKillRedis, 5, 0, 3000},     Kind{Fault::kStopRedis, 4, 50, 8000},
    Kind{Fault::kCutLink, 12, 0, 0},         Kind{Fault::kPauseLink, 8, 50, 8000},
    Kind{Fault::kDribbleLink, 6, 200, 2000}, Kind{Fault::kCutBroker, 6, 0, 0},
    Kind{Fault::kPauseBroker, 4, 50, 8000},  Kind{Fault::kBurst, 16, 0, 0},
};

/// What can suffer one fault at a time: gateways with their links, relay, Redis with the way to it.
constexpr std::size_t kRelayTarget = kGateways;
constexpr std::size_t kRedisTarget = kGateways + 1;
constexpr std::size_t kNoTarget = kGateways + 2;

std::size_t target_of(const Action& action) {
  switch (action.fault) {
    case Fault::kKillRelay:
    case Fault::kEndRelay:
    case Fault::kStopRelay:
      return kRelayTarget;
    case Fault::kKillRedis:
    case Fault::kStopRedis:
    case Fault::kCutBroker:
    case Fault::kPauseBroker:
      return kRedisTarget;
    case Fault::kBurst:
    case Fault::kCount:
      return kNoTarget;
    default:
      return action.gateway;
  }
}

}  // namespace

std::string describe(const Action& action) {
  static constexpr std::array<const char*, static_cast<std::size_t>(Fault::kCount)> kNames{
      "kill gateway", "drain gateway", "stall gateway", "kill relay",      "end relay",
      "stall relay",  "kill Redis",    "stall Redis",   "cut link",        "pause link",
      "dribble link", "cut broker",    "pause broker",  "burst on channel"};
  std::string text = kNames.at(static_cast<std::size_t>(action.fault));
  if (target_of(action) < kGateways)
    text += " " + std::string(4, static_cast<char>('1' + action.gateway));
  if (action.fault == Fault::kBurst) text += " " + std::to_string(action.channel);
  if (action.lasts > Millis{0}) text += " for " + std::to_string(action.lasts.count()) + " ms";
  return text;
}

Action StormMaker::draw(Millis at) {
  unsigned total = 0;
  for (const Kind& kind : kKinds) total += kind.weight;
  auto ticket = static_cast<unsigned>(below(total));
  const Kind* kind = kKinds.data();
  while (ticket >= kind->weight) ticket -= (kind++)->weight;
  Action action;
  action.at = at;
  action.fault = kind->fault;
  // Short ones are the rule: the square leans to the lower end.
  const std::uint64_t share = below(1000) * below(1000);
  action.lasts = Millis(kind->least_ms + (kind->most_ms - kind->least_ms) * share / 1000000);
  action.gateway = below(kGateways);
  action.channel = below(1000);
  const bool ends_it = action.fault == Fault::kKillGateway || action.fault == Fault::kDrainGateway;
  if (ends_it && action.gateway == 0) action.gateway = 1 + below(kGateways - 1);
  return action;
}

std::vector<Action> StormMaker::storm(Millis span) {
  std::vector<Action> actions;
  std::array<Millis, kNoTarget + 1> busy_until{};
  const Millis end = span - kTailQuiet;
  for (Millis at{0};;) {
    at += Millis(below(2 * static_cast<std::uint64_t>(kMeanPause.count())));
    if (at >= end) return actions;
    const Action action = draw(at);
    const Millis until = at + action.lasts;
    Millis& busy = busy_until.at(target_of(action));
    if (busy > at || until > end) continue;
    if (target_of(action) != kNoTarget) busy = until + Millis{300};
    actions.push_back(action);
  }
}

}  // namespace sluice::soak
