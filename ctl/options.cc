#include "ctl/options.h"

#include "common/address.h"
#include "common/flags.h"
#include "proto/frame.h"
#include "proto/limits.h"

namespace sluice::ctl {
namespace {

constexpr const char* kPrefix = "SLUICE_";
constexpr std::uint64_t kChannelRowsMax = 150;  // what a relay lists at most

Result<std::string> parse_relay(const std::string& text) {
  const Result<Address> address = parse_address(text);
  if (!address) return tl::make_unexpected(address.error());
  if (address->kind != Address::Kind::kUnix) {
    return fail(ErrorCode::kInvalid, "'" + text + "' is not a Unix socket: unix:PATH");
  }
  return address->path;
}

/// As the gateways have it; 0: off.
Result<Duration> parse_age(const std::string& text) {
  if (text == "off") return Duration::zero();
  return duration_between(Duration::zero(), std::chrono::hours(24 * 365))(text);
}

Result<Address> parse_gateway(const std::string& text) {
  auto address = parse_address(text);
  if (address && address->kind == Address::Kind::kFd)
    return fail(ErrorCode::kInvalid, "'" + text + "': a gateway is at ADDR:PORT or unix:PATH");
  return address;
}

void add_common(Flags& flags, CommonOptions& options) {
  flags.add_as("relay",
               {"Common", "ADDR", "unix:/run/sluice/relay.sock", "The relay's socket, unix:PATH"},
               options.relay_path, parse_relay);
  flags.add_switch(
      "json", {"Common", "", "", "JSON for programs; tail and --watch write one object a line"},
      options.json);
}

void add_channel(Flags& flags, std::string& channel) {
  flags.add_positional(
      "CHANNEL", "Name of the channel",
      [&channel](const std::string& text) -> Result<void> {
        if (text.empty() || text.size() > proto::kChannelNameBytesMax) {
          return fail(ErrorCode::kInvalid, "a channel name has 1 to 255 bytes");
        }
        channel = text;
        return {};
      },
      true);
}

void add_gateway(Flags& flags, std::string& gateway, const char* help = "Its --id") {
  flags.add_positional(
      "GATEWAY", help,
      [&gateway](const std::string& text) -> Result<void> {
        if (!proto::valid_gateway_id(text))
          return fail(ErrorCode::kInvalid, "a gateway id is 1 to 64 of A-Z a-z 0-9 . _ -");
        gateway = text;
        return {};
      },
      true);
}

}  // namespace

std::optional<int> read_options(int argc, char** argv, StatusOptions& options) {
  Flags flags("sluice status",
              "Shows the relay, its broker, gateways, channels and queues on one screen.", kPrefix,
              false);
  flags.add_switch("watch", {"Status", "", "", "Again and again, until Ctrl-C"}, options.watch);
  flags.add_as("interval", {"Status", "TIME", "1s", "How often --watch asks"}, options.interval,
               duration_between(std::chrono::milliseconds(100), std::chrono::hours(1)));
  flags.add_as("channels", {"Status", "N", "20", "Channels listed, those with the most gateways"},
               options.channels, count_between(0, kChannelRowsMax));
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, TailOptions& options) {
  Flags flags("sluice tail",
              "Shows a channel's messages as they come, and what happens to them on the way: gaps, "
              "the broker\naway, the relay restarted. Ends with Ctrl-C.",
              kPrefix, false);
  add_channel(flags, options.channel);
  flags.add_as("count", {"Tail", "N", "0", "Ends after so many messages; 0: never"}, options.count,
               count_between(0, UINT64_MAX));
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, PublishOptions& options) {
  Flags flags("sluice publish",
              "Publishes one message and says what became of it. Exit codes: 0 published, 6 "
              "refused (not published),\n7 nobody knows.",
              kPrefix, false);
  add_channel(flags, options.channel);
  flags.add_positional(
      "TEXT", "The message; without it, standard input to its end",
      [&options](const std::string& text) -> Result<void> {
        options.text = text;
        return {};
      },
      false);
  flags.add_as(
      "wait", {"Publish", "TIME", "5s", "How long it may wait for the broker before it is refused"},
      options.wait, duration_between(Duration::zero(), std::chrono::minutes(5)));
  flags.add_switch("exact",
                   {"Publish", "", "",
                    "Standard input to its last byte; else without the newline "
                    "at its end"},
                   options.exact);
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, DrainOptions& options) {
  Flags flags(
      "sluice drain",
      "Sends a gateway's clients to the others, in a paced way, and keeps new ones away: the "
      "balancers are told\nfirst. The process goes on; sluice undrain takes it back. Waits "
      "until the clients are gone.",
      kPrefix, false);
  add_gateway(flags, options.gateway);
  flags.add_as("older-than",
               {"Drain", "TIME", "0s", "Only clients that have been connected for so long"},
               options.older_than, parse_age);
  flags.add_switch("no-wait", {"Drain", "", "", "Return as soon as the gateway drains"},
                   options.no_wait);
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_undrain_options(int argc, char** argv, DrainOptions& options) {
  Flags flags(
      "sluice undrain",
      "Takes a drain back: the gateway gets new clients again, and its balancers are told so.",
      kPrefix, false);
  add_gateway(flags, options.gateway);
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, UpgradeOptions& options) {
  Flags flags(
      "sluice upgrade",
      "Lets the relay, or a gateway, go on as the program that is installed now: its "
      "clients notice nothing.\nWaits until it has. A program that can't read its settings is "
      "refused, and the old one goes on.",
      kPrefix, false);
  add_gateway(flags, options.target, "Its --id; relay: the relay itself");
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, LintCommandOptions& options) {
  Flags flags(
      "sluice haproxy-lint",
      "Reads an HAProxy configuration and explains what will hurt WebSockets. Exit codes: 0 "
      "nothing found,\n1 findings, 2 FILE can't be read.",
      kPrefix, false);
  flags.add_positional(
      "FILE", "The configuration, such as /etc/haproxy/haproxy.cfg",
      [&options](const std::string& text) -> Result<void> {
        options.file = text;
        return {};
      },
      true);
  flags.add_as(
      "gateway",
      {"Lint", "ADDR", "",
       "A running gateway's --listen, ADDR:PORT or unix:PATH: tries whether it takes a PROXY "
       "header"},
      options.gateway, parse_gateway);
  flags.add_as("ping-interval", {"Lint", "TIME", "25s", "The gateways' --ping-interval"},
               options.ping_interval,
               duration_between(std::chrono::milliseconds(100), std::chrono::hours(1)));
  flags.add_as("max-connection-age",
               {"Lint", "TIME", "", "The gateways' --max-connection-age, or off"},
               options.max_connection_age, parse_age);
  flags.add_list("backend",
                 {"Lint", "NAME", "",
                  "A backend or listen section that the gateways are in; else all that may be"},
                 [&options](const std::string& text) -> Result<void> {
                   options.backends.push_back(text);
                   return {};
                 });
  flags.add(
      "haproxy",
      {"Lint", "PROGRAM", "",
       "The haproxy whose -c is asked too (it loads what FILE names); none: don't; else searched"},
      [&options](const std::string& text) -> Result<void> {
        options.haproxy = text;
        return {};
      });
  flags.add_switch("json", {"Lint", "", "", "An array of {line, rule, message, fix}"},
                   options.json);
  return flags.parse(argc, argv);
}

std::optional<int> read_version_options(int argc, char** argv, CommonOptions& options) {
  Flags flags("sluice version", "Shows the versions of this tool and of the relay that runs.",
              kPrefix, false);
  add_common(flags, options);
  return flags.parse(argc, argv);
}

const char* help_text() {
  return R"(Looks into a running sluice-relay and its gateways.
Usage: sluice COMMAND [OPTIONS]

Commands:
  status                     Relay, broker, gateways, channels and queues on one screen
  tail CHANNEL               Messages of a channel as they come
  publish CHANNEL [TEXT]     Publishes one message: TEXT, or standard input
  drain GATEWAY              Sends a gateway's clients to the others, keeps new ones away
  undrain GATEWAY            Takes that back
  upgrade relay|GATEWAY      Lets it go on as the program that is installed now
  haproxy-lint FILE          What in an HAProxy configuration will hurt WebSockets
  check RULES                Whether a file of rules, and keys of tokens, are right
  token make|inspect         Makes a token, or shows what one says
  version                    Versions of this tool and of the relay

Options:
  -h,--help                  Show this help; after a command, that of the command
  --version                  Show the version of this tool

All commands but haproxy-lint, check and token take --relay unix:PATH [unix:/run/sluice/relay.sock], and all --json.
Flags can also come from the environment: SLUICE_RELAY, SLUICE_JSON and so on. NO_COLOR switches
colours off.

Exit codes:
  0  done
  1  the output can't be written, or the input can't be read
  2  wrong usage
  3  no relay: nobody listens there, it does not answer, or the link was lost
  4  no permission: the socket's mode, or the relay's --allow-uid
  5  the relay refuses the tool: one is too old for the other, or too many tools are connected
  6  refused: not published, the channel can't be watched, no such gateway, not upgraded
  7  nobody knows whether it was published: the answer was lost
Those of haproxy-lint, check and token inspect: 0 nothing found, 1 findings, 2 a file can't be read
(or wrong usage).
)";
}

}  // namespace sluice::ctl
