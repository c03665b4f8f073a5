#include "tests/process/support/handoff_traffic.h"

#include <algorithm>

namespace sluice::test {
namespace {

constexpr auto kSpeakEvery = 2ms;
/// Every so many turns those who speak through the gateway do.
constexpr std::uint64_t kUpEvery = 4;
constexpr std::size_t kFill = 200;
constexpr int kSlowBuffer = 4096;  ///< the slow one's socket takes little
/// So much comes on its channel until its gateway has this of it waiting.
constexpr std::size_t kBurstFill = 50'000;
constexpr double kWaitingBytes = 20'000;
constexpr std::size_t kOutsideA = 2 * HandoffTraffic::kListeners;
constexpr std::size_t kOutsideB = kOutsideA + 1;
constexpr std::size_t kOutsideUp = HandoffTraffic::kSpeakers;

std::uint64_t last_from(const SwarmClient& client, std::size_t sender) {
  return sender < client.last.size() ? client.last[sender] : 0;
}

std::string ending_of(const SwarmClient& client) {
  if (!client.closed) return "";
  return " " + std::to_string(client.close_code) +
         (client.end_error == 0 ? "" : "/" + std::to_string(client.end_error));
}

}  // namespace

HandoffTraffic::HandoffTraffic(HandoffStage& stage, const Endpoint& to) {
  down_.connect(to, kListeners, "/channel/a");
  down_.connect(to, kListeners - 1, "/channel/b");
  down_.connect(to, 1, "/channel/b", 60s, kSlowBuffer);
  up_.connect(to, kSpeakers, "/channel/up");
  Gateway& beside = stage.beside();
  down_.connect(beside.endpoint(), 1, "/channel/a");
  down_.connect(beside.endpoint(), 1, "/channel/b");
  up_.connect(beside.endpoint(), 1, "/channel/up");
  for (const char* channel : {"a", "b", "up"}) {
    beside.wait_subscribed(channel);
    stage.gateway().wait_line(std::string("subscribed to ") + channel + "$");
  }
}

void HandoffTraffic::speak() {
  if (SteadyClock::now() < next_) return;
  next_ = SteadyClock::now() + kSpeakEvery;
  down_.publish(kOutsideA, kFill);
  down_.publish(kOutsideB, kFill);
  if (++turns_ % kUpEvery != 0) return;
  for (std::size_t i = 0; i < kSpeakers; ++i)
    if (!up_.client(i).closed) up_.publish(i, kFill);
}

void HandoffTraffic::serve() {
  down_.serve(1);
  up_.serve(0);
}

bool HandoffTraffic::run_until(const std::function<bool()>& holds, Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  while (!holds()) {
    if (deadline.passed()) return false;
    speak();
    serve();
  }
  return true;
}

std::uint64_t HandoffTraffic::lowest() const {
  std::uint64_t lowest = ~std::uint64_t{0};
  for (std::size_t i = 0; i < kOutsideA; ++i)
    if (!down_.client(i).closed) lowest = std::min(lowest, down_.client(i).received);
  for (std::size_t i = 0; i <= kOutsideUp; ++i)
    if (!up_.client(i).closed) lowest = std::min(lowest, up_.client(i).received);
  return lowest;
}

::testing::AssertionResult HandoffTraffic::goes_on(std::uint64_t messages) {
  const std::uint64_t goal = lowest() + messages;
  if (run_until([&] { return lowest() >= goal; })) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "somebody hears nothing more;" << endings();
}

::testing::AssertionResult HandoffTraffic::has_waiting(const HandoffStage& stage) {
  slow(true);
  const auto waiting = [&] {
    if (stage.metrics().value("sluice_gateway_client_queue_bytes") > kWaitingBytes) return true;
    down_.publish(kOutsideB, kBurstFill);
    return false;
  };
  if (run_until(waiting)) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "nothing waits;" << endings();
}

/// The last message of each speaker: what is missing before it shows in the numbers.
bool HandoffTraffic::all_came() const {
  for (std::size_t i = 0; i < kOutsideA; ++i) {
    const std::size_t sender = i < kListeners ? kOutsideA : kOutsideB;
    if (!down_.client(i).closed && last_from(down_.client(i), sender) != down_.sent(sender))
      return false;
  }
  for (std::size_t i = 0; i <= kOutsideUp; ++i) {
    for (std::size_t sender = 0; sender < kSpeakers; ++sender) {
      if (up_.client(sender).closed || up_.client(i).closed) continue;
      if (last_from(up_.client(i), sender) != up_.sent(sender)) return false;
    }
  }
  return true;
}

::testing::AssertionResult HandoffTraffic::exact(std::uint64_t lost_up) {
  const Deadline deadline = Deadline::in(20s);
  while (!all_came()) {
    if (deadline.passed()) return ::testing::AssertionFailure() << "not all has come;" << endings();
    serve();
  }
  for (std::size_t i = 0; i < kOutsideA; ++i) {
    const SwarmClient& client = down_.client(i);
    if (client.closed) continue;
    const std::uint64_t sent = down_.sent(i < kListeners ? kOutsideA : kOutsideB);
    if (client.received != sent)
      return ::testing::AssertionFailure() << "client " << i << " has " << client.received << " of "
                                           << sent << ", faults " << down_.faults();
  }
  if (down_.faults() != SwarmFaults{})
    return ::testing::AssertionFailure() << "to clients: " << down_.faults();
  SwarmFaults others = up_.faults();
  // Each of those who hear counts it.
  const std::uint64_t lost_max = lost_up * (kSpeakers + 1);
  if (std::exchange(others.missing, 0) > lost_max || others != SwarmFaults{})
    return ::testing::AssertionFailure() << "from clients: " << up_.faults();
  return ::testing::AssertionSuccess();
}

std::size_t HandoffTraffic::closed() const {
  std::size_t count = 0;
  for (std::size_t i = 0; i < kOutsideA; ++i) count += down_.client(i).closed ? 1 : 0;
  for (std::size_t i = 0; i < kSpeakers; ++i) count += up_.client(i).closed ? 1 : 0;
  return count;
}

std::string HandoffTraffic::endings() const {
  std::string text = " ended:";
  for (std::size_t i = 0; i < kOutsideA; ++i) text += ending_of(down_.client(i));
  for (std::size_t i = 0; i < kSpeakers; ++i) text += ending_of(up_.client(i));
  return text;
}

void HandoffTraffic::leave() {
  for (std::size_t i = 0; i < kOutsideA; ++i) down_.drop(i);
  for (std::size_t i = 0; i < kSpeakers; ++i) up_.drop(i);
}

}  // namespace sluice::test
