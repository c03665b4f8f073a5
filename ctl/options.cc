#include "ctl/options.h"

#include <charconv>
#include <cstdio>

#include "common/address.h"
#include "common/flags.h"
#include "common/utf8.h"
#include "proto/frame.h"
#include "proto/limits.h"

namespace sluice::ctl {
namespace {

constexpr const char* kPrefix = "SLUICE_";
constexpr std::uint64_t kChannelRowsMax = 150;  // what a relay lists at most
constexpr std::size_t kPatternBytesMax = 256;
constexpr std::uint64_t kHistoryLimitMax = 10'000;
constexpr std::size_t kReasonBytesMax = 123;  // of a close frame, beside its code

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

/// "0123456789abcdef:42"
Result<proto::Position> parse_position(const std::string& text) {
  proto::Position position;
  const char* end = text.data() + text.size();
  const auto epoch = std::from_chars(text.data(), end, position.epoch, 16);
  if (epoch.ec == std::errc() && epoch.ptr == text.data() + 16 && epoch.ptr != end &&
      *epoch.ptr == ':') {
    const auto offset = std::from_chars(epoch.ptr + 1, end, position.offset);
    if (offset.ec == std::errc() && offset.ptr == end) return position;
  }
  return fail(ErrorCode::kInvalid,
              "'" + text + "' is no position: 16 hexadecimal digits, a colon, a number");
}

std::function<Result<std::string>(const std::string&)> text_up_to(std::size_t bytes_max) {
  return [bytes_max](const std::string& text) -> Result<std::string> {
    if (!text.empty() && text.size() <= bytes_max && valid_utf8(proto::as_bytes(text))) return text;
    return fail(ErrorCode::kInvalid, "1 to " + std::to_string(bytes_max) + " bytes of UTF-8");
  };
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

std::optional<int> read_options(int argc, char** argv, ChannelsOptions& options) {
  Flags flags("sluice channels",
              "Lists the channels that clients of all hosts are subscribed to, and how many they "
              "are. Asks every\ngateway, for a second.",
              kPrefix, false);
  flags.add_positional(
      "PATTERN", "Only channels that match it, such as 'chat:*'",
      [&options](const std::string& text) -> Result<void> {
        if (text.size() > kPatternBytesMax)
          return fail(ErrorCode::kInvalid, "a pattern has 256 bytes at most");
        options.pattern = text;
        return {};
      },
      false);
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, PresenceOptions& options) {
  Flags flags("sluice presence",
              "Lists who is in a channel, on all hosts. The rules say which channels keep that.",
              kPrefix, false);
  add_channel(flags, options.channel);
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, HistoryOptions& options) {
  Flags flags(
      "sluice history",
      "Shows what a channel's history holds, the oldest first. The rules say which channels "
      "have one.",
      kPrefix, false);
  add_channel(flags, options.channel);
  flags.add_as("limit", {"History", "N", "100", "Publications at most; 0: the position alone"},
               options.limit, count_between(0, kHistoryLimitMax));
  flags.add_as("since",
               {"History", "EPOCH:OFFSET", "",
                "Only what came behind this position (with --reverse: before it)"},
               options.since, parse_position);
  flags.add_switch("reverse", {"History", "", "", "The newest first"}, options.reverse);
  add_common(flags, options.common);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, DisconnectOptions& options) {
  Flags flags(
      "sluice disconnect",
      "Closes the connections of a user, or of one client, on all hosts. Codes from 3500 to "
      "3999 and from 4500\nto 4999 tell an SDK to stay away, others to come back.",
      kPrefix, false);
  flags.add_as("user", {"Disconnect", "USER", "", "All connections of this user"}, options.user,
               text_up_to(proto::kUserBytesMax));
  flags.add_as("client", {"Disconnect", "ID", "", "The connection with this client id"},
               options.client, text_up_to(proto::kClientIdBytesMax));
  flags.add_as("code", {"Disconnect", "N", "3503", "Code of the close frame"}, options.code,
               count_between(3000, 4999));
  flags.add_as("reason", {"Disconnect", "TEXT", "force disconnect", "Its reason"}, options.reason,
               text_up_to(kReasonBytesMax));
  add_common(flags, options.common);
  if (const auto code = flags.parse(argc, argv)) return code;
  if (!options.user.empty() || !options.client.empty()) return std::nullopt;
  std::fprintf(stderr, "sluice disconnect: whom? --user USER or --client ID (see --help)\n");
  return static_cast<int>(ExitCode::kUsage);
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
  channels [PATTERN]         Channels that clients of all hosts are subscribed to
  presence CHANNEL           Who is in a channel
  history CHANNEL            What a channel's history holds
  disconnect --user USER     Closes a user's connections, on all hosts
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
  6  refused: not published, the channel can't be watched, no such gateway, not upgraded,
     no such history
  7  nobody knows whether it was published: the answer was lost
Those of haproxy-lint, check and token inspect: 0 nothing found, 1 findings, 2 a file can't be read
(or wrong usage).
)";
}

}  // namespace sluice::ctl
