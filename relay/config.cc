#include "relay/config.h"

#include <unistd.h>

#include <charconv>
#include <cstdio>

#include "common/flags.h"
#include "common/rules/rules.h"
#include "proto/limits.h"
#include "relay/api/key_table.h"
#include "relay/brokers/redis_url.h"
#include "relay/limits.h"

namespace sluice::relay {
namespace {

constexpr std::uint64_t kGiB = 1U << 30U;

Result<Address> parse_link_address(const std::string& text) {
  Result<Address> address = parse_address(text);
  if (address && address->kind == Address::Kind::kTcp) {
    return fail(ErrorCode::kInvalid, "the relay link needs a Unix socket: unix:PATH");
  }
  return address;
}

Result<uid_t> parse_uid(const std::string& text) {
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorCode::kInvalid, "'" + text + "' is not a numeric user id");
  }
  return uid;
}

Result<std::string> check_broker(const std::string& text) {
  if (text == "memory:") return text;
  const auto options = parse_redis_url(text);
  if (!options) return tl::make_unexpected(options.error());
  return text;
}

void add_link_flags(Flags& flags, RelayConfig& c) {
  const std::string group = "Gateways";
  RouterOptions& r = c.router;
  flags.add_as("listen", {group, "ADDR", "", "Where gateways connect: unix:PATH, or fd:N"},
               c.listen, parse_link_address, true);
  flags.add_as("socket-mode", {group, "MODE", "0660", "Permissions of the socket file, octal"},
               c.socket_mode, parse_file_mode);
  flags.add_list_as("allow-uid",
                    {group, "UID", "our own and 0", "Whose processes may connect; may be repeated"},
                    c.allow_uids, parse_uid);
  flags.add_as("max-gateways", {group, "N", "64", "Gateways at the same time"}, r.gateways_max,
               count_between(1, 4096));
  flags.add_as("linger",
               {group, "TIME", "60s",
                "How long what a gateway left behind, and channels nobody wants, are kept"},
               r.linger, duration_between(Duration::zero(), std::chrono::hours(24)));
  flags.add_as(
      "gateway-queue-bytes",
      {group, "SIZE", "16MiB", "What a gateway may be behind; the oldest beyond it become a gap"},
      r.gateway_queue_bytes, size_between(4096, 4 * kGiB));
}

void add_broker_flags(Flags& flags, RelayConfig& c) {
  const std::string group = "Broker";
  RouterOptions& r = c.router;
  flags.add_as("broker",
               {group, "URL",
                "memory:", "memory:, redis://[user@]host[:port][/db] or redis+unix:///path.sock"},
               c.broker, check_broker);
  flags.add("broker-password-file",
            {group, "FILE", "", "Holds the broker's password; read at each connection"},
            [&c](const std::string& value) -> Result<void> {
              c.broker_password_file = value;
              return {};
            });
  flags.add_as("publish-queue-bytes",
               {group, "SIZE", "16MiB", "Publishes that wait for the broker or a subscription"},
               r.publish_queue_bytes, size_between(4096, 4 * kGiB));
  flags.add_as("max-channels", {group, "N", "100000", "Channels subscribed at the same time"},
               r.channels_max, count_between(1, 10'000'000));
  flags.add_as("max-message-size", {group, "SIZE", "1MiB", "Largest message that is published"},
               r.payload_bytes_max, size_between(1, proto::kPayloadBytesMax));
}

void add_rule_flags(Flags& flags, RelayConfig& c) {
  const std::string group = "Channels";
  flags.add("rules",
            {group, "FILE", "", "Which channels have a history; read again on SIGHUP (RULES.md)"},
            [&c](const std::string& value) -> Result<void> {
              c.rules_file = value;
              return {};
            });
  flags.add_switch(
      "open-access",
      {group, "", "", "Without rules: every channel has a history of 100 publications, 10 minutes"},
      c.open_access);
}

/// What stands in the files; nothing: all is well.
std::optional<std::string> rules_problem(const RelayConfig& config) {
  if (config.rules_file.empty()) return std::nullopt;
  if (config.open_access) return "--rules and --open-access exclude each other";
  if (!config.check) return std::nullopt;  // said in the log, when they are read
  const Result<Rules> rules = Rules::read(config.rules_file);
  if (rules) return std::nullopt;
  return "--rules: " + rules.error().message;
}

