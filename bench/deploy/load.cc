#include "bench/deploy/load.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// An upgrade without an answer is given up, as centrifuge-js does after 5 s; a little later, so
/// that HAProxy's own answer (`timeout connect`, three retries) is seen.
constexpr Duration kHandshakeWait = 10s;
/// The loop's longest sleep.
constexpr int kServeMsMax = 5;
constexpr std::size_t kMessageBytes = 64;
/// What was sent this short before a cut may have been in the gateway's hands: its fate is unknown.
constexpr Duration kUnknownBefore = 5s;
/// The greeting that tells a client its gateway; stage.cc gives it to the gateways.
constexpr std::string_view kGreeting = "at ";

/// An address of its own for each client, so that the gateways' bounds per address stay as they are
/// for users.
std::string address_of(std::size_t client) {
  std::string text = "127.";
  text += std::to_string(1 + client / 62500);
  text += '.';
  text += std::to_string(client / 250 % 250);
  text += '.';
  text += std::to_string(1 + client % 250);
  return text;
}

std::size_t gateway_of(std::string_view name) {
  for (std::size_t g = 0; g < kGateways; ++g) {
    if (gateway_name(g) == name) return g;
  }
  return kUnknownGateway;
}

double seconds_between(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

Duration duration_of(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

Load::Load(const Plan& plan, test::Endpoint balancer, Witness& witness, TimePoint began)
    : plan_(plan),
      balancer_(std::move(balancer)),
      witness_(witness),
      began_(began),
      random_(plan.seed),
      order_(std::max<std::size_t>(1, plan.clients / plan.room)) {
  swarm_.observe(*this);
  clients_.resize(plan_.clients);
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].sdk = random_.below(2) == 0 ? Sdk::kCentrifuge : Sdk::kSocketIo;
    clients_[i].room = static_cast<std::uint32_t>(i % order_.rooms());
    plan_at(began_ + duration_of(static_cast<double>(i) / plan_.ramp_per_s), i, Act::kConnect);
  }
  const double ramp = static_cast<double>(plan_.clients) / plan_.ramp_per_s;
  if (plan_.short_per_s > 0) plan_at(began_ + duration_of(ramp), 0, Act::kArrive);
}

// ---- time and chance

ClientSecond& Load::second_at(TimePoint at) {
  const auto index =
      static_cast<std::size_t>(std::max(0.0, std::floor(seconds_between(began_, at))));
  if (seconds_.size() <= index) seconds_.resize(index + 1);
  return seconds_[index];
}

Duration Load::around(double seconds) {
  const double share = 0.5 + static_cast<double>(random_.below(1U << 20U)) / (1U << 20U);
  return duration_of(seconds * share);
}

Duration Load::exponential(double mean_s) {
  const double uniform = (static_cast<double>(random_.below(1U << 20U)) + 0.5) / (1U << 20U);
  return duration_of(-std::log(uniform) * mean_s);
}

void Load::plan_at(TimePoint due, std::size_t client, Act act) {
  planned_.push({due, planned_count_++, client, clients_[client].life, act});
}

void Load::work_off_plan() {
  while (!planned_.empty() && planned_.top().due <= now()) {
    const Planned next = planned_.top();
    planned_.pop();
    act(next);
  }
}

void Load::act(const Planned& planned) {
  if (planned.act == Act::kArrive) return arrive(planned.due);
  const Client& client = clients_[planned.client];
  if (planned.life != client.life) return;
  switch (planned.act) {
    case Act::kConnect:
      if (client.state == State::kAway) connect(planned.client);
      return;
    case Act::kGiveUp:
      if (client.state == State::kConnecting) give_up(planned.client);
      return;
    case Act::kPublish:
      if (client.state == State::kOpen && !calm_) publish(planned.client);
      return;
    case Act::kLeave:
      if (client.state == State::kOpen && (!calm_ || !client.stays)) leave(planned.client);
      return;
    case Act::kArrive:
      return;
  }
}

// ---- what they do

void Load::connect(std::size_t number) {
  Client& client = clients_[number];
  test::Endpoint to = balancer_;
  to.source = address_of(number);
  test::UpgradeRequest request;
  request.path = "/channel/" + channel_of(client.room);
  ++client.life;
  try {
    client.index = swarm_.dial(to, test::upgrade_bytes(request));
  } catch (const test::HarnessError&) {  // the system refused at once: no port, no listener
    ++second().connect_errors;
    ++view_.failed;
    return come_back(number);
  }
  if (client_of_.size() <= client.index) client_of_.resize(client.index + 1);
  client_of_[client.index] = number;
  client.state = State::kConnecting;
  client.gateway = kUnknownGateway;
  plan_at(now() + kHandshakeWait, number, Act::kGiveUp);
}

