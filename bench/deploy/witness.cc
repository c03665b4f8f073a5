#include "bench/deploy/witness.h"

#include "tests/process/support/resp.h"

namespace sluice::bench {
namespace {

using namespace std::chrono_literals;

/// Longer than any run: reading ends with the connection.
constexpr auto kForever = 24h;

}  // namespace

Witness::Witness(const test::Endpoint& redis) : thread_([this, redis] { read(redis); }) {
  if (!test::eventually(10s, [this] { return subscribed_ || blind_; }) || blind_) {
    thread_.detach();  // it can only be waiting for a Redis that does not answer
    throw test::HarnessError("the witness can't subscribe at Redis");
  }
}

Witness::~Witness() {
  thread_.join();
}

void Witness::read(const test::Endpoint& redis) {
  try {
    test::RespClient client(redis);
    client.command({"PSUBSCRIBE", "r*"});
    subscribed_ = true;
    while (true) {
      // "pmessage\nr*\nCHANNEL\nPAYLOAD"
      const std::string push = client.read_reply(kForever);
      std::size_t at = 0;
      for (int i = 0; i < 3 && at != std::string::npos; ++i) at = push.find('\n', at + 1);
      if (at == std::string::npos) continue;
      const auto message = parse_message(std::string_view(push).substr(at + 1));
      if (!message) continue;
      const std::lock_guard lock(mutex_);
      carried_.emplace_back(*message, std::chrono::steady_clock::now());
    }
  } catch (const test::HarnessError&) {
    blind_ = true;
  }
}

std::vector<std::pair<Message, TimePoint>> Witness::take() {
  std::vector<std::pair<Message, TimePoint>> taken;
  const std::lock_guard lock(mutex_);
  taken.swap(carried_);
  return taken;
}

}  // namespace sluice::bench