void add_ring_flags(Flags& flags, RelayConfig& c) {
  const std::string group = "Replay ring, shared by all channels";
  ReplayRingOptions& ring = c.router.ring;
  flags.add_as("ring-messages", {group, "N", "65536", "Messages kept for who comes back"},
               ring.messages_max, count_between(kBurstMessagesMax, 16U << 20U));
  flags.add_as("ring-bytes", {group, "SIZE", "64MiB", "Memory for them"}, ring.bytes_max,
               size_between(4096, 64 * kGiB));
  flags.add_as("ring-age", {group, "TIME", "5m", "How long they are kept"}, ring.age_max,
               duration_between(std::chrono::milliseconds(1), std::chrono::hours(24)));
}

/// Read here only to say what is wrong with it; it is read again when the API opens.
Result<std::string> check_key_file(const std::string& path) {
  if (const auto keys = api::KeyTable::read(path); !keys) return tl::make_unexpected(keys.error());
  return path;
}

Result<std::string> parse_node_name(const std::string& text) {
  if (proto::valid_gateway_id(text)) return text;
  return fail(ErrorCode::kInvalid, "a node's name is 1 to 64 of A-Z a-z 0-9 . _ -");
}

void add_api_flags(Flags& flags, RelayConfig& c) {
  const std::string group = "Server API";
  flags.add_as("api-listen",
               {group, "ADDR", "", "Serves the API to the application: ADDR:PORT, unix:PATH, fd:N"},
               c.api.listen, parse_address);
  flags.add_as(
      "api-key-file",
      {group, "FILE", "", "One key a line, NAME:KEY or KEY. Only a Unix socket may be without"},
      c.api.key_file, check_key_file);
  flags.add_as("node-name",
               {group, "NAME", "the host's name", "What this relay is called among the others"},
               c.api.node_name, parse_node_name);
}

void add_operation_flags(Flags& flags, RelayConfig& c) {
  const std::string group = "Operation";
  flags.add("state-dir",
            {group, "DIR", "",
             "Where it is kept which balancers were told to drain which gateway; made if missing"},
            [&c](const std::string& value) -> Result<void> {
              c.state_dir = value;
              return {};
            });
  flags.add_as(
      "admin-listen",
      {group, "ADDR", "", "Serves /healthz, /readyz and /metrics: ADDR:PORT, unix:PATH, fd:N"},
      c.admin_listen, parse_address);
  flags.add_switch(
      "check", {group, "", "", "Only see whether the settings can be read: exit code 0"}, c.check);
  // Internal, so without a group: an upgrade gives it to the program that follows.
  flags.add_as("resume-fd", {"", "N", "", "State of the program before"}, c.resume_fd,
               count_between(3, 1U << 20U));
  flags.add_as("log-level", {group, "LEVEL", "info", "debug, info, warn or error"}, c.log_level,
               parse_log_level);
  flags.add_as("log-format", {group, "FORMAT", "text", "text or json"}, c.log_format,
               parse_log_format);
}

}  // namespace

std::optional<int> read_config(int argc, char** argv, RelayConfig& config) {
  Flags flags(
      "sluice-relay",
      "Holds the broker's subscriptions for the gateways of this host and shares its messages out.",
      "SLUICE_RELAY_");
  add_link_flags(flags, config);
  add_broker_flags(flags, config);
  add_rule_flags(flags, config);
  add_ring_flags(flags, config);
  add_api_flags(flags, config);
  add_operation_flags(flags, config);
  if (const std::optional<int> code = flags.parse(argc, argv)) return code;
  if (const auto fits = api::check(config.api); !fits) {
    std::fprintf(stderr, "sluice-relay: %s\n", fits.error().message.c_str());
    return 2;
  }
  if (const std::optional<std::string> problem = rules_problem(config)) {
    std::fprintf(stderr, "sluice-relay: %s\n", problem->c_str());
    return 2;
  }
  if (config.check) return 0;
  if (config.allow_uids.empty()) config.allow_uids = {::geteuid(), 0};
  return std::nullopt;
}

}  // namespace sluice::relay