void Load::give_up(std::size_t number) {
  Client& client = clients_[number];
  ++second().timeouts;
  ++view_.failed;
  swarm_.drop(client.index);
  swarm_.give_back(client.index);
  come_back(number);
}

void Load::publish(std::size_t number) {
  Client& client = clients_[number];
  const auto next = static_cast<std::uint32_t>(client.sent.size() + 1);
  client.sent.push_back({next, now()});
  swarm_.send_text(client.index,
                   to_text({client.room, static_cast<std::uint32_t>(number), next}, kMessageBytes));
  ++second().sent;
  if (client.stays) plan_at(now() + around(plan_.publish_every_s), number, Act::kPublish);
}

/// A page that goes away, or is loaded again.
void Load::leave(std::size_t number) {
  Client& client = clients_[number];
  client.state = State::kLeaving;
  swarm_.send_close(client.index, client.stays ? 1001 : 1000);
}

void Load::arrive(TimePoint due) {
  if (calm_) return;
  std::size_t number = clients_.size();
  if (idle_short_.empty()) {
    clients_.emplace_back();
    clients_.back().stays = false;
    clients_.back().room = static_cast<std::uint32_t>(number % order_.rooms());
  } else {
    number = idle_short_.back();
    idle_short_.pop_back();
  }
  connect(number);
  planned_.push({due + duration_of(1 / plan_.short_per_s), planned_count_++, 0, 0, Act::kArrive});
}

/// Its connection has gone: those that stay try again, after as long as their SDK waits.
void Load::come_back(std::size_t number) {
  Client& client = clients_[number];
  client.state = State::kAway;
  if (client.stays) {
    plan_at(now() + reconnect_wait(client.sdk, client.attempt++, random_), number, Act::kConnect);
  } else {
    idle_short_.push_back(number);
  }
}

// ---- what they see

void Load::opened(std::size_t index) {
  const std::size_t number = client_of_[index];
  Client& client = clients_[number];
  const TimePoint at = now();
  client.state = State::kOpen;
  client.attempt = 0;
  client.delivery = Delivery(client.room, at);
  ++open_.at(client.gateway);
  ClientSecond& here = second_at(at);
  if (client.stays) {
    ++open_long_;
    if (std::exchange(client.came_before, true)) {
      ++here.reconnects;
    } else {
      ++here.connects;
      ++view_.came;
    }
    plan_at(at + around(plan_.publish_every_s) / 2, number, Act::kPublish);
    if (plan_.session_s > 0) plan_at(at + exponential(plan_.session_s), number, Act::kLeave);
  } else {
    ++open_short_;
    ++here.short_opened;
    plan_at(at + around(plan_.short_life_s) / 2, number, Act::kPublish);
    plan_at(at + duration_of(plan_.short_life_s), number, Act::kLeave);
  }
}

void Load::message(std::size_t index, const std::string& text) {
  const std::size_t number = client_of_[index];
  Client& client = clients_[number];
  if (text.rfind(kGreeting, 0) == 0) {
    --open_.at(client.gateway);
    client.gateway = gateway_of(std::string_view(text).substr(kGreeting.size()));
    ++open_.at(client.gateway);
    return;
  }
  const TimePoint at = now();
  ClientSecond& here = second_at(at);
  ++here.received;
  const auto message = parse_message(text);
  if (!message) {
    ++here.foreign;
    ++view_.faults;
    return;
  }
  client.delivery.arrived(*message, at);
  client.delivery.compare(order_, faults_);
  if (client.delivery.waiting() == 1) unjudged_.push_back(number);
}

void Load::closing(std::size_t index) {
  Client& client = clients_[client_of_[index]];
  if (client.state != State::kOpen) return;  // the answer to its own close
  client.state = State::kTold;
  const TimePoint at = swarm_.client(index).reached;
  ++second_at(at).closes.at(client.gateway);
  closes_.push_back({seconds_between(began_, at), client.gateway});
  ++totals_.close_codes[swarm_.client(index).close_code];
}

void Load::count_refusal(const test::SwarmClient& end) {
  // "HTTP/1.1 503 …"
  int status = 0;
  constexpr std::size_t kStatusAt = 9;
  if (end.head.rfind("HTTP/1.", 0) == 0 && end.head.size() >= kStatusAt + 3) {
    std::from_chars(end.head.data() + kStatusAt, end.head.data() + kStatusAt + 3, status);
  }
  if (status != 0) {
    ++second().refused[status];
  } else {
    ++second().connect_errors;
  }
  ++view_.failed;
}

/// An open connection has ended, in whatever way.
void Load::lose(std::size_t number) {
  Client& client = clients_[number];
  const TimePoint at = now();
  --open_.at(client.gateway);
  --(client.stays ? open_long_ : open_short_);
  if (swarm_.client(client.index).close_code == 0) {
    ++second_at(at).cuts.at(client.gateway);
    ++view_.cuts;
    for (auto sent = client.sent.rbegin(); sent != client.sent.rend(); ++sent) {
      if (sent->at < at - kUnknownBefore) break;
      sent->cut = true;
    }
  }
  finished_.push_back({std::move(client.delivery), at});
  client.delivery = Delivery(client.room, at);
  client.away_since = at;
}

