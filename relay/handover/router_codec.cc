#include "relay/handover/router_codec.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "proto/names.h"
#include "relay/handover/hold_codec.h"
#include "relay/handover/index_codec.h"
#include "relay/handover/presence_codec.h"
#include "relay/handover/request_codec.h"
#include "relay/handover/ring_codec.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

constexpr std::size_t kChannelBytesMin = 8 + 8 + 1 + 16 + 1 + 4 + 8 + 1 + 8;
constexpr std::size_t kGatewayBytesMin = 64;
constexpr std::size_t kPresenceTableBytesMin = 8;
constexpr std::size_t kSubscriptionBytesMin = 4 + 8 + 1 + 1 + 8 + 16 + 1 + 8;
constexpr std::size_t kMarkBytesMin = 8 + 8 + 8;
constexpr std::string_view kToolPrefix = "tool#";

void write_handoff(StateWriter& out, const proto::GatewayInfo& info) {
  out.number(info.handoff);
  out.number(info.held);
  out.number(info.takeover.kind);
  out.number(info.takeover.clients);
  out.number(info.takeover.closed);
  out.number(info.takeover.pause_ms);
  out.number(info.takeover.ended_ms);
  out.number(info.users);
  out.number(info.subscriptions);
  out.number(info.channels);
}

void read_handoff(StateReader& in, proto::GatewayInfo& info) {
  info.handoff = in.number<proto::HandoffState>("handoff");
  info.held = in.number<std::uint32_t>("clients held");
  info.takeover.kind = in.number<proto::TakeoverKind>("last takeover");
  info.takeover.clients = in.number<std::uint32_t>("clients taken over");
  info.takeover.closed = in.number<std::uint32_t>("clients not taken over");
  info.takeover.pause_ms = in.number<std::uint32_t>("pause");
  info.takeover.ended_ms = in.number<std::uint64_t>("end of the takeover");
  info.users = in.number<std::uint32_t>("users");
  info.subscriptions = in.number<std::uint32_t>("subscriptions of clients");
  info.channels = in.number<std::uint32_t>("channels of clients");
}

void write_options(StateWriter& out, const ChannelOptions& options) {
  out.number(options.history_size);
  out.number<std::int64_t>(options.history_ttl.count());
  out.flag(options.envelope);
}

ChannelOptions read_options(StateReader& in) {
  ChannelOptions options;
  options.history_size = in.number<std::uint32_t>("history's size");
  options.history_ttl = Duration(in.number<std::int64_t>("history's age"));
  options.envelope = in.flag("channel's envelope");
  in.require(options.history_ttl >= Duration::zero() &&
                 options.history_ttl <= std::chrono::hours(24 * 3660),
             "history's age", "is none");
  return options;
}

}  // namespace

// ---- writing

void RouterCodec::write(StateWriter& out, const Router& router) {
  out.number(router.instance_);
  out.time(router.started_at_);
  out.number(router.next_ordinal_);
  out.number(router.next_link_);
  out.number(router.next_tool_);
  out.flag(router.broker_connected_);
  out.text(std::string_view(router.broker_reason_).substr(0, proto::kReasonBytesMax));
  out.time(router.broker_since_);
  out.counters(router.stats_);
  RingCodec::write(out, router.ring_);
  write_channels(out, router);
  out.number<std::uint64_t>(router.gateways_.size() + router.tools_.size());
  for (const auto& [id, gateway] : router.gateways_) write_gateway(out, router, *gateway);
  for (const auto& [id, tool] : router.tools_) write_gateway(out, router, *tool);
  HoldCodec::write(out, router.hold_);
  out.number<std::uint64_t>(router.in_flight_.count());
  router.in_flight_.each(
      [&out](const PublishRequest& request) { HoldCodec::write_request(out, request); });
  write_marks(out, router.drain_marks_);
  write_presence(out, router);
}

void RouterCodec::write_presence(StateWriter& out, const Router& router) {
  out.number(router.presence_round_);
  out.flag(router.presence_missed_);
  out.number<std::uint64_t>(router.leaving_.size());
  for (const PresenceTable& table : router.leaving_) PresenceCodec::write(out, table);
}

