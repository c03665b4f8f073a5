// Clients, drawn from the seed.
#include "tests/soak/fleet.h"

#include <algorithm>

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;
using test::WsOpcode;

constexpr int kSlowReceiveBuffer = 4096;
constexpr std::size_t kBurstMessages = 600;
constexpr std::size_t kBurstFill = 1000;
/// Above the gateways' --publish-wait, with the relay's part of it.
constexpr auto kPublishFate = 8s;

/// What no client may send.
std::string broken_bytes(std::uint64_t kind) {
  switch (kind) {
    case 0:
      return test::client_frame(static_cast<WsOpcode>(3), "reserved");
    case 1:
      return test::client_frame(WsOpcode::kText, "\xC3\x28 is no UTF-8");
    default:
      return test::client_frame(WsOpcode::kText, std::string(70000, 'x'));
  }
}
constexpr std::uint64_t kBrokenKinds = 3;

const std::array<std::string, 3> kHalfHeads{"GET / HTTP/1.1\r\nHost: x", "G", ""};

std::string request_for(std::size_t channel) {
  test::UpgradeRequest request;
  if (channel != 0) request.path = "/channel/" + channel_name(channel);
  return test::upgrade_bytes(request);
}

}  // namespace

Fleet::Fleet(Stage& stage, Ledger& ledger, std::uint64_t seed, std::size_t clients_wanted)
    : stage_(stage), ledger_(ledger), random_(seed), wanted_(clients_wanted) {
  swarm_.observe(*this);
}

// ---- what they do

void Fleet::welcome() {
  const std::size_t gateway = below(kGateways);
  const std::size_t channel = below(kChannels);
  const std::uint64_t kind = below(20);
  const std::uint64_t half_head = below(kHalfHeads.size());
  const bool slow = below(4) == 0;
  if (!stage_.accepts(gateway)) return;
  auto client = std::make_unique<Client>();
  client->manner = kind == 0 ? Manner::kHostile : kind == 1 ? Manner::kHalfOpen : Manner::kOrdinary;
  client->channel = channel;
  client->life = stage_.life(gateway);
  client->gaps_before = client->life->gaps[channel_name(channel)];
  client->sender = next_sender_++;
  client->small_window = client->may_be_cut = slow;
  const auto detour = detours_.find(gateway);
  const test::Endpoint& to =
      detour == detours_.end() ? stage_.gateway(gateway).endpoint() : detour->second;
  const std::size_t index = swarm_.dial(
      to, client->manner == Manner::kHalfOpen ? kHalfHeads.at(half_head) : request_for(channel),
      slow ? kSlowReceiveBuffer : 0);
  if (clients_.size() <= index) clients_.resize(index + 1);
  clients_[index] = std::move(client);
  ++counts_.came;
}

std::optional<std::size_t> Fleet::someone() {
  const std::uint64_t ticket = below(1U << 30U);
  if (clients_.empty()) return std::nullopt;
  const std::size_t index = ticket % clients_.size();
  const Client* client = clients_[index].get();
  const bool usable = client != nullptr && !client->ended && !client->leaving &&
                      client->manner == Manner::kOrdinary && swarm_.client(index).open &&
                      swarm_.client(index).close_code == 0;
  return usable ? std::optional(index) : std::nullopt;
}

void Fleet::leave(std::size_t index) {
  Client& client = *clients_[index];
  if (below(2) == 0) {
    client.leaving = true;
    swarm_.send_close(index, 1000);
  } else {
    swarm_.drop(index);
    client.ended = true;
  }
}

void Fleet::pause_for_a_while(std::size_t index) {
  Client& client = *clients_[index];
  client.paused = client.may_be_cut = true;
  client.pause_ends = SteadyClock::now() + Millis(below(8000));
  swarm_.pause(index, true);
}

void Fleet::publish(std::size_t index) {
  Client& client = *clients_[index];
  client.unechoed.push_back({++client.sent, SteadyClock::now()});
  swarm_.send_text(index, to_text({client.channel, client.sender, client.sent}, below(400)));
  ++counts_.sent;
}

void Fleet::publish_directly(std::size_t channel, std::size_t fill) {
  if (!stage_.redis_answers()) return;
  try {
    if (!publisher_)
      publisher_ = std::make_unique<test::RespClient>(stage_.redis().unix_endpoint());
    const auto sender = static_cast<std::uint32_t>(channel + 1);
    publisher_->command({"PUBLISH", channel_name(channel),
                         to_text({channel, sender, ++direct_numbers_.at(channel)}, fill)});
    ++counts_.published_directly;
  } catch (const test::HarnessError&) {
    publisher_.reset();  // Redis was killed meanwhile: the next one connects anew
  }
}

void Fleet::burst(std::size_t channel) {
  for (std::size_t i = 0; i < kBurstMessages; ++i)
    publish_directly(channel % kChannels, kBurstFill);
}