void Load::ended(std::size_t index) {
  const std::size_t number = client_of_[index];
  if (clients_[number].state == State::kConnecting) {
    count_refusal(swarm_.client(index));
  } else {
    lose(number);
  }
  swarm_.give_back(index);
  come_back(number);
}

// ---- judging

void Load::hear_witness() {
  if (witness_.blind()) throw test::HarnessError("Redis has cut the witness off");
  for (const auto& [message, at] : witness_.take()) order_.carried(message, at);
  std::erase_if(unjudged_, [this](std::size_t number) {
    Delivery& delivery = clients_[number].delivery;
    delivery.compare(order_, faults_);
    return delivery.waiting() == 0;
  });
}

void Load::judge_finished(bool all) {
  const TimePoint until = now() - kOnTheWay;
  while (!finished_.empty() && (all || finished_.front().ended < until)) {
    finished_.front().delivery.finish(order_, finished_.front().ended, faults_);
    finished_.pop_front();
  }
}

void Load::count_faults() {
  for (const DeliveryFault& fault : faults_) {
    ClientSecond& at = second_at(fault.at);
    view_.faults += fault.messages;
    switch (fault.kind) {
      case FaultKind::kMissing:
        at.missing += fault.messages;
        break;
      case FaultKind::kRepeated:
        at.repeated += fault.messages;
        break;
      case FaultKind::kMisplaced:
        at.misplaced += fault.messages;
        break;
      case FaultKind::kForeign:
        at.foreign += fault.messages;
        break;
    }
  }
  faults_.clear();
}

/// Seconds that are over get their figures of the moment.
void Load::close_seconds() {
  const auto whole = static_cast<std::size_t>(seconds_between(began_, now()));
  if (seconds_closed_ >= whole) return;
  (void)second();  // makes room
  for (; seconds_closed_ < whole; ++seconds_closed_) {
    ClientSecond& over = seconds_[seconds_closed_];
    over.open = open_;
    over.open_long = open_long_;
    std::uint32_t closes = 0;
    for (const std::uint32_t count : over.closes) closes += count;
    view_.closes = closes;
    view_.reconnects = over.reconnects;
  }
}

void Load::tell_view() {
  view_.open_long = open_long_;
  view_.open_short = open_short_;
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  view_.cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000LL +
                 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

void Load::run() {
  last_turn_ = now();
  while (!stop_) {
    const TimePoint turn = now();
    const auto away = std::chrono::duration_cast<milliseconds>(turn - last_turn_).count();
    last_turn_ = turn;
    std::uint32_t& late = second_at(turn).late_ms;
    late = std::max(late, static_cast<std::uint32_t>(away));
    work_off_plan();
    int wait = kServeMsMax;
    if (!planned_.empty()) {
      const auto left = std::chrono::ceil<milliseconds>(planned_.top().due - now()).count();
      wait = static_cast<int>(std::clamp<std::int64_t>(left, 0, kServeMsMax));
    }
    swarm_.serve(wait);
    hear_witness();
    judge_finished(false);
    count_faults();
    close_seconds();
    tell_view();
  }
  finish();
}

void Load::finish() {
  totals_.long_open_at_end = open_long_;
  const TimePoint at = now();
  for (Client& client : clients_) {
    const bool open = client.state == State::kOpen || client.state == State::kLeaving ||
                      client.state == State::kTold;
    if (open) {
      finished_.push_back({std::move(client.delivery), at});
    } else if (client.stays && seconds_between(client.away_since, at) > kBackWithin_s) {
      ++totals_.long_away_at_end;
    }
  }
  judge_finished(true);
  count_faults();
  seconds_.resize(seconds_closed_);  // the last is not a whole one
  for (std::size_t number = 0; number < clients_.size(); ++number) {
    for (const Sent& sent : clients_[number].sent) {
      const Message message{clients_[number].room, static_cast<std::uint32_t>(number), sent.number};
      if (order_.place(message)) continue;
      ++(sent.cut ? totals_.unknown_publishes : totals_.lost_publishes);
    }
  }
  // By when they reached the sockets, not by when they were read.
  std::sort(closes_.begin(), closes_.end(),
            [](const Close& a, const Close& b) { return a.at_s < b.at_s; });
  totals_.carried = order_.total();
  totals_.carried_twice = order_.repeated();
}

void Load::tell(Record& record) {
  record.seconds = std::move(seconds_);
  record.closes = std::move(closes_);
  record.totals = totals_;
}

}  // namespace sluice::bench