void RouterCodec::write_channels(StateWriter& out, const Router& router) {
  out.number<std::uint64_t>(router.channels_.size());
  for (const auto& [name, channel] : router.channels_) {
    out.text(channel->name);
    out.number(channel->ordinal);
    out.flag(channel->confirmed);
    out.position(channel->top);
    out.flag(channel->history);
    write_options(out, channel->options);
    out.time(channel->idle_since);
  }
}

void RouterCodec::write_gateway(StateWriter& out, const Router& router,
                                const GatewayState& gateway) {
  out.flag(gateway.tool);
  out.text(gateway.tool ? std::string_view(gateway.id).substr(kToolPrefix.size()) : gateway.id);
  out.number(gateway.link);
  out.number(gateway.peer.pid);
  out.text(gateway.peer.software);
  out.flag(gateway.info.has_value());
  if (gateway.info) {
    out.number(gateway.info->condition);
    out.number(gateway.info->clients);
    out.number(gateway.info->clients_max);
    out.number(gateway.info->leaving);
    write_handoff(out, *gateway.info);
  }
  out.time(gateway.attached_at);
  out.time(gateway.detached_at);
  out.number(gateway.gaps_told);
  out.number(gateway.messages_lost);
  out.number(gateway.next_channel_id);
  IndexCodec::write(out, gateway.index);
  out.number<std::uint64_t>(gateway.subscriptions.size());
  for (const auto& [id, subscription] : gateway.subscriptions)
    write_subscription(out, *subscription);
  PresenceCodec::write(out, gateway.presence);
  std::vector<const LinkRequest*> at_broker;
  for (const auto& [id, query] : router.queries_) {
    if (query.link != kNoLink && query.link == gateway.link) at_broker.push_back(&query.asked);
  }
  RequestCodec::write(out, gateway.requests, at_broker);
}

void RouterCodec::write_subscription(StateWriter& out, const Subscription& subscription) {
  out.number(subscription.id);
  out.number(subscription.channel->ordinal);
  out.flag(subscription.confirmed);
  out.flag(subscription.asked.has_value());
  if (subscription.asked) out.position(*subscription.asked);
  out.number<std::uint64_t>(subscription.requests.size());
  for (const std::uint64_t request : subscription.requests) out.number(request);
  out.position(subscription.start);
  out.flag(subscription.continuous);
  out.number(subscription.confirmed_at);
}

void RouterCodec::write_marks(StateWriter& out, const DrainMarks& marks) {
  out.number<std::uint64_t>(marks.size());
  for (const auto& [gateway, balancers] : marks.table()) {
    for (const auto& [balancer, since] : balancers) {
      out.text(gateway);
      out.text(balancer);
      out.time(since);
    }
  }
}

// ---- reading

std::vector<PublishRequest> RouterCodec::read(StateReader& in, Router& router) {
  router.instance_ = in.number<std::uint64_t>("instance");
  in.require(router.instance_ != 0, "instance", "is 0");
  router.started_at_ = in.time("start");
  router.next_ordinal_ = in.number<ChannelOrdinal>("next ordinal");
  router.next_link_ = in.number<std::uint64_t>("next link");
  router.next_tool_ = in.number<std::uint64_t>("next tool");
  router.broker_connected_ = in.flag("broker");
  router.broker_reason_ = in.text("broker's reason", proto::kReasonBytesMax);
  router.broker_since_ = in.time("broker's time");
  router.stats_ = in.counters<RouterStats>("counters");
  RingCodec::read(in, router.ring_);
  const Channels channels = read_channels(in, router);
  const std::size_t gateways = in.count("gateways", kGatewayBytesMin);
  for (std::size_t i = 0; i < gateways && in.good(); ++i) read_gateway(in, router, channels);
  HoldCodec::read(in, router.hold_);
  std::vector<PublishRequest> unanswered(in.count("publishes", HoldCodec::kRequestBytes));
  for (PublishRequest& request : unanswered) request = HoldCodec::read_request(in);
  read_marks(in, router.drain_marks_);
  read_presence(in, router);
  if (in.good()) list_idle(router);
  return unanswered;
}