void Fleet::misbehave(std::size_t index) {
  clients_[index]->began = true;
  swarm_.send_raw(index, broken_bytes(below(kBrokenKinds)));
}

void Fleet::stir() {
  if (present() < wanted_ || below(50) == 0) welcome();
  for (std::uint64_t i = below(6); i > 0; --i) {
    if (const auto index = someone()) publish(*index);
  }
  if (below(2) == 0) publish_directly(below(kChannels), below(400));
  if (const auto index = someone(); below(8) == 0 && index) leave(*index);
  if (const auto index = someone(); below(20) == 0 && index) pause_for_a_while(*index);
  wake_up_paused();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const Client* client = clients_[i].get();
    if (client == nullptr || client->manner != Manner::kHostile || client->began) continue;
    if (swarm_.client(i).open && !client->ended) misbehave(i);
  }
}

void Fleet::wake_up_paused() {
  const auto now = SteadyClock::now();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client* client = clients_[i].get();
    if (client == nullptr || !client->paused || client->pause_ends > now) continue;
    client->paused = false;
    if (!client->ended) swarm_.pause(i, false);
  }
}

void Fleet::calm() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client* client = clients_[i].get();
    if (client == nullptr || client->ended) continue;
    client->pause_ends = {};
    // With a window smaller than a segment, what has piled up takes minutes: they are not waited
    // for.
    if (client->small_window && client->manner == Manner::kOrdinary) {
      swarm_.drop(i);
      client->ended = true;
    } else if (client->manner == Manner::kHostile && !client->began && swarm_.client(i).open) {
      misbehave(i);
    }
  }
  wake_up_paused();
}

void Fleet::dismiss() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client* client = clients_[i].get();
    if (client == nullptr || client->ended || client->leaving) continue;
    client->leaving = true;
    if (i % 2 == 0 && swarm_.client(i).open) {
      swarm_.send_close(i, 1000);
    } else {
      swarm_.drop(i);
      client->ended = true;
    }
  }
}

// ---- what they see

void Fleet::message(std::size_t index, const std::string& text) {
  receive(*clients_[index], text);
  ++counts_.received;
}

void Fleet::ended(std::size_t index) {
  judge_end(*clients_[index], swarm_.client(index));
  ++counts_.closed;
}

void Fleet::serve(int wait_ms) {
  swarm_.serve(wait_ms);
  for (const auto& client : clients_) {
    if (client) compare(*client, ledger_);
  }
}

void Fleet::begin_markers() {
  for (std::size_t i = 0; i < kChannels; ++i) marker_numbers_.at(i) = direct_numbers_.at(i) + 1;
}

void Fleet::send_markers() {
  for (std::size_t i = 0; i < kChannels; ++i) publish_directly(i, 0);
}

std::string Fleet::waiting() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const Client* client = clients_[i].get();
    if (client == nullptr) continue;
    if (!client->arrivals.empty()) return name_of(*client) + " has what the witness has not";
    if (client->ended) continue;
    if (client->manner != Manner::kOrdinary)
      return name_of(*client) + ", a hostile one, is not ended";
    if (client->leaving) return name_of(*client) + " has closed and gets no answer";
    if (!swarm_.client(i).open) return name_of(*client) + " is not let in";
    const auto sender = static_cast<std::uint32_t>(client->channel + 1);
    const auto heard = client->last_numbers.find(sender);
    if (heard == client->last_numbers.end() ||
        heard->second < marker_numbers_.at(client->channel)) {
      return name_of(*client) + " hears nothing";
    }
  }
  return "";
}

void Fleet::count_lost_publishes() {
  const auto now = SteadyClock::now();
  for (const auto& client : clients_) {
    if (!client || client->ended) continue;
    for (; !client->unechoed.empty(); client->unechoed.pop_front()) {
      const Client::Sent& sent = client->unechoed.front();
      if (now - sent.at < kPublishFate) break;
      const bool carried =
          ledger_.place({client->channel, client->sender, sent.number}).has_value();
      if (carried || ledger_.was_blind(sent.at, sent.at + kPublishFate)) continue;
      ++client->life->lost_publishes;
      ++counts_.unknown_fate;
    }
  }
}

void Fleet::judge() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    Client* client = clients_[i].get();
    if (client == nullptr) continue;
    judge_holes(*client);
    if (!client->ended) continue;
    counts_.holes += client->holes;
    counts_.missing += client->missing;
    clients_[i].reset();
    swarm_.give_back(i);
  }
}

std::size_t Fleet::open_at(std::size_t gateway) const {
  return static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(), [&](const auto& client) {
        return client && !client->ended && client->life->gateway == gateway;
      }));
}

std::size_t Fleet::present() const {
  return static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(),
                    [](const auto& client) { return client && !client->ended; }));
}

}  // namespace sluice::soak
