// Who there is, and the loop.
#include "bench/restart/fleet.h"

#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::uint32_t kPublisherEvent = ~0U - 1;
constexpr std::uint32_t kWitnessEvent = ~0U - 2;
constexpr int kServeMsMax = 20;
constexpr std::size_t kEventsPerTurn = 512;
/// First connections: a listener's backlog holds this easily.
constexpr double kConnectsPerSecond = 500;
constexpr Duration kProgressEvery = 200ms;

Duration from_seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::string speaker_channel(std::uint32_t number) {
  return "up" + std::to_string(number);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

Fleet::Fleet(const Plan& plan, Targets targets, TimePoint began)
    : plan_(plan),
      targets_(std::move(targets)),
      began_(began),
      random_(plan.seed),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      last_turn_(now()) {
  if (!epoll_.valid()) test::throw_errno("epoll_create1");
  if (targets_.direct.size() > kDirectMax) throw test::HarnessError("too many gateways to pulse");
  raise_descriptor_limit();
  publisher_ = fanout::make_redis_publisher(targets_.redis, {"down"});
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = kPublisherEvent;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, publisher_->fd(), &event);
  std::uint32_t place = 0;
  const auto come = [&] { return now() + from_seconds(place++ / kConnectsPerSecond); };
  for (std::uint32_t i = 0; i < plan_.clients; ++i) add(Who::kListener, i, come());
  first_speaker_ = static_cast<std::uint32_t>(clients_.size());
  for (std::uint32_t i = 1; i <= plan_.speakers; ++i) add(Who::kSpeaker, i, come());
  for (std::uint32_t i = 0; i < targets_.direct.size(); ++i) add(Who::kPulse, i, come());
  wanted_ = static_cast<std::uint32_t>(clients_.size());
  if (plan_.speakers > 0) subscribe_witness();
  thread_ = std::thread([this] { run(); });
}

Fleet::~Fleet() {
  end_thread();
}

void Fleet::end_thread() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Fleet::check() {
  if (!failed_) return;
  end_thread();
  std::rethrow_exception(broken_);
}

void Fleet::add(Who who, std::uint32_t number, TimePoint come_at) {
  const auto index = static_cast<std::uint32_t>(clients_.size());
  Client& client = clients_.emplace_back();
  client.who = who;
  client.number = number;
  if (who == Who::kListener || who == Who::kSpeaker)
    client.manner = manner_of(number, plan_.hostile);
  const bool direct = who == Who::kPulse || !targets_.balancer ||
                      (client.manner == Manner::kSlow && !targets_.direct.empty());
  client.to = direct ? targets_.direct[number % targets_.direct.size()].to : *targets_.balancer;
  client.request = request_of(client, direct);
  plan_at(come_at, index, Act::kConnect);
}

std::string Fleet::request_of(const Client& client, bool direct) const {
  test::UpgradeRequest request;
  switch (client.who) {
    case Who::kSpeaker:
      request.path = "/channel/" + speaker_channel(client.number);
      break;
    case Who::kPulse:
      request.path = "/channel/pulse" + std::to_string(client.number);
      break;
    default:
      request.path = "/channel/down";
  }
  if (direct && targets_.proxy_header) {
    request.before = "PROXY TCP4 127.1.0.1 127.0.0.1 40000 80\r\n";
  }
  return test::upgrade_bytes(request);
}

/// Waits for the confirmations: they are the first thing that the connection brings.
void Fleet::subscribe_witness() {
  witness_ = std::make_unique<test::Socket>(test::Socket::connect(targets_.redis));
  std::string command = "*" + std::to_string(plan_.speakers + 1) + "\r\n$9\r\nSUBSCRIBE\r\n";
  for (std::uint32_t i = 1; i <= plan_.speakers; ++i) {
    const std::string channel = speaker_channel(i);
    command += "$" + std::to_string(channel.size()) + "\r\n" + channel + "\r\n";
  }
  witness_->send_all(command);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = kWitnessEvent;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, witness_->fd(), &event);
}

double Fleet::at_s(TimePoint at) const {
  return std::chrono::duration<double>(at - began_).count();
}

/// Half as much to half as much again.
Duration Fleet::around(double seconds) {
  return from_seconds(std::uniform_real_distribution<>(0.5, 1.5)(random_) * seconds);
}

// ---- what is to be done when

void Fleet::plan_at(TimePoint due, std::uint32_t client, Act act) {
  const std::uint32_t life = client == kNobody ? 0 : clients_[client].life;
  planned_.push({due, planned_count_++, client, life, act});
}

