// The witness's thread.
#include "tests/soak/witness.h"

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;

/// Longer than any stall: reading ends with the connection.
constexpr auto kForever = 1h;
constexpr test::Millis kRetry{20};

}  // namespace

Witness::Witness(test::Endpoint redis, std::size_t channels)
    : redis_(std::move(redis)), channels_(channels), thread_([this] { run(); }) {
}

Witness::~Witness() {
  stop_ = true;
  thread_.join();
}

void Witness::run() {
  while (!stop_) {
    try {
      subscribe_and_read();
    } catch (const test::HarnessError&) {
      const std::lock_guard lock(mutex_);
      if (subscribed_.exchange(false)) {
        lost_ = true;
        blind_since_ = SteadyClock::now();
      }
    }
    test::observe_for(kRetry);
  }
}

void Witness::subscribe_and_read() {
  test::RespClient client(redis_);
  for (std::size_t i = 0; i < channels_; ++i) {
    client.command({"SUBSCRIBE", channel_name(i)}, kForever);
  }
  {
    const std::lock_guard lock(mutex_);
    if (lost_) blind_.emplace_back(blind_since_, SteadyClock::now());
    lost_ = false;
    subscribed_ = true;
  }
  while (!stop_) {
    std::string push = client.read_reply(kForever);
    const std::lock_guard lock(mutex_);
    pushes_.push_back(std::move(push));
  }
}

void Witness::tell(Ledger& ledger) {
  std::vector<std::string> pushes;
  {
    const std::lock_guard lock(mutex_);
    pushes.swap(pushes_);
    for (const auto& [from, to] : blind_) ledger.blind(from, to);
    blind_.clear();
    if (lost_) ledger.blind(blind_since_, SteadyClock::now());
  }
  for (const std::string& push : pushes) {
    const std::size_t name = push.find('\n') + 1;
    const std::size_t payload = push.find('\n', name) + 1;
    if (push.rfind("message\n", 0) != 0 || payload == 0) continue;
    const auto message = parse(std::string_view(push).substr(payload));
    const std::string channel = push.substr(name, payload - 1 - name);
    if (!message) throw Violation{"Redis carried what nobody sent, on " + channel};
    ledger.carried(channel, *message);
  }
}

}  // namespace sluice::soak
