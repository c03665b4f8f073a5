#include "gateway/config.h"

#include <algorithm>
#include <cstdio>

#include "common/flags.h"
#include "common/utf8.h"
#include "gateway/haproxy_server.h"
#include "gateway/hooks/hook_settings.h"
#include "gateway/http_head.h"
#include "gateway/limits.h"
#include "gateway/upgrade_request.h"
#include "proto/frame.h"

namespace sluice::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kConnectionsMaxMax = 1'000'000;
constexpr std::size_t kHeadBytesMin = 256;
constexpr std::size_t kHeadBytesMaxMax = 64U << 10U;
constexpr std::size_t kGreetingBytesMax = 1024;
constexpr std::size_t kClaimBytesMax = 255;
constexpr std::size_t kMessageBurstMax = 1'000'000;
/// Bounds per address where nothing else is said and addresses are the clients' own
/// (--proxy-protocol, --forwarded-header). An office behind one address fits; one address can't
/// take a gateway.
constexpr std::size_t kConnectionsPerIpDefault = 2000;
constexpr double kConnectionRatePerIpDefault = 200;
/// New connections of an address at once, in seconds of its rate: everybody comes back after a
/// restart.
constexpr double kConnectionBurstSeconds = 5;

/// A value out of a closed set of words.
template <typename T>
auto one_of(std::initializer_list<std::pair<const char*, T>> words) {
  return [words =
              std::vector<std::pair<const char*, T>>(words)](const std::string& text) -> Result<T> {
    std::string names;
    for (const auto& [name, value] : words) {
      if (text == name) return value;
      names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return fail(ErrorCode::kInvalid, "'" + text + "' is not one of " + names);
  };
}

Result<std::string> parse_id(const std::string& text) {
  if (proto::valid_gateway_id(text)) return text;
  return fail(ErrorCode::kInvalid, "'" + text + "' is not an id: 1 to 64 of A-Z a-z 0-9 . _ -");
}

Result<std::string> parse_channel(const std::string& text) {
  if (valid_channel_name(text)) return text;
  return fail(
      ErrorCode::kInvalid,
      "'" + text +
          "' is not a channel name: 1 to 128 of A-Z a-z 0-9 . _ ~ : -, and not 'sluice:' in front");
}

Result<std::string> parse_greeting(const std::string& text) {
  if (text.size() > kGreetingBytesMax)
    return fail(ErrorCode::kTooLarge, "a greeting has at most 1024 bytes");
  if (!valid_utf8(proto::as_bytes(text)))
    return fail(ErrorCode::kInvalid, "the greeting is not UTF-8");
  return text;
}

Result<double> parse_rate_or_off(const std::string& text) {
  if (text == "off") return 0;
  return parse_rate(text);
}

/// Flags whose defaults depend on others.
struct AddressLimits {
  std::optional<std::size_t> connections_max;
  std::optional<double> rate_per_second;

  void apply_to(GatewayConfig& config) const {
    const bool known =
        config.proxy_mode != ProxyMode::kOff || config.forwarded_header != ForwardedHeader::kOff;
    config.connections_per_ip_max = connections_max.value_or(known ? kConnectionsPerIpDefault : 0);
    const double rate = rate_per_second.value_or(known ? kConnectionRatePerIpDefault : 0);
    config.connection_rate_per_ip = {rate, std::max(1.0, rate * kConnectionBurstSeconds)};
  }
};

Result<Address> parse_unix(const std::string& text) {
  auto address = parse_address(text);
  if (address && address->kind != Address::Kind::kUnix)
    return fail(ErrorCode::kInvalid, "'" + text + "' is not a Unix socket: unix:PATH");
  return address;
}

Result<Address> parse_haproxy_socket(const std::string& text) {
  auto address = parse_address(text);
  if (!address) return address;
  const bool dialled = address->kind == Address::Kind::kUnix ||
                       (address->kind == Address::Kind::kTcp && address->port != 0 &&
                        IpAddress::parse(address->host));
  if (!dialled) {
    return fail(ErrorCode::kInvalid,
                "'" + text + "' is nothing to connect to: unix:PATH or ADDR:PORT");
  }
  return address;
}

Result<std::optional<Address>> parse_advertised(const std::string& text) {
  auto address = parse_address(text);
  if (!address) return tl::make_unexpected(address.error());
  if (address->kind != Address::Kind::kTcp || address->port == 0 ||
      !IpAddress::parse(address->host)) {
    return fail(ErrorCode::kInvalid, "'" + text + "' is nothing to connect to: ADDR:PORT");
  }
  return std::optional<Address>(*address);
}

void add_connection_flags(Flags& flags, GatewayConfig& c, AddressLimits& per_ip) {
  const std::string group = "Clients";
  flags.add_list_as("listen", {group, "ADDR", "", "Where clients connect; may be given again"},
                    c.listen, parse_address, true);
  flags.add_as("socket-mode",
               {group, "MODE", "0660", "File mode of Unix sockets that we listen on"},
               c.socket_mode, parse_file_mode);
  flags.add_as(
      "proxy-protocol",
      {group, "MODE", "off", "PROXY header in front of each connection: off, optional, required"},
      c.proxy_mode,
      one_of<ProxyMode>({{"off", ProxyMode::kOff},
                         {"optional", ProxyMode::kOptional},
                         {"required", ProxyMode::kRequired}}));
  flags.add_as(
      "forwarded-header",
      {group, "NAME", "off",
       "Header in which a trusted proxy names the client: off, x-forwarded-for, forwarded"},
      c.forwarded_header,
      one_of<ForwardedHeader>({{"off", ForwardedHeader::kOff},
                               {"x-forwarded-for", ForwardedHeader::kXForwardedFor},
                               {"forwarded", ForwardedHeader::kForwarded}}));
  flags.add_list_as(
      "trusted-proxy",
      {group, "CIDR", "", "Peers whose PROXY or forwarded header is believed; may be given again"},
      c.trusted_proxies, Cidr::parse);
  flags.add_list_as(
      "allowed-origin",
      {group, "ORIGIN", "any", "Origin that browsers may come from; may be given again"},
      c.allowed_origins, parse_origin);
  flags.add_as("max-connections",
               {group, "N", "10000", "Connections at once, handshakes included; over it: 503"},
               c.connections_max, count_between(1, kConnectionsMaxMax));
  flags.add_as("max-connections-per-ip",
               {group, "N", "2000 behind a proxy, else 0",
                "The same for one address, 0: no bound; over it: 429"},
               per_ip.connections_max, count_between(0, kConnectionsMaxMax));
  flags.add_as("connection-rate-per-ip",
               {group, "RATE", "200/s behind a proxy, else off",
                "New connections of one address; over it: 429"},
               per_ip.rate_per_second, parse_rate_or_off);
  flags.add_as("handshake-timeout", {group, "TIME", "10s", "From accept to the whole request head"},
               c.handshake_timeout, duration_between(milliseconds(100), hours(1)));
  flags.add_as("max-head-size", {group, "SIZE", "8KiB", "Request head; over it: 431"},
               c.head_bytes_max, size_between(kHeadBytesMin, kHeadBytesMaxMax));
  flags.add_as(
      "ping-interval",
      {group, "TIME", "25s", "Between pings; keep it below the balancer's tunnel time-out"},
      c.ping_interval, duration_between(milliseconds(100), hours(1)));
  flags.add_as("pong-timeout",
               {group, "TIME", "10s", "A client silent for so long after a ping is cut"},
               c.pong_timeout, duration_between(milliseconds(100), hours(1)));
}

void add_message_flags(Flags& flags, GatewayConfig& c, std::size_t& message_burst) {
  const std::string group = "Messages";
  flags.add_as("default-channel",
               {group, "NAME", "livechat", "Channel of clients that connect to /"},
               c.default_channel, parse_channel);
  flags.add_switch("tag-messages", {group, "", "", "Deliver messages as ID:message"},
                   c.tag_messages);
  flags.add_as("greeting",
               {group, "TEXT", "", "Sent once to each client; {id} becomes the gateway's id"},
               c.greeting, parse_greeting);
  flags.add_as("greeting-delay", {group, "TIME", "5s", "How long after the client came"},
               c.greeting_delay, duration_between(Duration::zero(), hours(1)));
  flags.add_as("max-message-size",
               {group, "SIZE", "64KiB", "Of a client's message; over it: close 1009"},
               c.message_bytes_max, size_between(kMessageBytesMin, kMessageBytesMax));
  flags.add_as("io-uring",
               {group, "WHEN", "auto",
                "Send to clients by io_uring: auto (where the kernel lets us), on, off"},
               c.io_uring,
               one_of<UseUring>(
                   {{"auto", UseUring::kAuto}, {"on", UseUring::kOn}, {"off", UseUring::kOff}}));
  flags.add_as(
      "client-message-rate",
      {group, "RATE", "100/s", "Messages (and pings) of one client, or off; over it: close 1008"},
      c.client_message_rate.per_second, parse_rate_or_off);
  flags.add_as("client-message-burst", {group, "N", "200", "How many it may send at once"},
               message_burst, count_between(1, kMessageBurstMax));
  flags.add_as("max-channels",
               {group, "N", "10000", "Channels with subscribers here; over it: close 1013"},
               c.channels_max, count_between(1, 10'000'000));
  flags.add_as("client-queue-bytes",
               {group, "SIZE", "1MiB", "What may wait for one client; over it the client is cut"},
               c.client_queue_bytes, size_between(kClientQueueBytesMin, kClientQueueBytesMax));
  flags.add_as("publish-wait",
               {group, "TIME", "5s", "How long a message may wait for the broker; then close 1013"},
               c.publish_wait, duration_between(Duration::zero(), std::chrono::minutes(5)));
  flags.add_as("publish-queue-bytes",
               {group, "SIZE", "4MiB", "What may wait for the relay in all; over it: close 1013"},
               c.publish_queue_bytes, size_between(1024, 1U << 30U));
  flags.add_as(
      "on-gap",
      {group, "RULE", "ignore", "Messages of a channel were missed: ignore, or close (1012)"},
      c.on_gap, one_of<OnGap>({{"ignore", OnGap::kIgnore}, {"close", OnGap::kClose}}));
}

Result<std::string> parse_path(const std::string& text) {
  if (!text.empty()) return text;
  return fail(ErrorCode::kInvalid, "name a file");
}

Result<std::string> parse_claim(const std::string& text) {
  if (!text.empty() && text.size() <= kClaimBytesMax && valid_utf8(proto::as_bytes(text)))
    return text;
  return fail(ErrorCode::kInvalid, "a claim's text is UTF-8 and has 1 to 255 bytes");
}

void add_access_flags(Flags& flags, GatewayConfig& c) {
  const std::string group = "Access";
  flags.add_as(
      "rules",
      {group, "FILE", "", "Who may do what on which channel, TOML; serves the Centrifuge protocol"},
      c.access.rules_file, parse_path);
  flags.add_switch(
      "open-access",
      {group, "", "", "Everybody may do everything, without rules and tokens: for trying out"},
      c.access.open_access);
  flags.add_as("token-key-file",
               {group, "FILE", "", "Keys of tokens, a line each: ALG[:KID] SECRET-OR-FILE"},
               c.access.tokens.key_file, parse_path);
  flags.add_as("token-jwks-file", {group, "FILE", "", "Keys of tokens, a JSON Web Key Set"},
               c.access.tokens.jwks_file, parse_path);
  flags.add_as("token-audience",
               {group, "TEXT", "", "What a token's aud must be or have; else not looked at"},
               c.access.tokens.audience, parse_claim);
  flags.add_as("token-issuer",
               {group, "TEXT", "", "What a token's iss must be; else not looked at"},
               c.access.tokens.issuer, parse_claim);
}

Result<Duration> parse_age(const std::string& text) {
  if (text == "off") return Duration::zero();
  return duration_between(seconds(1), hours(24 * 365))(text);
}

void add_balancer_flags(Flags& flags, GatewayConfig& c) {
  const std::string group = "Balancer";
  flags.add("agent-listen", {group, "ADDR", "off", "Answer HAProxy's agent checks here"},
            [&c](const std::string& text) -> Result<void> {
              auto address = parse_address(text);
              if (!address) return tl::make_unexpected(address.error());
              c.agent_listen = *address;
              return {};
            });
  flags.add_as(
      "agent-weight",
      {group, "WHAT", "auto", "The agent check's weight: auto, by load, or off: never said"},
      c.agent_weight, one_of<bool>({{"auto", true}, {"off", false}}));
  flags.add_as("agent-ramp",
               {group, "TIME", "20s", "From ready until its weight is full; 0s: at once"},
               c.agent_ramp, duration_between(Duration::zero(), hours(1)));
  flags.add_as("accept-rate", {group, "RATE", "off", "New clients in all, or off; over it: 503"},
               c.accept_rate_per_second, parse_rate_or_off);
  flags.add_as("max-connection-age",
               {group, "TIME", "off", "Clients are closed (1001) by this age, or off"},
               c.connection_age_max, parse_age);
}

void add_operation_flags(Flags& flags, GatewayConfig& c) {
  const std::string group = "Operation";
  flags.add("admin-listen", {group, "ADDR", "off", "Serve /healthz, /readyz and /metrics here"},
            [&c](const std::string& text) -> Result<void> {
              auto address = parse_address(text);
              if (!address) return tl::make_unexpected(address.error());
              c.admin_listen = *address;
              return {};
            });
  flags.add_as("ready-requires",
               {group, "WHAT", "relay", "What must not be away for long: none, relay, broker"},
               c.ready_requires,
               one_of<ReadyRequires>({{"none", ReadyRequires::kNone},
                                      {"relay", ReadyRequires::kRelay},
                                      {"broker", ReadyRequires::kBroker}}));
  flags.add_as("ready-grace",
               {group, "TIME", "10s", "How long it may be away before /readyz says 503"},
               c.ready_grace, duration_between(Duration::zero(), hours(1)));
  flags.add_as("drain-delay",
               {group, "TIME", "3s",
                "After SIGTERM: how long new clients are served where no balancer asks"},
               c.drain_delay, duration_between(Duration::zero(), hours(1)));
  flags.add_as("drain-timeout", {group, "TIME", "30s", "The whole drain, its delay included"},
               c.drain_timeout, duration_between(Duration::zero(), hours(24)));
  flags.add_as("drain-rate",
               {group, "RATE", "200/s", "Clients closed (1001) per second while draining"},
               c.drain_rate_per_second, parse_rate);
  flags.add_switch("demo", {group, "", "", "Serve the demo page on / to browsers"}, c.demo);
  flags.add_as("log-level", {group, "LEVEL", "info", "debug, info, warn, error"}, c.log_level,
               parse_log_level);
  flags.add_as("log-format", {group, "FORMAT", "text", "text, json"}, c.log_format,
               parse_log_format);
}

void add_handoff_flags(Flags& flags, GatewayConfig& c) {
  const std::string group = "Handoff";
  flags.add(
      "keeper",
      {group, "ADDR", "off", "sluice-keeper of this id, unix:PATH: clients outlive this process"},
      [&c](const std::string& text) -> Result<void> {
        auto address = parse_unix(text);
        if (!address) return tl::make_unexpected(address.error());
        c.keeper = *address;
        return {};
      });
  flags.add_as(
      "handoff-wait",
      {group, "TIME", "8s", "How long clients are held for the next process; then close 1012"},
      c.handoff_wait, duration_between(milliseconds(100), std::chrono::minutes(10)));
  flags.add_as(
      "handoff-memory",
      {group, "SIZE", "256MiB", "For what clients have waiting; over it they can't be handed over"},
      c.handoff_memory_bytes, size_between(kHandoffMemoryMin, kHandoffMemoryMax));
  flags.add_as("on-sigterm",
               {group, "WHAT", "drain", "What SIGTERM does: drain, or handoff, as SIGUSR2 does"},
               c.on_sigterm,
               one_of<OnSigterm>({{"drain", OnSigterm::kDrain}, {"handoff", OnSigterm::kHandoff}}));
  flags.add_switch("check", {group, "", "", "Check flags and libraries, and end"}, c.check_only);
}

void add_haproxy_flags(Flags& flags, GatewayConfig& c) {
  const std::string group = "Registration at HAProxy";
  flags.add_list_as("haproxy-socket",
                    {group, "ADDR", "",
                     "HAProxy's stats socket (level admin): register there; may be given again"},
                    c.haproxy_sockets, parse_haproxy_socket);
  flags.add_as("haproxy-server",
               {group, "BACKEND/NAME", "", "As what; the NAME may be left out: then it is --id"},
               c.haproxy_server, parse_backend_server);
  flags.add_as("haproxy-advertise",
               {group, "ADDR:PORT", "the first --listen", "Where HAProxy reaches this gateway"},
               c.haproxy_advertise, parse_advertised);
  flags.add_as("haproxy-options",
               {group, "WORDS", "",
                "Server options added to those that the flags imply, such as \"weight 50\""},
               c.haproxy_options, parse_server_options);
}

void add_hook_flags(Flags& flags, GatewayConfig& c) {
  const std::string group = "Hooks";
  const auto add_url = [&](HookKind kind, const char* help) {
    flags.add("hook-" + std::string(to_string(kind)), {group, "URL", "off", help},
              [&c, kind](const std::string& text) -> Result<void> {
                auto url = parse_hook_url(text);
                if (!url) return tl::make_unexpected(url.error());
                c.hooks.urls[kind] = std::move(*url);
                return {};
              });
  };
  add_url(HookKind::kConnect, "POST here: may this client connect, and as whom");
  add_url(HookKind::kRefresh, "POST here: may a connection that expires go on");
  add_url(HookKind::kSubscribe, "POST here: may this client subscribe");
  add_url(HookKind::kPublish, "POST here: may this client publish, and what");
  add_url(HookKind::kRpc, "POST here: what a client's RPC is answered");
  add_url(HookKind::kDisconnected, "POST here: this client is gone; the answer does not count");
  flags.add_as("hook-timeout", {group, "TIME", "1s", "How long an answer is waited for"},
               c.hooks.timeout, duration_between(kHookTimeoutMin, kHookTimeoutMax));
  flags.add_as("hook-in-flight",
               {group, "N", "1000", "Questions unanswered at once; the next fails as busy"},
               c.hooks.in_flight_max, count_between(1, kHookInFlightMax));
  flags.add_list_as(
      "hook-header",
      {group, "NAME", "",
       "Header of the client's upgrade request that hooks get, e.g. cookie; may be given again"},
      c.hooks.forwarded_headers, parse_hook_header);
}

/// Of what clients may do.
std::string access_contradiction(const AccessOptions& access) {
  if (access.open_access && !access.rules_file.empty())
    return "--open-access and --rules: everything is allowed, or what the file says";
  if (access.rules_file.empty() && access.has_key_files()) {
    return std::string(access.tokens.key_file.empty() ? "--token-jwks-file" : "--token-key-file") +
           " needs --rules FILE: what the tokens are for";
  }
  if (access.has_key_files()) return "";
  if (!access.tokens.audience.empty())
    return "--token-audience needs --token-key-file or --token-jwks-file";
  if (!access.tokens.issuer.empty())
    return "--token-issuer needs --token-key-file or --token-jwks-file";
  return "";
}

/// What no single flag can know. Empty: nothing is wrong.
std::string contradiction(const GatewayConfig& c) {
  const bool any_tcp = std::any_of(c.listen.begin(), c.listen.end(),
                                   [](const Address& a) { return a.kind != Address::Kind::kUnix; });
  const bool believes_proxies =
      c.proxy_mode != ProxyMode::kOff || c.forwarded_header != ForwardedHeader::kOff;
  if (believes_proxies && c.trusted_proxies.empty() && any_tcp) {
    return std::string(c.proxy_mode != ProxyMode::kOff ? "--proxy-protocol"
                                                       : "--forwarded-header") +
           " needs --trusted-proxy: name the balancer's network, e.g. 127.0.0.0/8";
  }
  if (c.haproxy_sockets.size() > kHaproxySocketsMax)
    return "--haproxy-socket: at most " + std::to_string(kHaproxySocketsMax) + " of them";
  if (!c.haproxy_sockets.empty() && c.haproxy_server.backend.empty())
    return "--haproxy-socket needs --haproxy-server BACKEND: which backend is to have this gateway";
  if (c.haproxy_sockets.empty() && !c.haproxy_server.backend.empty())
    return "--haproxy-server needs --haproxy-socket ADDR: HAProxy's stats socket";
  if (c.hooks.forwarded_headers.size() > kHookHeadersMax)
    return "--hook-header: at most " + std::to_string(kHookHeadersMax) + " of them";
  if (c.on_sigterm == OnSigterm::kHandoff && !c.keeper)
    return "--on-sigterm handoff needs --keeper unix:PATH: who is to hold the clients";
  return access_contradiction(c.access);
}

}  // namespace