RouterCodec::Channels RouterCodec::read_channels(StateReader& in, Router& router) {
  Channels channels;
  std::unordered_set<ChannelOrdinal> ordinals;
  std::size_t listed = 0;
  const std::size_t count = in.count("channels", kChannelBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    auto channel = std::make_unique<Channel>();
    channel->name = in.text("channel's name", proto::kChannelNameBytesMax);
    channel->ordinal = in.number<ChannelOrdinal>("channel's ordinal");
    channel->confirmed = in.flag("channel's confirmation");
    channel->top = in.position("channel's top");
    channel->history = in.flag("channel's history");
    channel->options = read_options(in);
    channel->idle_since = in.time("channel's idle time");
    in.require(!channel->name.empty(), "channel's name", "is empty");
    in.require(channel->ordinal < router.next_ordinal_ && ordinals.insert(channel->ordinal).second,
               "channel's ordinal", "is there twice, or of the future");
    in.require(channel->confirmed == (channel->top.epoch != 0), "channel's top",
               "does not fit its confirmation");
    if (!in.good()) return channels;
    in.require(RingCodec::ends_at(router.ring_, channel->ordinal, channel->top), "channel's top",
               "does not fit the ring");
    if (router.ring_.serials(channel->ordinal) != nullptr) ++listed;
    channels.push_back(channel.get());
    if (proto::is_internal(channel->name)) ++router.internal_;
    const bool fresh = router.channels_.emplace(channel->name, std::move(channel)).second;
    in.require(fresh, "channel's name", "is there twice");
  }
  in.require(listed == RingCodec::channels(router.ring_), "the ring", "has messages of no channel");
  std::sort(channels.begin(), channels.end(),
            [](const Channel* a, const Channel* b) { return a->ordinal < b->ordinal; });
  return channels;
}

std::unique_ptr<GatewayState> RouterCodec::read_identity(StateReader& in, Router& router) {
  const bool tool = in.flag("gateway's kind");
  std::string id(in.text("gateway's id", proto::kGatewayIdBytesMax));
  if (tool) {
    // Digits, of a number that is not given again.
    const bool digits =
        !id.empty() && id.size() < 20 &&
        std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    in.require(digits && std::stoull(id) < router.next_tool_, "tool's number", "is no such number");
    id.insert(0, kToolPrefix);
  } else {
    in.require(proto::valid_gateway_id(id), "gateway's id", "is none");
  }
  auto gateway = std::make_unique<GatewayState>(std::move(id), router.index_options(tool), tool);
  gateway->link = in.number<std::uint64_t>("gateway's link");
  in.require(gateway->link < router.next_link_, "gateway's link", "is of the future");
  in.require(!tool || gateway->link != 0, "tool's link", "is gone");
  gateway->peer.pid = in.number<std::int64_t>("gateway's process");
  gateway->peer.software = in.text("gateway's software", proto::kSoftwareBytesMax);
  if (in.flag("gateway's info")) {
    proto::GatewayInfo info;
    info.condition = in.number<proto::GatewayCondition>("gateway's condition");
    info.clients = in.number<std::uint32_t>("clients");
    info.clients_max = in.number<std::uint32_t>("clients at most");
    info.leaving = in.number<std::uint32_t>("clients leaving");
    read_handoff(in, info);
    gateway->info = info;
  }
  return gateway;
}