void Fleet::work_off_plan() {
  const TimePoint until = now();
  while (!planned_.empty() && planned_.top().due <= until) {
    const Planned next = planned_.top();
    planned_.pop();
    if (next.client == kNobody || clients_[next.client].life == next.life) act(next);
  }
}

void Fleet::act(const Planned& planned) {
  switch (planned.act) {
    case Act::kConnect:
      connect(planned.client);
      return;
    case Act::kGiveUp:
      if (clients_[planned.client].state == State::kConnecting)
        ended(planned.client, "no answer in time");
      return;
    case Act::kFlush:
      clients_[planned.client].flush_planned = false;
      flush(planned.client);
      return;
    case Act::kPing:
      send_ping(planned.client);
      return;
    case Act::kStall:
      stall(planned.client);
      return;
    case Act::kLeave:
      leave(planned.client);
      return;
    case Act::kPublish:
      publish_down();
      if (!calm_) plan_at(planned.due + from_seconds(1 / plan_.down_per_s), kNobody, Act::kPublish);
      return;
    case Act::kSpeak:
      speak();
      if (!calm_) plan_at(planned.due + from_seconds(1 / plan_.up_per_s), kNobody, Act::kSpeak);
      return;
    case Act::kNewcomer:
      newcomer();
      if (!calm_)
        plan_at(planned.due + from_seconds(1 / plan_.newcomers_per_s), kNobody, Act::kNewcomer);
      return;
  }
}

// ---- the loop

void Fleet::watch(std::uint32_t index) {
  Client& client = clients_[index];
  if (!client.connection) return;
  const std::uint32_t wanted =
      (client.reading ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
      (client.connection->stuck() ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
  if (wanted == client.interest) return;
  epoll_event event{};
  event.events = wanted;
  event.data.u32 = index;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.connection->fd(), &event);
  client.interest = wanted;
}

void Fleet::on_event(std::uint32_t index, std::uint32_t events) {
  if (index == kPublisherEvent) {
    if (!publisher_->on_readable()) throw test::HarnessError("Redis takes no messages any more");
    return;
  }
  if (index == kWitnessEvent) {
    hear_witness();
    return;
  }
  if (!clients_[index].connection) return;
  if ((events & EPOLLOUT) != 0) flush(index);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) read(index);
}

void Fleet::turn(int wait_ms) {
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, wait_ms);
  for (int i = 0; i < count; ++i) {
    on_event(events.at(static_cast<std::size_t>(i)).data.u32,
             events.at(static_cast<std::size_t>(i)).events);
  }
}

void Fleet::run() {
  try {
    const TimePoint start = now();
    if (plan_.down_per_s > 0) plan_at(start, kNobody, Act::kPublish);
    if (plan_.up_per_s > 0 && plan_.speakers > 0) plan_at(start, kNobody, Act::kSpeak);
    if (plan_.newcomers_per_s > 0) plan_at(start + 1s, kNobody, Act::kNewcomer);
    last_turn_ = start;
    TimePoint progress = start;
    while (!stop_) {
      const TimePoint begin = now();
      const auto away = std::chrono::duration_cast<milliseconds>(begin - last_turn_).count();
      totals_.late_ms = std::max(totals_.late_ms, static_cast<std::uint32_t>(away));
      last_turn_ = begin;
      work_off_plan();
      (void)publisher_->flush();
      int wait = kServeMsMax;
      if (!planned_.empty()) {
        const auto left = std::chrono::ceil<milliseconds>(planned_.top().due - now()).count();
        wait = static_cast<int>(std::clamp<std::int64_t>(left, 0, kServeMsMax));
      }
      turn(wait);
      if (begin - progress < kProgressEvery) continue;
      progress = begin;
      note_progress();
    }
    finish();
  } catch (...) {
    broken_ = std::current_exception();
    failed_ = true;
  }
}

void Fleet::note_progress() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  view_.cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000LL +
                 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  view_.received = totals_.received;
  if (!view_.warm) view_.warm = all_there();
  if (calm_) view_.quiet = all_there();
}

double Fleet::pause_ms(std::size_t direct, double from_s, double to_s) {
  const std::lock_guard lock(pulses_mutex_);
  double most = 0;
  for (const SlowPulse& pulse : slow_pulses_) {
    if (pulse.direct == direct && pulse.sent_s >= from_s && pulse.sent_s <= to_s)
      most = std::max(most, pulse.waited_ms);
  }
  return most;
}

}  // namespace sluice::restart
