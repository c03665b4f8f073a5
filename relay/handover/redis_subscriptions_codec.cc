#include "relay/handover/redis_subscriptions_codec.h"

#include <unordered_map>
#include <utility>

#include "relay/brokers/redis_keys.h"
#include "relay/brokers/redis_limits.h"

namespace sluice::relay {
namespace {

using Place = std::uint64_t;
constexpr std::size_t kWantedBytesMin = 8 + 7;
constexpr std::size_t kCommandBytesMin = 4 + 8 + 8;

}  // namespace

void RedisSubscriptionsCodec::write(StateWriter& out, const RedisSubscriptions& subscriptions) {
  std::unordered_map<const Node*, Place> places;
  out.flag(subscriptions.connected_);
  out.number<std::uint64_t>(subscriptions.channels_.size());
  for (const Node& node : subscriptions.channels_) {
    places.emplace(&node, places.size());
    const RedisSubscriptions::State& state = node.second;
    out.text(node.first);
    out.flag(state.wanted);
    out.flag(state.at_server);
    out.flag(state.confirmed);
    out.flag(state.alone);
    out.flag(state.restoring);
    out.flag(state.refusal_told);
    out.time(state.covered_until);
  }
  const auto list = [&](const auto& nodes) {
    out.number<std::uint64_t>(nodes.size());
    for (const Node* node : nodes) out.number<Place>(places.at(node));
  };
  list(subscriptions.todo_);
  list(subscriptions.parked_);
  out.number<std::uint64_t>(subscriptions.commands_.size());
  for (const RedisSubscriptions::Command& command : subscriptions.commands_) {
    out.number<std::uint32_t>(static_cast<std::uint32_t>(command.verb_));
    out.number<std::uint64_t>(command.answered_);
    list(command.nodes_);
  }
}

void RedisSubscriptionsCodec::read(StateReader& in, RedisSubscriptions& subscriptions) {
  subscriptions.connected_ = in.flag("subscriptions' connection");
  Nodes nodes;
  const std::size_t channels = in.count("wanted channels", kWantedBytesMin);
  for (std::size_t i = 0; i < channels && in.good(); ++i) read_channel(in, subscriptions, nodes);
  const std::size_t todo = in.count("channels to ask for", sizeof(Place));
  for (std::size_t i = 0; i < todo && in.good(); ++i) {
    Node* node = read_node(in, nodes);
    if (node == nullptr) return;
    in.require(!std::exchange(node->second.queued, true), "channel to ask for", "is there twice");
    subscriptions.todo_.push_back(node);
  }
  const std::size_t parked = in.count("refused channels", sizeof(Place));
  for (std::size_t i = 0; i < parked && in.good(); ++i) {
    Node* node = read_node(in, nodes);
    if (node == nullptr) return;
    in.require(!std::exchange(node->second.parked, true), "refused channel", "is there twice");
    subscriptions.parked_.push_back(node);
  }
  const std::size_t commands = in.count("commands", kCommandBytesMin);
  for (std::size_t i = 0; i < commands && in.good(); ++i) read_command(in, subscriptions, nodes);
  in.require(subscriptions.connected_ || todo + parked + commands + subscriptions.restoring_ == 0,
             "subscriptions", "are under way without a connection");
}

void RedisSubscriptionsCodec::read_channel(StateReader& in, RedisSubscriptions& subscriptions,
                                           Nodes& nodes) {
  const std::string_view name = in.text("wanted channel", kRedisNameBytesMax);
  RedisSubscriptions::State state;
  state.wanted = in.flag("channel's wish");
  state.at_server = in.flag("channel's subscription");
  state.confirmed = in.flag("channel's confirmation");
  state.alone = in.flag("channel's command");
  state.restoring = in.flag("channel's restoration");
  state.refusal_told = in.flag("channel's refusal");
  state.covered_until = in.optional_time("channel's coverage");
  in.require(!name.empty(), "wanted channel", "has no name");
  if (!in.good()) return;
  if (state.restoring) ++subscriptions.restoring_;
  const auto [node, fresh] = subscriptions.channels_.emplace(std::string(name), state);
  in.require(fresh, "wanted channel", "is there twice");
  nodes.push_back(&*node);
}

RedisSubscriptionsCodec::Node* RedisSubscriptionsCodec::read_node(StateReader& in,
                                                                  const Nodes& nodes) {
  const auto place = in.number<Place>("channel's place");
  in.require(place < nodes.size(), "channel's place", "is none");
  return in.good() ? nodes[place] : nullptr;
}

void RedisSubscriptionsCodec::read_command(StateReader& in, RedisSubscriptions& subscriptions,
                                           const Nodes& nodes) {
  using Verb = RedisSubscriptions::Verb;
  const auto verb = in.number<std::uint32_t>("command's verb");
  in.require(verb <= static_cast<std::uint32_t>(Verb::kPing), "command's verb", "is unknown");
  RedisSubscriptions::Command command;
  command.verb_ = static_cast<Verb>(verb);
  command.answered_ = in.number<std::uint64_t>("command's answers");
  const std::size_t names = in.count("command's names", sizeof(Place));
  const bool ping = command.verb_ == Verb::kPing;
  in.require(names <= kSubscribeNamesMax && ping == (names == 0), "command's names",
             "do not fit its verb");
  in.require(ping ? command.answered_ == 0 : command.answered_ < names, "command's answers",
             "are too many");
  for (std::size_t i = 0; i < names && in.good(); ++i) {
    Node* node = read_node(in, nodes);
    if (node == nullptr) return;
    if (i >= command.answered_) ++node->second.in_flight;
    command.nodes_.push_back(node);
  }
  if (in.good()) subscriptions.commands_.push_back(std::move(command));
}

}  // namespace sluice::relay
