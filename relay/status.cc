#include "relay/status.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/check.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

using Json = nlohmann::ordered_json;

/// Grows by new names alone; a change of meaning would be a new number.
constexpr int kFormat = 1;

double seconds(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return static_cast<double>(ms) / 1000;
}

/// 64-bit ids are text: many readers of JSON know numbers as doubles.
std::string hex(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

Json upgrades_part(const Router& router) {
  const RouterStats& stats = router.stats();
  return {{"done", stats.upgrades},
          {"refused", stats.upgrades_refused},
          {"failed", stats.upgrades_failed},
          {"last_pause_seconds", static_cast<double>(stats.upgrade_pause_micros) / 1e6}};
}

Json relay_part(const Router& router, TimePoint now) {
  return {{"software", "sluice-relay " SLUICE_VERSION},
          {"pid", ::getpid()},
          {"instance", hex(router.instance())},
          {"uptime_seconds", seconds(now - router.started_at())},
          {"shutting_down", router.shutting_down()},
          {"upgrades", upgrades_part(router)}};
}

Json broker_part(const Router& router, TimePoint now) {
  const std::string address = router.broker_address();
  const std::uint64_t connects = router.stats().broker_connects;
  return {{"kind", address.substr(0, address.find(':'))},
          {"address", address},
          {"connected", router.broker_is_connected()},
          {"since_seconds", seconds(now - router.broker_since())},
          {"reason", router.broker_reason().substr(0, proto::kReasonBytesMax)},
          {"reconnects", connects == 0 ? 0 : connects - 1},
          {"losses", router.stats().broker_losses}};
}

Json ring_part(const Router& router) {
  const ReplayRing& ring = router.ring();
  return {{"messages", ring.messages()},
          {"messages_max", ring.options().messages_max},
          {"bytes", ring.bytes()},
          {"bytes_max", ring.options().bytes_max},
          {"age_max_seconds", seconds(ring.options().age_max)}};
}

Json publishes_part(const Router& router) {
  return {{"held", router.hold().count()},
          {"held_bytes", router.hold().bytes()},
          {"held_bytes_max", router.options().publish_queue_bytes},
          {"in_flight", router.asked_publishes_in_flight()}};
}

Json requests_part(const Router& router) {
  const RouterStats& stats = router.stats();
  return {{"history", stats.history_requests},
          {"recoveries", stats.history_recoveries},
          {"recovered_from_ring", stats.history_from_ring},
          {"recovered_from_broker", stats.history_recovered_by_broker},
          {"recovered_incomplete", stats.history_incomplete},
          {"broker_queries", stats.history_from_broker},
          {"presence", stats.presence_requests},
          {"refused", stats.requests_refused},
          {"pending", router.requests()},
          {"in_flight", router.queries_in_flight()}};
}

/// "planned" or "crash", and what came of it; null: this process has taken nothing over.
Json takeover_part(const proto::TakeoverInfo& takeover, TimePoint now) {
  if (takeover.kind == proto::TakeoverKind::kNone) return nullptr;
  // Any number may have been told.
  const auto now_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  const std::uint64_t ago_ms = now_ms - std::min(takeover.ended_ms, now_ms);
  Json part = {{"kind", proto::to_string(takeover.kind)},
               {"seconds_ago", static_cast<double>(ago_ms) / 1000},
               {"clients", takeover.clients},
               {"closed", takeover.closed},
               {"pause_seconds", nullptr}};
  // How long a crash took, nobody has measured.
  if (takeover.kind == proto::TakeoverKind::kPlanned)
    part["pause_seconds"] = static_cast<double>(takeover.pause_ms) / 1000;
  return part;
}

Json gateway_row(const Router& router, const GatewayState& gateway, TimePoint now) {
  const bool connected = gateway.port != nullptr;
  Json row = {{"id", gateway.id}, {"connected", connected}};
  if (connected) {
    row["connected_seconds"] = seconds(now - gateway.attached_at);
    // Nothing is known of one that says nothing.
    row["state"] = nullptr;
    row["clients"] = nullptr;
    row["clients_max"] = nullptr;
    row["leaving"] = nullptr;
    row["handoff"] = nullptr;
    row["held"] = nullptr;
    row["takeover"] = nullptr;
    row["users"] = nullptr;
    row["client_subscriptions"] = nullptr;
    row["client_channels"] = nullptr;
    if (gateway.info) {
      row["state"] = proto::to_string(gateway.info->condition);
      row["clients"] = gateway.info->clients;
      row["clients_max"] = gateway.info->clients_max;
      row["leaving"] = gateway.info->leaving;
      row["handoff"] = proto::to_string(gateway.info->handoff);
      row["held"] = gateway.info->held;
      row["takeover"] = takeover_part(gateway.info->takeover, now);
      row["users"] = gateway.info->users;
      row["client_subscriptions"] = gateway.info->subscriptions;
      row["client_channels"] = gateway.info->channels;
    }
  } else {
    const Duration gone = now - gateway.detached_at;
    row["gone_seconds"] = seconds(gone);
    row["forgotten_in_seconds"] =
        seconds(std::max<Duration>(router.options().linger - gone, Duration::zero()));
  }
  row["pid"] = gateway.peer.pid;
  row["software"] = gateway.peer.software;
  row["subscriptions"] = gateway.subscriptions.size();
  row["queue_messages"] = gateway.index.queue_messages();
  row["queue_bytes"] = gateway.index.queue_bytes();
  row["gaps_told"] = gateway.gaps_told;
  row["messages_lost"] = gateway.messages_lost;
  return row;
}

Json gateways_part(const Router& router, TimePoint now) {
  std::vector<const GatewayState*> all;
  std::uint64_t clients = 0;
  for (const auto& [id, gateway] : router.gateway_table()) {
    all.push_back(gateway.get());
    if (gateway->port != nullptr && gateway->info) clients += gateway->info->clients;
  }
  // Where there are too many, those that live; in the order of their ids.
  const auto before = [](const GatewayState* a, const GatewayState* b) {
    const bool a_lives = a->port != nullptr;
    const bool b_lives = b->port != nullptr;
    return a_lives != b_lives ? a_lives : a->id < b->id;
  };
  const std::size_t shown = std::min(all.size(), kStatusGatewaysMax);
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(shown);
  std::partial_sort(all.begin(), end, all.end(), before);
  Json rows = Json::array();
  for (auto it = all.begin(); it != end; ++it) rows.push_back(gateway_row(router, **it, now));
  return {{"connected", router.links()},
          {"lingering", router.gateways() - router.links()},
          {"connected_max", router.options().gateways_max},
          {"clients", clients},
          {"queue_bytes", router.queue_bytes()},
          {"queue_bytes_max_each", router.options().gateway_queue_bytes},
          {"linger_seconds", seconds(router.options().linger)},
          {"list", std::move(rows)},
          {"left_out", all.size() - shown}};
}

struct RankedChannel {
  const Channel* channel;
  std::size_t gateways;
  /// The first in the list is the "largest".
  friend bool operator<(const RankedChannel& a, const RankedChannel& b) {
    return a.gateways != b.gateways ? a.gateways < b.gateways : a.channel->name > b.channel->name;
  }
};

RankedChannel rank(const Channel& channel) {
  const auto count =
      std::count_if(channel.subscribers.begin(), channel.subscribers.end(),
                    [](const Subscription* subscriber) { return !subscriber->gateway->tool; });
  return {&channel, static_cast<std::size_t>(count)};
}

/// The `wanted` largest: there may be millions, so they are not all sorted.
std::vector<RankedChannel> largest_channels(const Router& router, std::size_t wanted) {
  const auto larger = [](const RankedChannel& a, const RankedChannel& b) { return b < a; };
  std::vector<RankedChannel> heap;  // the smallest of them in front
  if (wanted == 0) return heap;
  for (const auto& [name, channel] : router.channel_table()) {
    const RankedChannel one = rank(*channel);
    if (heap.size() == wanted) {
      if (!(heap.front() < one)) continue;
      std::pop_heap(heap.begin(), heap.end(), larger);
      heap.pop_back();
    }
    heap.push_back(one);
    std::push_heap(heap.begin(), heap.end(), larger);
  }
  std::sort_heap(heap.begin(), heap.end(), larger);
  return heap;
}

Json channels_part(const Router& router, std::size_t wanted) {
  Json rows = Json::array();
  for (const RankedChannel& one : largest_channels(router, std::min(wanted, kStatusChannelsMax))) {
    const Channel& channel = *one.channel;
    const auto* serials = router.ring().serials(channel.ordinal);
    rows.push_back({{"name", channel.name},
                    {"gateways", one.gateways},
                    {"tools", channel.subscribers.size() - one.gateways},
                    {"confirmed", channel.confirmed},
                    {"history", channel.history},
                    {"epoch", hex(channel.top.epoch)},
                    {"offset", channel.top.offset},
                    {"ring_messages", serials == nullptr ? 0 : serials->size()},
                    {"ring_bytes", router.ring().bytes_of(channel.ordinal)}});
  }
  const std::size_t left_out = router.channels() - rows.size();
  return {{"subscribed", router.channels()},
          {"subscribed_max", router.options().channels_max},
          {"subscriptions", router.subscriptions()},
          {"list", std::move(rows)},
          {"left_out", left_out}};
}

}  // namespace

std::string status_json(const Router& router, std::size_t channels_wanted) {
  const TimePoint now = router.now();
  const Json status = {{"format", kFormat},
                       {"relay", relay_part(router, now)},
                       {"broker", broker_part(router, now)},
                       {"ring", ring_part(router)},
                       {"publishes", publishes_part(router)},
                       {"requests", requests_part(router)},
                       {"presence", {{"entries", router.presence_entries()}}},
                       {"gateways", gateways_part(router, now)},
                       {"channels", channels_part(router, channels_wanted)},
                       {"tools", {{"connected", router.tools()}, {"connected_max", kToolsMax}}}};
  // Names may hold any bytes; JSON holds UTF-8 alone.
  std::string text = status.dump(-1, ' ', false, Json::error_handler_t::replace);
  CHECK(text.size() <= proto::kStatusBytesMax);
  return text;
}

}  // namespace sluice::relay
