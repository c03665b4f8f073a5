#include "bench/fanout/load.h"

#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace sluice::fanout {
namespace {

constexpr std::uint64_t kPublisherIndex = ~std::uint64_t{0};
/// Small enough that a message that is due does not wait for a thousand deliveries.
constexpr int kEventsMax = 256;
constexpr std::uint64_t kDrainMax_ns = 20 * kSecond_ns;
/// Nobody received anything for so long while something was under way.
constexpr std::uint64_t kStall_ns = 5 * kSecond_ns;
constexpr std::uint64_t kBarrierRound_ns = 3 * kSecond_ns;
constexpr std::uint64_t kTick_ns = 50 * kMillisecond_ns;

timespec to_timespec(std::uint64_t span_ns) {
  return {static_cast<time_t>(span_ns / kSecond_ns), static_cast<long>(span_ns % kSecond_ns)};
}

}  // namespace

std::uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond_ns +
         static_cast<std::uint64_t>(now.tv_nsec);
}

Load::Load(Publisher& publisher, Verifier& verifier, std::size_t channels)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      publisher_(publisher),
      verifier_(verifier),
      channels_(channels) {
  epoll_event event{EPOLLIN, {.u64 = kPublisherIndex}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, publisher_.fd(), &event) != 0)
    test::throw_errno("epoll_ctl");
}

void Load::turn(std::uint64_t until_ns) {
  std::array<epoll_event, kEventsMax> events;
  const std::uint64_t now = now_ns();
  const timespec wait = to_timespec(until_ns > now ? until_ns - now : 0);
  const int count = ::epoll_pwait2(epoll_.get(), events.data(), kEventsMax, &wait, nullptr);
  if (count < 0 && errno != EINTR) test::throw_errno("epoll_pwait2");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 != kPublisherIndex) {
      receivers_->on_event(event.data.u64, event.events);
      continue;
    }
    if ((event.events & EPOLLOUT) != 0) flush();
    if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0 && !publisher_.on_readable())
      throw test::HarnessError("publishing failed");
  }
}

bool Load::turn_until(std::uint64_t deadline_ns, const std::function<bool()>& done) {
  while (!done()) {
    const std::uint64_t now = now_ns();
    if (now >= deadline_ns) return false;
    turn(std::min(deadline_ns, now + kTick_ns));
  }
  return true;
}

void Load::publish_one() {
  const std::size_t planned = beside_per_second_ > 0 ? channels_ - 1 : channels_;
  const std::size_t channel = channel_;
  channel_ = channel_ + 1 >= planned ? 0 : channel_ + 1;
  publish(channel);
}

void Load::publish(std::size_t channel) {
  if (!verifier_.has_room(channel)) {
    ++throttled_;
    return;
  }
  publisher_.publish(channel, verifier_.publish(channel, now_ns()));
}

void Load::flush() {
  const bool left = !publisher_.flush();
  if (left == want_write_) return;
  want_write_ = left;
  epoll_event event{EPOLLIN | (left ? static_cast<std::uint32_t>(EPOLLOUT) : 0U),
                    {.u64 = kPublisherIndex}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, publisher_.fd(), &event);
}

bool Load::run(const TrafficPlan& plan, std::chrono::nanoseconds span,
               const std::function<void()>& each_turn) {
  std::uint64_t now = now_ns();
  const std::uint64_t end = now + static_cast<std::uint64_t>(span.count());
  Traffic traffic(plan, now);
  Traffic beside({TrafficPlan::Kind::kPaced, beside_per_second_, 0, 0}, now);
  std::uint64_t seen = verifier_.deliveries();
  std::uint64_t seen_at = now;
  for (; now < end && receivers_->any(); now = now_ns()) {
    const std::size_t due = traffic.due(now, verifier_.outstanding());
    for (std::size_t i = 0; i < due; ++i) publish_one();
    const std::size_t due_beside = beside_per_second_ > 0 ? beside.due(now, 0) : 0;
    for (std::size_t i = 0; i < due_beside; ++i) publish(channels_ - 1);
    if (due + due_beside > 0) flush();
    if (each_turn) each_turn();
    turn(std::min({end, traffic.next_ns(), now + kTick_ns}));
    if (verifier_.deliveries() != seen || verifier_.outstanding() == 0) {
      seen = verifier_.deliveries();
      seen_at = now;
    } else if (now - seen_at > kStall_ns) {
      break;
    }
  }
  drain();
  return now >= end;
}

void Load::drain() {
  gave_up_ = !turn_until(now_ns() + kDrainMax_ns, [this] { return verifier_.outstanding() == 0; });
  if (gave_up_) receivers_->give_up();
}

bool Load::barrier(std::chrono::nanoseconds wait) {
  const std::uint64_t deadline = now_ns() + static_cast<std::uint64_t>(wait.count());
  verifier_.strict(false);
  bool through = false;
  while (!through && now_ns() < deadline) {
    channel_ = 0;
    for (std::size_t i = 0; i < channels_; ++i) publish_one();
    flush();
    const std::uint64_t round = std::min(deadline, now_ns() + kBarrierRound_ns);
    (void)turn_until(round, [this] { return verifier_.outstanding() == 0; });
    // Where clients come one after the other they may be many: a round is over only when nothing
    // more comes.
    std::uint64_t seen = verifier_.deliveries();
    while (verifier_.outstanding() != 0 && now_ns() < deadline) {
      (void)turn_until(now_ns() + kBarrierRound_ns,
                       [this] { return verifier_.outstanding() == 0; });
      if (verifier_.deliveries() == seen) break;
      seen = verifier_.deliveries();
    }
    through = receivers_->behind() == 0;
    if (!through) receivers_->give_up();
  }
  verifier_.strict(true);
  latencies_.clear();
  return through;
}

}  // namespace sluice::fanout
