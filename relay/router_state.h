// What the Router remembers: channels, gateways, and the subscriptions between them. Plain data,
// owned by the Router.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "proto/frame.h"
#include "relay/brokers/broker.h"
#include "relay/gateway_index.h"
#include "relay/link_requests.h"
#include "relay/presence_table.h"
#include "relay/router_ports.h"

namespace sluice::relay {

struct Channel;
struct GatewayState;

struct Subscription {
  GatewayState* gateway = nullptr;
  Channel* channel = nullptr;
  std::uint32_t id =
      0;  ///< for the gateway; never 0, never given twice while the gateway's state lives
  bool confirmed = false;
  std::optional<proto::Position> asked;
  std::vector<std::uint64_t> requests;  ///< unanswered, at most kSubscribeRequestsMax
  // Once confirmed: what SUBSCRIBED said, told again after a resume.
  proto::Position start;
  bool continuous = false;
  std::uint64_t confirmed_at = 0;  ///< link sequence
};

/// Lives as long as its broker subscription: from the first subscriber to --linger after the last.
struct Channel {
  std::string name;
  ChannelOrdinal ordinal = 0;
  bool confirmed = false;  ///< by the broker, at least once
  proto::Position top;     ///< of the last message; epoch 0 until confirmed
  ChannelOptions options;  ///< as the broker was told
  bool history = false;    ///< positions are those of its history at the broker
  /// Who listens inside the relay itself: the channel never ends then. Null: nobody.
  const std::function<void(proto::Bytes)>* heard = nullptr;
  std::vector<Subscription*> subscribers;
  TimePoint idle_since{};  ///< when the last gateway left; tools do not count
};

/// What a peer tells of itself; for people.
struct PeerInfo {
  std::int64_t pid = 0;
  std::string software;
};

/// Lives from HELLO to --linger after the link's end. An operator's tool has one too: it ends with
/// its link, and its id is one that no gateway can have.
struct GatewayState {
  GatewayState(std::string gateway_id, GatewayIndexOptions options, bool is_tool)
      : id(std::move(gateway_id)), tool(is_tool), index(options) {}

  std::string id;
  const bool tool;
  PeerInfo peer;                           ///< of the last link
  std::optional<proto::GatewayInfo> info;  ///< said on the live link
  TimePoint attached_at{};
  std::uint64_t gaps_told = 0;
  std::uint64_t messages_lost = 0;  ///< stood in those
  std::uint64_t link = 0;           ///< number of the live link, new each time; 0: none
  LinkPort* port = nullptr;
  TimePoint detached_at{};
  GatewayIndex index;
  LinkRequests requests;   ///< of the live link
  PresenceTable presence;  ///< who is in which channel by this gateway; not a tool's
  bool presence_full_told = false;
  std::uint32_t next_channel_id = 1;
  std::unordered_map<std::uint32_t, std::unique_ptr<Subscription>> subscriptions;
};

}  // namespace sluice::relay