ConfigOutcome parse_config(int argc, char** argv) {
  GatewayConfig config;
  Flags flags("sluice-gateway",
              "WebSocket clients on one side, the host's sluice-relay on the other.",
              "SLUICE_GATEWAY_");
  flags.add_as("id", {"Identity", "ID", "", "Name of this gateway, unique per relay"}, config.id,
               parse_id, true);
  flags.add_as("relay", {"Identity", "ADDR", "", "The relay's socket, unix:PATH"}, config.relay,
               parse_unix, true);
  AddressLimits per_ip;
  auto message_burst = static_cast<std::size_t>(config.client_message_rate.burst);
  add_connection_flags(flags, config, per_ip);
  add_message_flags(flags, config, message_burst);
  add_access_flags(flags, config);
  add_balancer_flags(flags, config);
  add_haproxy_flags(flags, config);
  add_handoff_flags(flags, config);
  add_hook_flags(flags, config);
  add_operation_flags(flags, config);
  if (const auto code = flags.parse(argc, argv)) return {std::nullopt, *code};
  per_ip.apply_to(config);
  config.client_message_rate.burst = static_cast<double>(message_burst);
  if (const std::string wrong = contradiction(config); !wrong.empty()) {
    std::fprintf(stderr, "sluice-gateway: %s\n", wrong.c_str());
    return {std::nullopt, 2};
  }
  return {std::move(config), 0};
}

}  // namespace sluice::gateway