void RouterCodec::read_gateway(StateReader& in, Router& router, const Channels& channels) {
  std::unique_ptr<GatewayState> made = read_identity(in, router);
  GatewayState& gateway = *made;
  gateway.attached_at = in.time("gateway's begin");
  gateway.detached_at = in.time("gateway's end");
  gateway.gaps_told = in.number<std::uint64_t>("gateway's gaps");
  gateway.messages_lost = in.number<std::uint64_t>("gateway's losses");
  gateway.next_channel_id = in.number<std::uint32_t>("gateway's next id");
  IndexCodec::read(in, router.ring_, gateway.index);
  if (!in.good()) return;
  auto& table = gateway.tool ? router.tools_ : router.gateways_;
  if (!table.emplace(gateway.id, std::move(made)).second)
    return in.fault("gateway's id", "is there twice");
  if (gateway.link != 0 && !router.links_.emplace(gateway.link, &gateway).second)
    return in.fault("gateway's link", "is there twice");
  const std::size_t count = in.count("subscriptions", kSubscriptionBytesMin);
  std::unordered_set<const Channel*> seen;
  for (std::size_t i = 0; i < count && in.good(); ++i)
    read_subscription(in, router, gateway, channels);
  for (const auto& [id, one] : gateway.subscriptions)
    in.require(seen.insert(one->channel).second, "subscription", "is there twice");
  PresenceCodec::read(in, gateway.presence, gateway.tool ? 0 : kPresenceEntriesMax);
  RequestCodec::read(in, gateway.requests);
  in.require(gateway.link != 0 || gateway.requests.count() == 0, "requests", "are of no link");
}

void RouterCodec::read_subscription(StateReader& in, Router& router, GatewayState& gateway,
                                    const Channels& channels) {
  auto made = std::make_unique<Subscription>();
  Subscription& subscription = *made;
  subscription.gateway = &gateway;
  subscription.id = in.number<std::uint32_t>("subscription's id");
  const auto ordinal = in.number<ChannelOrdinal>("subscription's channel");
  const auto channel = std::lower_bound(
      channels.begin(), channels.end(), ordinal,
      [](const Channel* one, ChannelOrdinal wanted) { return one->ordinal < wanted; });
  const bool known = channel != channels.end() && (*channel)->ordinal == ordinal;
  in.require(known, "subscription's channel", "is not there");
  subscription.confirmed = in.flag("subscription's confirmation");
  if (in.flag("subscription's wish")) subscription.asked = in.position("subscription's wish");
  subscription.requests.resize(in.count("subscription's requests", sizeof(std::uint64_t)));
  in.require(subscription.requests.size() <= kSubscribeRequestsMax, "subscription's requests",
             "are too many");
  for (std::uint64_t& request : subscription.requests)
    request = in.number<std::uint64_t>("subscription's request");
  subscription.start = in.position("subscription's start");
  subscription.continuous = in.flag("subscription's continuity");
  subscription.confirmed_at = in.number<std::uint64_t>("subscription's place");
  in.require(subscription.id != 0 && subscription.id < gateway.next_channel_id, "subscription's id",
             "is 0, or of the future");
  if (!in.good()) return;
  subscription.channel = *channel;
  in.require(
      !subscription.confirmed || (subscription.channel->confirmed && subscription.start.epoch != 0),
      "subscription's confirmation", "is of a channel without one");
  if (!gateway.subscriptions.emplace(subscription.id, std::move(made)).second)
    return in.fault("subscription's id", "is there twice");
  subscription.channel->subscribers.push_back(&subscription);
  if (!gateway.tool) ++router.subscriptions_;
}

void RouterCodec::read_presence(StateReader& in, Router& router) {
  router.presence_round_ = in.number<std::uint64_t>("presence's round");
  router.presence_missed_ = in.flag("presence's loss");
  const std::size_t count = in.count("tables of presence", kPresenceTableBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    PresenceTable table;
    PresenceCodec::read(in, table, kPresenceLeavingMax - router.leaving_entries_);
    if (in.good()) router.leave(std::move(table));
  }
}

void RouterCodec::read_marks(StateReader& in, DrainMarks& marks) {
  const std::size_t count = in.count("marks", kMarkBytesMin);
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    const std::string_view gateway = in.text("mark's gateway", proto::kGatewayIdBytesMax);
    const std::string_view balancer = in.text("mark's balancer", proto::kBalancerBytesMax);
    const TimePoint since = in.time("mark's time");
    if (in.good()) marks.set(gateway, balancer, since);
  }
}

void RouterCodec::list_idle(Router& router) {
  for (const auto& [name, channel] : router.channels_) {
    if (channel->subscribers.empty()) router.idle_.emplace(channel->idle_since, channel.get());
  }
}

}  // namespace sluice::relay
