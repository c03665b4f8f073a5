// What goes out.
#include <sys/epoll.h>

#include "bench/restart/fleet.h"
#include "bench/restart/message.h"

namespace sluice::restart {
namespace {

using namespace std::chrono_literals;

constexpr Duration kAnswerWait = 10s;
constexpr Duration kPulseEvery = 5ms;
constexpr double kPingEvery_s = 10;
constexpr double kHostilePingEvery_s = 3;
constexpr double kNewcomerStays_s = 1;
/// A slow reader's window and segments: so small that the gateway's sends are partial.
constexpr SocketSizes kSlowSizes{8192, 536};
/// How long a slow reader does not read, and then reads until the next stop.
constexpr double kStall_s = 2;
constexpr double kBetweenStalls_s = 3;
constexpr int kSpeakTries = 20;

std::uint64_t nanos(TimePoint at) {
  return static_cast<std::uint64_t>(at.time_since_epoch().count());
}

}  // namespace

void Fleet::connect(std::uint32_t index) {
  Client& client = clients_[index];
  ++client.life;
  client.state = State::kConnecting;
  client.began = now();
  client.close_code = 0;
  client.close_reason.clear();
  client.reading = true;
  client.flush_planned = false;
  client.pings.clear();
  client.check = {};
  client.resumed_after = static_cast<std::uint32_t>(client.sent.size());
  try {
    client.connection = std::make_unique<Connection>(
        client.to, client.request, client.manner == Manner::kSlow ? kSlowSizes : SocketSizes{});
  } catch (const test::HarnessError& error) {
    ended(index, error.what());
    return;
  }
  epoll_event event{};
  event.events = client.interest = EPOLLIN | EPOLLOUT;
  event.data.u32 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client.connection->fd(), &event) != 0)
    test::throw_errno("epoll_ctl");
  plan_at(client.began + kAnswerWait, index, Act::kGiveUp);
}

void Fleet::flush(std::uint32_t index) {
  Client& client = clients_[index];
  if (!client.connection) return;
  std::vector<std::uint32_t> sent;
  const TimePoint at = now();
  client.connection->flush(at, sent);
  for (const std::uint32_t serial : sent) {
    client.sent[serial - 1].at = at;
    ++totals_.sent_up;
  }
  watch(index);
  const auto due = client.connection->next_due();
  if (!due || client.connection->stuck() || client.flush_planned) return;
  client.flush_planned = true;
  plan_at(*due, index, Act::kFlush);
}

void Fleet::publish_down() {
  if (calm_) return;
  const TimePoint at = now();
  const std::uint32_t serial = ++published_;
  std::string& text = kept_.at(serial % kKept);
  text = to_text({kDownSource, serial, nanos(at)}, down_bytes(serial));
  published_at_.push_back(at);
  publisher_->publish(0, text);
  ++totals_.published_down;
  last_said_ = at;
}

/// Some speaker that is open and has nothing under way.
void Fleet::speak() {
  if (calm_) return;
  for (int i = 0; i < kSpeakTries; ++i) {
    const auto index = first_speaker_ + static_cast<std::uint32_t>(random_() % plan_.speakers);
    Client& client = clients_[index];
    if (client.state != State::kOpen || !client.connection->idle()) continue;
    const auto serial = static_cast<std::uint32_t>(client.sent.size() + 1);
    Sent& sent = client.sent.emplace_back();
    sent.life = client.life;
    const TimePoint at = now();
    const std::string text =
        to_text({client.number, serial, nanos(at)}, message_bytes(client.manner, random_));
    client.connection->queue(
        say(
            client.manner, text, serial, [&] { return ping_payload(client); }, random_),
        at);
    last_said_ = at;
    flush(index);
    return;
  }
}

std::string Fleet::ping_payload(Client& client) {
  std::string payload = std::to_string(client.number) + ":" + std::to_string(++client.next_ping);
  client.pings.push_back({payload, now()});
  ++totals_.pings;
  return payload;
}

void Fleet::send_ping(std::uint32_t index) {
  Client& client = clients_[index];
  if (client.state != State::kOpen || (calm_ && client.who != Who::kPulse)) return;
  if (client.connection->idle() || client.who == Who::kPulse) {
    client.connection->queue(ping(
                                 client.manner, [&] { return ping_payload(client); }, random_),
                             now());
    flush(index);
  }
  const double every = client.manner == Manner::kOrdinary ? kPingEvery_s : kHostilePingEvery_s;
  plan_at(now() + (client.who == Who::kPulse ? kPulseEvery : around(every)), index, Act::kPing);
}

/// Stops reading, or goes on.
void Fleet::stall(std::uint32_t index) {
  Client& client = clients_[index];
  if (client.state != State::kOpen) return;
  client.reading = !client.reading || calm_;
  watch(index);
  if (!calm_)
    plan_at(now() + around(client.reading ? kBetweenStalls_s : kStall_s), index, Act::kStall);
}

void Fleet::leave(std::uint32_t index) {
  Client& client = clients_[index];
  if (client.state != State::kOpen) return;
  client.state = State::kLeaving;
  client.connection->queue(
      {{test::client_frame(test::WsOpcode::kClose, test::close_payload(1000, "")), {}}}, now());
  flush(index);
}

void Fleet::newcomer() {
  if (calm_) return;
  if (gone_newcomers_.empty()) {
    add(Who::kNewcomer, static_cast<std::uint32_t>(clients_.size()), now());
    return;
  }
  const std::uint32_t index = gone_newcomers_.back();
  gone_newcomers_.pop_back();
  connect(index);
}

void Fleet::opened(std::uint32_t index) {
  Client& client = clients_[index];
  client.state = State::kOpen;
  client.opened = now();
  switch (client.who) {
    case Who::kNewcomer:
      ++totals_.newcomers;
      ++view_.newcomers;
      plan_at(client.opened + around(kNewcomerStays_s), index, Act::kLeave);
      return;
    case Who::kPulse:
      ++view_.open;
      plan_at(client.opened, index, Act::kPing);
      return;
    default:
      ++view_.open;
      plan_at(client.opened + around(kHostilePingEvery_s), index, Act::kPing);
      if (client.manner == Manner::kSlow)
        plan_at(client.opened + around(kBetweenStalls_s), index, Act::kStall);
  }
}

}  // namespace sluice::restart
