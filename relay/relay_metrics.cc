#include "relay/relay_metrics.h"

#include "common/metrics.h"
#include "relay/admin.h"
#include "relay/api/api.h"
#include "relay/brokers/memory_broker.h"
#include "relay/brokers/redis_broker.h"

namespace sluice::relay {
namespace {

/// Adds families under the relay's prefix; values are read at once, the page is made per scrape.
class RelayPage {
 public:
  template <typename T>
  void counter(const std::string& name, const std::string& help, T value,
               const MetricLabels& labels = {}) {
    page_.counter(kPrefix + name, help, labels, [value] { return static_cast<double>(value); });
  }
  template <typename T>
  void gauge(const std::string& name, const std::string& help, T value,
             const MetricLabels& labels = {}) {
    page_.gauge(kPrefix + name, help, labels, [value] { return static_cast<double>(value); });
  }
  [[nodiscard]] std::string finish() {
    add_build_info(page_, "relay");
    add_process_metrics(page_, kPrefix);
    return page_.text();
  }

 private:
  static inline const std::string kPrefix = "sluice_relay_";
  MetricsPage page_;
};

void add_links(RelayPage& page, const Router& router, const GatewayListener& listener,
               const AdminServer* admin) {
  const LinkStats& links = listener.stats();
  page.gauge("gateways", "Gateways connected now.", router.links());
  page.gauge("gateways_known", "Gateways connected or lingering.", router.gateways());
  page.gauge("tools", "Operators' tools connected now.", router.tools());
  page.counter("tools_opened_total", "Operators' tools welcomed.", links.tools_opened);
  page.counter("links_opened_total", "Relay links of gateways welcomed.", links.opened);
  page.counter("links_closed_total", "Connections of relay links closed.", links.closed);
  page.counter("links_resumed_total", "Relay links that went on where they had ended.",
               router.stats().resumes);
  const auto refused = [&](const char* reason, std::uint64_t value) {
    page.counter("links_refused_total", "Relay links refused or ended by an error, by reason.",
                 value, {{"reason", reason}});
  };
  refused("malformed", links.refused_malformed);
  refused("version", links.refused_version);
  refused("in_use", links.refused_in_use);
  refused("bad_id", links.refused_bad_id);
  refused("not_permitted", links.refused_not_permitted);
  refused("too_many", links.refused_too_many);
  refused("overrun", links.refused_overrun);
  page.counter("accept_errors_total", "Failed accepts, e.g. for want of descriptors.",
               listener.accept_errors() + (admin == nullptr ? 0 : admin->accept_errors()));
  page.counter("link_received_bytes_total", "Bytes read from gateways.", links.bytes_in);
  page.counter("link_sent_bytes_total", "Bytes written to gateways.", links.bytes_out);
}

constexpr const char* kGapsHelp =
    "Gaps, by cause: overrun and oversized per gateway told, broker per channel.";

void add_messages(RelayPage& page, const Router& router) {
  const RouterStats& stats = router.stats();
  page.gauge("channels", "Channels subscribed at the broker, lingering ones included.",
             router.channels());
  page.gauge("subscriptions", "Subscriptions of gateways to channels.", router.subscriptions());
  page.gauge("ring_messages", "Messages in the replay ring.", router.ring().messages());
  page.gauge("ring_bytes", "Memory of the messages in the replay ring.", router.ring().bytes());
  page.counter("ring_evicted_total", "Messages that left the replay ring.",
               router.ring().evicted());
  page.gauge("gateway_queue_bytes", "Bytes routed to gateways and not sent yet.",
             router.queue_bytes());
  page.counter("messages_received_total", "Messages from the broker.", stats.messages_in);
  page.counter("message_received_bytes_total", "Payload bytes from the broker.",
               stats.message_bytes_in);
  page.counter("messages_unwanted_total", "Messages of channels that nobody holds any more.",
               stats.messages_unwanted);
  page.counter("messages_oversized_total",
               "Messages from the broker that are larger than the link carries: told as gaps.",
               stats.messages_oversized);
  page.counter("messages_routed_total", "Messages routed, one per subscribed gateway.",
               stats.messages_routed);
  page.counter("messages_sent_total", "Messages handed to the links of gateways.",
               stats.messages_out);
  page.counter("message_sent_bytes_total", "Payload bytes handed to the links of gateways.",
               stats.message_bytes_out);
  page.counter("gap_events_total", kGapsHelp, stats.gaps_overrun, {{"cause", "overrun"}});
  page.counter("gap_events_total", kGapsHelp, stats.gaps_broker, {{"cause", "broker"}});
  page.counter("gap_events_total", kGapsHelp, stats.gaps_oversized, {{"cause", "oversized"}});
  page.counter("messages_lost_total", "Messages for which a gateway was told a gap.",
               stats.messages_lost);
  page.counter("overruns_total", "Times that a gateway fell behind its queue or the ring.",
               stats.overruns);
}

void add_publishes(RelayPage& page, const Router& router) {
  const RouterStats& stats = router.stats();
  const auto outcome = [&](const char* name, std::uint64_t value) {
    page.counter("publishes_total", "Publishes of gateways and tools, by outcome.", value,
                 {{"outcome", name}});
  };
  outcome("published", stats.published);
  outcome("timed_out", stats.publish_timed_out);
  outcome("queue_full", stats.publish_queue_full);
  outcome("unknown_fate", stats.publish_unknown_fate);
  outcome("refused", stats.publish_refused);
  outcome("too_large", stats.publish_too_large);
  page.gauge("publishes_held", "Publishes that wait for the broker or a subscription.",
             router.hold().count());
  page.gauge("publish_queue_bytes", "Bytes of the publishes that wait.", router.hold().bytes());
  page.gauge("publishes_in_flight", "Publishes given to the broker and not answered yet.",
             router.asked_publishes_in_flight());
}

void add_requests(RelayPage& page, const Router& router) {
  const RouterStats& stats = router.stats();
  page.counter("history_requests_total", "HISTORY of gateways and tools, recoveries included.",
               stats.history_requests);
  const auto recovered = [&](const char* from, std::uint64_t value) {
    page.counter("recoveries_total", "Recoveries that gateways asked for, by outcome.", value,
                 {{"outcome", from}});
  };
  recovered("ring", stats.history_from_ring);
  recovered("broker", stats.history_recovered_by_broker);
  recovered("incomplete", stats.history_incomplete);
  page.counter("history_broker_queries_total", "Times that the broker was asked for a history.",
               stats.history_from_broker);
  page.counter("presence_requests_total", "PRESENCE of gateways and tools.",
               stats.presence_requests);
  page.counter("requests_refused_total", "HISTORY and PRESENCE answered with an error.",
               stats.requests_refused);
  page.gauge("requests_pending", "HISTORY and PRESENCE that are not answered yet.",
             router.requests());
  page.gauge("broker_queries_in_flight", "Questions that the broker has not answered.",
             router.queries_in_flight());
  page.gauge("presence_entries", "Clients in channels, as gateways say, lingering ones included.",
             router.presence_entries());
  page.counter("presence_changes_total", "Changes of presence given to the broker, refreshes too.",
               stats.presence_changes);
  page.counter("presence_refused_total", "Clients in channels over the bound of a gateway.",
               stats.presence_refused);
}

void add_memory(RelayPage& page, const MemoryBroker* memory) {
  // Families of their own whatever the broker is, so that a dashboard finds them.
  const MemoryHistory* histories = memory == nullptr ? nullptr : &memory->histories();
  page.gauge("memory_history_channels", "Channels whose position the embedded broker keeps.",
             histories == nullptr ? 0 : histories->channels());
  page.gauge("memory_history_bytes", "Memory of the histories of the embedded broker.",
             histories == nullptr ? 0 : histories->bytes());
  page.counter("memory_history_evicted_total",
               "Publications that left a history of the embedded broker for want of memory.",
               histories == nullptr ? 0 : histories->evicted());
}

void add_upgrades(RelayPage& page, const Router& router) {
  const RouterStats& stats = router.stats();
  const auto outcome = [&](const char* name, std::uint64_t value) {
    page.counter("upgrades_total", "Upgrades of the relay in place, by outcome.", value,
                 {{"outcome", name}});
  };
  outcome("done", stats.upgrades);
  outcome("refused", stats.upgrades_refused);
  outcome("failed", stats.upgrades_failed);
  page.gauge("upgrade_pause_seconds", "How long the last upgrade kept links from being read.",
             static_cast<double>(stats.upgrade_pause_micros) / 1e6);
  page.counter("upgrade_publishes_unknown_fate_total",
               "Publishes that the broker had not answered when the relay was upgraded.",
               stats.upgrade_unknown_fate);
}

void add_admin(RelayPage& page, const AdminServer* admin) {
  const AdminStats stats = admin == nullptr ? AdminStats{} : admin->stats();
  page.gauge("admin_connections", "Connections of the admin listener.", stats.connections);
  page.counter("admin_requests_total", "Requests to the admin listener.", stats.requests);
  const auto refused = [&](const char* reason, std::uint64_t value) {
    page.counter("admin_refused_total", "Admin connections refused, by reason.", value,
                 {{"reason", reason}});
  };
  refused("full", stats.refused_full);
  refused("malformed", stats.refused_malformed);
  refused("timeout", stats.refused_timeout);
}

void add_api(RelayPage& page, const api::Api& api) {
  for (std::size_t i = 0; i < api::kMethodNames.size(); ++i) {
    const api::MethodStats& stats = api.service().stats(static_cast<api::ApiMethod>(i));
    const auto outcome = [&](const char* name, std::uint64_t value) {
      page.counter("api_requests_total", "Requests of the server API, by method and outcome.",
                   value, {{"method", std::string(api::kMethodNames[i])}, {"outcome", name}});
    };
    outcome("ok", stats.succeeded);
    outcome("error", stats.failed);
  }
  const api::ApiServer* server = api.server();
  const api::ApiStats stats = server == nullptr ? api::ApiStats{} : server->stats();
  const auto refused = [&](const char* reason, std::uint64_t value) {
    page.counter("api_refused_total",
                 "Requests and connections of the server API that no method has seen, by reason.",
                 value, {{"reason", reason}});
  };
  refused("key", stats.refused_key);
  refused("full", stats.refused_full);
  refused("too_large", stats.refused_too_large);
  refused("malformed", stats.refused_malformed);
  refused("unknown", stats.refused_unknown);
  refused("timeout", stats.refused_timeout);
  page.gauge("api_connections", "Connections of the server API.", stats.connections);
  page.gauge("api_requests_in_flight", "Requests of the server API whose answers have not left.",
             server == nullptr ? 0 : server->in_flight());
}

void add_broker(RelayPage& page, const Router& router, const RedisBroker* redis) {
  page.gauge("broker_connected", "1: the broker is connected, 0: it is away.",
             router.broker_is_connected() ? 1 : 0);
  page.counter("broker_losses_total", "Times that the connected broker went away.",
               router.stats().broker_losses);
  // Families of their own whatever the broker is, so that a dashboard finds them.
  const RedisStats stats = redis == nullptr ? RedisStats{} : redis->stats();
  page.counter("broker_connects_total", "Broker connections that became usable.", stats.connects);
  page.counter("broker_reconnects_total", "Those among them after the first of their kind.",
               stats.reconnects);
  page.counter("broker_connect_failures_total", "Tries to connect that failed.",
               stats.connect_failures);
  page.counter("broker_connections_lost_total", "Usable broker connections that ended.",
               stats.losses);
  page.counter("broker_received_bytes_total", "Bytes read from the broker.", stats.bytes_in);
  page.counter("broker_sent_bytes_total", "Bytes written to the broker.", stats.bytes_out);
  page.counter("broker_pings_total", "PINGs sent to the broker.", stats.pings);
  page.counter("broker_messages_total", "Messages read from the broker, oversized ones included.",
               stats.messages);
  page.counter("broker_subscribes_refused_total",
               "Channels that the broker refused to subscribe, each time.",
               stats.subscribes_refused);
  page.counter("broker_history_positions_total",
               "Positions of channels with history asked of the broker.", stats.history_positions);
  page.counter("broker_history_fetches_total",
               "Reads of what a channel with history had missed, of the broker.",
               stats.history_fetches);
  page.counter("broker_history_fetched_total", "Publications that these reads brought.",
               stats.history_fetched);
  page.counter("broker_history_lost_total",
               "Times that what a channel with history had missed could not be had.",
               stats.history_losses);
  page.counter("broker_history_duplicates_total",
               "Publications heard that had been read from the history before.",
               stats.history_duplicates);
  page.counter("broker_history_questions_failed_total",
               "Positions and reads that the broker refused.", stats.history_questions_failed);
  page.counter("broker_envelopes_unreadable_total",
               "Messages on a channel with history or publisher that are none of ours.",
               stats.envelopes_unreadable);
  page.counter("broker_presence_updates_failed_total",
               "Batches of presence that the broker refused.", stats.presence_updates_failed);
  page.gauge("broker_publish_in_flight_bytes", "Bytes of the publishes in flight at the broker.",
             stats.publish_bytes_in_flight);
}

}  // namespace

std::string metrics_text(const Router& router, const GatewayListener& listener,
                         const AdminServer* admin, const RedisBroker* redis,
                         const MemoryBroker* memory, const api::Api& api) {
  RelayPage page;
  add_links(page, router, listener, admin);
  add_messages(page, router);
  add_publishes(page, router);
  add_requests(page, router);
  add_broker(page, router, redis);
  add_memory(page, memory);
  add_admin(page, admin);
  add_api(page, api);
  add_upgrades(page, router);
  return page.finish();
}

}  // namespace sluice::relay
