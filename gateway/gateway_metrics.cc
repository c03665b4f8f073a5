#include "gateway/gateway_metrics.h"

#include <algorithm>

#include "common/metrics.h"
#include "gateway/gateway.h"

namespace sluice::gateway {
namespace {

double number(std::uint64_t n) {
  return static_cast<double>(n);
}

std::string label_of(std::string_view text) {
  std::string label(text);
  std::replace(label.begin(), label.end(), ' ', '_');
  std::replace(label.begin(), label.end(), '-', '_');
  return label;
}

void add_clients(MetricsPage& page, const Gateway& g) {
  page.gauge("sluice_gateway_connections", "Clients connected.", {},
             [&g] { return number(g.connections()); });
  page.gauge("sluice_gateway_connections_max", "--max-connections.", {},
             [&g] { return number(g.config().connections_max); });
  page.gauge("sluice_gateway_handshakes_pending",
             "Connections whose request head is not whole yet.", {},
             [&g] { return number(g.acceptor().pending()); });
  page.counter("sluice_gateway_accepted_total", "Connections accepted.", {},
               [&g] { return number(g.acceptor().stats().listener.accepted); });
  page.counter("sluice_gateway_accept_pauses_total",
               "Times accepting paused: out of descriptors or memory.", {},
               [&g] { return number(g.acceptor().stats().listener.pauses); });
  page.counter("sluice_gateway_accepts_aborted_total",
               "Connections gone before they were accepted.", {},
               [&g] { return number(g.acceptor().stats().listener.aborted); });
  page.counter("sluice_gateway_handshakes_abandoned_total",
               "Peers that left before their request head was whole.", {},
               [&g] { return number(g.acceptor().stats().abandoned); });
  page.counter("sluice_gateway_pages_served_total", "Files of the demo page served.", {},
               [&g] { return number(g.acceptor().stats().served); });
  page.counter("sluice_gateway_opened_total", "Clients whose WebSocket was opened.", {},
               [&g] { return number(g.stats().opened); });
  page.counter("sluice_gateway_never_opened_total", "Upgrades that ended before they were open.",
               {}, [&g] { return number(g.stats().never_opened); });
  for (const RefusalReason reason : all_refusal_reasons()) {
    page.counter("sluice_gateway_refused_total", "Connections refused, by reason.",
                 {{"reason", std::string(to_string(reason))}},
                 [&g, reason] { return number(g.acceptor().stats().refused_for(reason)); });
  }
  for (std::size_t i = 0; i < kForwardedOutcomeNames.size(); ++i) {
    page.counter("sluice_gateway_forwarded_total",
                 "Request heads with --forwarded-header on, by what it told.",
                 {{"outcome", kForwardedOutcomeNames[i]}},
                 [&g, i] { return number(g.acceptor().stats().forwarded[i]); });
  }
  for (std::size_t i = 0; i < kCloseReasonNames.size(); ++i) {
    page.counter("sluice_gateway_closed_total", "Clients gone, by reason.",
                 {{"reason", kCloseReasonNames[i]}},
                 [&g, i] { return number(g.stats().closed[i]); });
  }
  page.counter("sluice_gateway_pings_total", "Pings sent.", {},
               [&g] { return number(g.stats().pings); });
  page.counter("sluice_gateway_greetings_total", "Greetings sent.", {},
               [&g] { return number(g.plain().greetings()); });
}

void add_balancers(MetricsPage& page, const Gateway& g) {
  page.gauge("sluice_gateway_draining", "1: clients are sent elsewhere.", {},
             [&g] { return g.ready_state() == ReadyState::kDraining ? 1.0 : 0.0; });
  page.gauge("sluice_gateway_balancers", "Balancers that have asked within the last minute.", {},
             [&g] { return number(g.balancers().active(g.now())); });
  page.gauge("sluice_gateway_balancers_owed_ready",
             "Balancers that were told to drain us and not yet that we are ready again.", {},
             [&g] { return number(g.balancers().owed()); });
  page.gauge("sluice_gateway_agent_weight_percent",
             "What the agent check says of our weight; 0: nothing.", {},
             [&g] { return number(g.agent_weight()); });
  for (std::size_t i = 0; i < kAgentWords; ++i) {
    const auto word = static_cast<AgentWord>(i);
    page.counter("sluice_gateway_agent_answers_total", "Agent checks answered, by what was said.",
                 {{"word", std::string(to_string(word))}},
                 [&g, word] { return number(g.agent_said(word)); });
  }
  page.gauge("sluice_gateway_aged_waiting",
             "Clients older than --max-connection-age that wait for their turn to be closed.", {},
             [&g] { return number(g.aged_waiting()); });
}

/// There without --rules too, as zeros.
void add_access(MetricsPage& page, const Gateway& g) {
  page.gauge("sluice_gateway_rules_namespaces", "Namespaces of the rules in force.", {}, [&g] {
    return g.access().rules() == nullptr ? 0.0 : number(g.access().rules()->now().namespaces());
  });
  page.gauge("sluice_gateway_open_access", "1: --open-access, everybody may do everything.", {},
             [&g] { return g.config().access.open_access ? 1.0 : 0.0; });
  page.gauge("sluice_gateway_token_keys", "Keys that tokens are verified by.", {},
             [&g] { return number(g.access().tokens().keys()); });
  const auto reloads = [&page, &g](const char* name, const char* help, const char* result,
                                   std::uint64_t AccessStats::*field) {
    page.counter(name, help, {{"result", result}},
                 [&g, field] { return number(g.access().stats().*field); });
  };
  const char* const rules = "sluice_gateway_rules_reloads_total";
  const char* const rules_help = "Times that the rules were read again, by what came of it.";
  reloads(rules, rules_help, "done", &AccessStats::rules_read);
  reloads(rules, rules_help, "refused", &AccessStats::rules_refused);
  const char* const keys = "sluice_gateway_key_reloads_total";
  const char* const keys_help = "Times that tokens' keys were read again, by what came of it.";
  reloads(keys, keys_help, "done", &AccessStats::keys_read);
  reloads(keys, keys_help, "refused", &AccessStats::keys_refused);
}

void add_messages(MetricsPage& page, const Gateway& g) {
  page.counter("sluice_gateway_client_messages_total", "Messages from clients.", {},
               [&g] { return number(g.hub().stats().received); });
  page.counter("sluice_gateway_client_message_bytes_total",
               "Payload bytes of messages from clients.", {},
               [&g] { return number(g.hub().stats().received_bytes); });
  page.counter("sluice_gateway_channel_messages_total", "Channel messages from the relay.", {},
               [&g] { return number(g.hub().stats().messages_in); });
  page.counter("sluice_gateway_deliveries_total", "Channel messages given to clients.", {},
               [&g] { return number(g.hub().fan_out_state().deliveries()); });
  page.counter("sluice_gateway_client_frames_total", "Frames handed to client sockets.", {},
               [&g] { return number(g.sender().stats().frames_out); });
  page.counter("sluice_gateway_client_bytes_total", "Frame bytes handed to client sockets.", {},
               [&g] { return number(g.sender().stats().bytes_out); });
  page.counter("sluice_gateway_client_sends_total", "Sends to one client each, for that.", {},
               [&g] { return number(g.sender().stats().sends); });
  page.counter("sluice_gateway_client_system_calls_total", "System calls for those sends.", {},
               [&g] { return number(g.sender().transport().system_calls()); });
  page.gauge("sluice_gateway_io_uring", "1: sends go by io_uring, 0: by send(2).", {},
             [&g] { return g.sender().transport().name() == "io_uring" ? 1.0 : 0.0; });
  page.gauge("sluice_gateway_fan_out_pending_bytes",
             "Frames of channels that not all subscribers have been given yet.", {},
             [&g] { return number(g.hub().fan_out_state().pending_bytes()); });
  page.counter("sluice_gateway_partial_sends_total", "Sends that took a part of a frame.", {},
               [&g] { return number(g.sender().stats().partial_sends); });
  page.counter("sluice_gateway_blocked_sends_total", "Sends that took nothing.", {},
               [&g] { return number(g.sender().stats().blocked); });
  page.counter("sluice_gateway_cut_off_total", "Connections ended without a close handshake.", {},
               [&g] { return number(g.sender().stats().cut_off); });
  page.counter("sluice_gateway_dropped_total", "Frames dropped, by reason.",
               {{"reason", "overflow"}},
               [&g] { return number(g.sender().stats().dropped_overflow); });
  page.counter("sluice_gateway_dropped_total", "Frames dropped, by reason.",
               {{"reason", "closing"}},
               [&g] { return number(g.sender().stats().dropped_closing); });
  page.gauge("sluice_gateway_client_queue_bytes", "Bytes waiting for all clients.", {},
             [&g] { return number(g.sender().queued_bytes()); });
  page.histogram("sluice_gateway_delivery_latency_seconds",
                 "From the broker's message at the relay to the clients' sockets.",
                 g.sender().latency());
}

void add_relay(MetricsPage& page, const Gateway& g) {
  page.gauge("sluice_gateway_relay_up", "1: the relay link stands.", {},
             [&g] { return g.link().up() ? 1.0 : 0.0; });
  page.gauge("sluice_gateway_broker_up", "1: the relay says that its broker is connected.", {},
             [&g] { return g.link().up() && g.broker_connected() ? 1.0 : 0.0; });
  for (const ReadyState state : {ReadyState::kStarting, ReadyState::kReady, ReadyState::kDegraded,
                                 ReadyState::kNotReady, ReadyState::kDraining}) {
    page.gauge("sluice_gateway_ready_state", "1 for the state that /readyz tells.",
               {{"state", label_of(to_string(state))}},
               [&g, state] { return g.ready_state() == state ? 1.0 : 0.0; });
  }
  page.gauge("sluice_gateway_channels", "Channels with a subscriber here.", {},
             [&g] { return number(g.hub().channels()); });
  page.gauge("sluice_gateway_subscriptions", "Client subscriptions.", {},
             [&g] { return number(g.hub().subscriptions()); });
  page.gauge("sluice_gateway_joins_waiting",
             "Subscriptions that wait for the relay, or for what they have missed.", {},
             [&g] { return number(g.hub().joins_waiting()); });
  const auto join = [&page, &g](const char* outcome, std::uint64_t HubStats::*field) {
    page.counter("sluice_gateway_joins_total", "Subscriptions that waited, by outcome.",
                 {{"outcome", outcome}}, [&g, field] { return number(g.hub().stats().*field); });
  };
  join("joined", &HubStats::joined);
  join("failed", &HubStats::join_failures);
  const auto recovery = [&page, &g](const char* outcome, std::uint64_t HubStats::*field) {
    page.counter("sluice_gateway_recoveries_total",
                 "Subscriptions from a position, by whether all since then was had.",
                 {{"outcome", outcome}}, [&g, field] { return number(g.hub().stats().*field); });
  };
  recovery("recovered", &HubStats::recovered);
  recovery("incomplete", &HubStats::unrecovered);
  page.counter("sluice_gateway_recovered_publications_total", "Publications that they brought.", {},
               [&g] { return number(g.hub().stats().recovered_publications); });
  page.gauge("sluice_gateway_presence_entries", "Clients in channels, as presence has them.", {},
             [&g] { return number(g.hub().presence_book().entries()); });
  page.counter("sluice_gateway_presence_refused_total", "Of these, not taken: there were too many.",
               {}, [&g] { return number(g.hub().presence_book().refused()); });
  page.counter("sluice_gateway_channels_refused_total", "Subscriptions refused: --max-channels.",
               {}, [&g] { return number(g.hub().stats().channels_refused); });
  const auto link = [&page, &g](const char* name, const char* help,
                                std::uint64_t RelayLinkStats::*field) {
    page.counter(name, help, {}, [&g, field] { return number(g.link().stats().*field); });
  };
  link("sluice_gateway_relay_connects_total", "Connections to the relay.",
       &RelayLinkStats::connects);
  link("sluice_gateway_relay_resumes_total", "Links that went on where they were.",
       &RelayLinkStats::resumes);
  link("sluice_gateway_relay_losses_total", "Links lost.", &RelayLinkStats::losses);
  link("sluice_gateway_relay_received_bytes_total", "Bytes from the relay.",
       &RelayLinkStats::bytes_in);
  link("sluice_gateway_relay_sent_bytes_total", "Bytes to the relay.", &RelayLinkStats::bytes_out);
  const auto request = [&page, &g](const char* kind, std::uint64_t RelayLinkStats::*field) {
    page.counter("sluice_gateway_relay_requests_total", "Questions to the relay, by kind.",
                 {{"kind", kind}}, [&g, field] { return number(g.link().stats().*field); });
  };
  request("history", &RelayLinkStats::histories);
  request("presence", &RelayLinkStats::presences);
  page.gauge("sluice_gateway_relay_requests_pending", "Of these, unanswered.", {},
             [&g] { return number(g.link().requests_pending()); });
  const auto publish = [&page, &g](const char* outcome, std::uint64_t RelayLinkStats::*field) {
    page.counter("sluice_gateway_publishes_total", "Publishes of clients, by outcome.",
                 {{"outcome", outcome}}, [&g, field] { return number(g.link().stats().*field); });
  };
  publish("published", &RelayLinkStats::published);
  publish("timed_out", &RelayLinkStats::publish_timeouts);
  publish("queue_full", &RelayLinkStats::publish_queue_full);
  publish("refused", &RelayLinkStats::publish_refused);
  publish("unknown_fate", &RelayLinkStats::publish_unknown);
  page.gauge("sluice_gateway_publishes_pending", "Publishes held or unanswered.", {},
             [&g] { return number(g.link().publishes_pending()); });
  page.gauge("sluice_gateway_publish_queue_bytes", "Bytes of held publishes.", {},
             [&g] { return number(g.link().hold_bytes()); });
  page.counter("sluice_gateway_gap_events_total", "Holes in channels, one per channel and hole.",
               {}, [&g] { return number(g.hub().stats().gap_events); });
  page.counter("sluice_gateway_gap_messages_total", "Messages missing in holes of known size.", {},
               [&g] { return number(g.hub().stats().gap_messages); });
  page.counter("sluice_gateway_gaps_unknown_total", "Holes whose size nobody knows.", {},
               [&g] { return number(g.hub().stats().gaps_unknown); });
}

/// There without --keeper too, as zeros.
void add_handoff(MetricsPage& page, const Gateway& g) {
  using proto::HandoffState;
  for (const HandoffState state : {HandoffState::kOff, HandoffState::kOn, HandoffState::kKeeperAway,
                                   HandoffState::kSelfTestFailed}) {
    page.gauge("sluice_gateway_handoff_state",
               "1 for whether clients would outlive this process: off without --keeper.",
               {{"state", label_of(proto::to_string(state))}},
               [&g, state] { return g.handoff_state() == state ? 1.0 : 0.0; });
  }
  const auto of = [&g](auto read) {
    return [&g, read] { return g.handoff() == nullptr ? 0.0 : number(read(*g.handoff())); };
  };
  const auto gauge = [&page, &of](const char* name, const char* help, auto read) {
    page.gauge(name, help, {}, of(read));
  };
  const auto counter = [&page, &of](const char* name, const char* help, auto read) {
    page.counter(name, help, {}, of(read));
  };
  gauge("sluice_gateway_handoff_self_test_passed",
        "1: at the start libwebsockets could go on with another process's connection.",
        [](const Handoff&) { return 1U; });
  gauge("sluice_gateway_keeper_up", "1: the keeper's connection stands.",
        [](const Handoff& h) { return h.keeper_up() ? 1U : 0U; });
  counter("sluice_gateway_keeper_losses_total", "Keepers lost.",
          [](const Handoff& h) { return h.stats().keeper_losses; });
  gauge("sluice_gateway_clients_held", "Clients whose sockets the keeper holds.",
        [](const Handoff& h) { return h.held(); });
  counter("sluice_gateway_clients_unheld_total", "Clients let in while no keeper was there.",
          [](const Handoff& h) { return h.stats().unheld; });
  counter("sluice_gateway_handoff_unrecorded_total",
          "Records that did not fit --handoff-memory: a moment that a client would not survive.",
          [](const Handoff& h) { return h.unrecorded(); });
  gauge("sluice_gateway_handoff_memory_bytes", "Of --handoff-memory in use.",
        [](const Handoff& h) { return h.memory_used(); });
  gauge("sluice_gateway_handoff_memory_max_bytes", "--handoff-memory.",
        [](const Handoff& h) { return h.memory_bytes(); });
}

/// Of the one takeover that a process can have had: the predecessor's clients.
void add_takeover(MetricsPage& page, const Gateway& g) {
  const auto report = [&g]() -> TakeoverReport {
    if (g.handoff() == nullptr) return {};
    return g.handoff()->stats().takeover.value_or(TakeoverReport{});
  };
  for (const bool planned : {true, false}) {
    page.counter("sluice_gateway_takeovers_total",
                 "1: this process has taken a predecessor's clients over, by how that one ended.",
                 {{"kind", planned ? "planned" : "crash"}}, [&g, planned] {
                   const Handoff* h = g.handoff();
                   const bool had = h != nullptr && h->stats().takeover.has_value();
                   return had && h->stats().takeover->planned == planned ? 1.0 : 0.0;
                 });
  }
  page.gauge("sluice_gateway_takeover_clients", "Clients that went on in this process.", {},
             [report] { return number(report().moved); });
  page.gauge("sluice_gateway_takeover_pending_bytes", "Bytes that they had waiting.", {},
             [report] { return number(report().pending_bytes); });
  page.gauge("sluice_gateway_takeover_handshakes",
             "Connections in mid-handshake that went on in this process.", {},
             [report] { return number(report().handshakes); });
  for (const char* reason : takeover_close_reasons()) {
    page.gauge("sluice_gateway_takeover_closed", "Clients that could not go on, by reason.",
               {{"reason", label_of(reason)}}, [report, reason] {
                 const TakeoverReport r = report();
                 const auto found = r.closed.find(reason);
                 return found == r.closed.end() ? 0.0 : number(found->second);
               });
  }
  page.gauge("sluice_gateway_takeover_pause_seconds",
             "Without service at a planned handoff; 0: none, or a crash.", {},
             [report] { return static_cast<double>(report().pause_micros) / 1e6; });
}

/// There without --haproxy-socket too, as zeros: a page has the same names always.
void add_registration(MetricsPage& page, const Gateway& g) {
  const auto stats = [&g] {
    return g.runtime_api() == nullptr ? RegistrationStats{} : g.runtime_api()->stats();
  };
  page.gauge("sluice_gateway_haproxy_sockets", "HAProxies to register at: --haproxy-socket.", {},
             [&g] { return number(g.config().haproxy_sockets.size()); });
  page.gauge(
      "sluice_gateway_haproxy_registered", "HAProxies that have this gateway's server.", {},
      [&g] { return g.runtime_api() == nullptr ? 0.0 : number(g.runtime_api()->registered()); });
  page.counter("sluice_gateway_haproxy_registrations_total", "Servers added to a HAProxy.", {},
               [&stats] { return number(stats().registrations); });
  page.counter("sluice_gateway_haproxy_commands_total", "Commands sent to HAProxies.", {},
               [&stats] { return number(stats().commands); });
  page.counter("sluice_gateway_haproxy_failures_total",
               "Commands to HAProxies that got no whole answer.", {},
               [&stats] { return number(stats().failures); });
  for (std::size_t i = 0; i < kHaproxyRefusalNames.size(); ++i) {
    page.counter(
        "sluice_gateway_haproxy_refusals_total", "Commands that HAProxies refused, by reason.",
        {{"reason", kHaproxyRefusalNames[i]}}, [&stats, i] { return number(stats().refusals[i]); });
  }
}

void add_hooks(MetricsPage& page, const Gateway& g) {
  const HookStats& stats = g.hook_stats();
  page.gauge("sluice_gateway_hooks_in_flight", "Questions to the application unanswered.", {},
             [&stats] { return number(stats.in_flight); });
  for (std::size_t i = 0; i < kHookKinds; ++i) {
    const HookStats::Kind& kind = stats.kinds[i];
    const std::string hook(to_string(static_cast<HookKind>(i)));
    page.counter("sluice_gateway_hooks_asked_total", "Questions to the application.",
                 {{"hook", hook}}, [&kind] { return number(kind.asked); });
    page.gauge("sluice_gateway_hook_breaker_open",
               "1: the hook has failed too often in a row, and is only tried now and then.",
               {{"hook", hook}}, [&kind] { return kind.breaker_open ? 1.0 : 0.0; });
    for (std::size_t j = 0; j < kHookFaults; ++j) {
      const auto fault = static_cast<HookFault>(j);
      page.counter(
          "sluice_gateway_hooks_ended_total", "Questions to the application ended.",
          {{"hook", hook},
           {"outcome", fault == HookFault::kNone ? "answered" : label_of(to_string(fault))}},
          [&kind, j] { return number(kind.ended[j]); });
    }
  }
  page.histogram("sluice_gateway_hook_answer_seconds",
                 "From a question to the application to its answer with status 200.",
                 stats.answer_seconds);
}

void add_centrifuge(MetricsPage& page, const Gateway& g) {
  if (g.centrifuge() == nullptr) return;
  const CentrifugeService& service = *g.centrifuge();
  const CentrifugeStats& stats = service.stats();
  page.gauge("sluice_gateway_centrifuge_clients", "Clients of the Centrifuge protocol.", {},
             [&service] { return number(service.clients()); });
  page.gauge("sluice_gateway_centrifuge_users", "Different users, anonymous left out.", {},
             [&service] { return number(service.users()); });
  const auto counter = [&page](const char* name, const char* help, const std::uint64_t& value) {
    page.counter(name, help, {}, [&value] { return number(value); });
  };
  counter("sluice_gateway_centrifuge_commands_total", "Commands of clients.", stats.commands);
  counter("sluice_gateway_centrifuge_errors_total", "Commands answered with an error.",
          stats.errors);
  counter("sluice_gateway_centrifuge_connects_total", "Clients let in by their connect command.",
          stats.connected);
  counter("sluice_gateway_centrifuge_subscribes_total", "Subscriptions made.", stats.subscribed);
  counter("sluice_gateway_centrifuge_recoveries_total",
          "Subscriptions that asked for what they had missed.", stats.recoveries);
  counter("sluice_gateway_centrifuge_recoveries_failed_total", "Those that could not have it.",
          stats.recoveries_failed);
  counter("sluice_gateway_centrifuge_recovered_publications_total",
          "Publications given to them with the reply.", stats.recovered_publications);
  counter("sluice_gateway_centrifuge_gaps_told_total",
          "Subscriptions and connections ended because of a gap (2500, 3010).",
          stats.resubscribes_told);
  counter("sluice_gateway_centrifuge_tokens_refused_total", "Tokens that are not good.",
          stats.tokens_refused);
  counter("sluice_gateway_centrifuge_control_commands_total",
          "Commands of the server API and operators.", stats.control_commands);
  counter("sluice_gateway_centrifuge_server_subscribes_refused_total",
          "Subscriptions asked for by the server API and not made.",
          stats.server_subscribes_refused);
}

}  // namespace

std::string metrics_text(const Gateway& gateway) {
  MetricsPage page;
  add_build_info(page, "gateway");
  add_process_metrics(page, "sluice_gateway_");
  add_clients(page, gateway);
  add_balancers(page, gateway);
  add_access(page, gateway);
  add_messages(page, gateway);
  add_relay(page, gateway);
  add_registration(page, gateway);
  add_handoff(page, gateway);
  add_takeover(page, gateway);
  add_hooks(page, gateway);
  add_centrifuge(page, gateway);
  return page.text();
}

}  // namespace sluice::gateway
