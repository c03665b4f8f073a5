// What the command line and the environment say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/clock.h"
#include "ctl/failure.h"
#include "proto/frame.h"

namespace sluice::ctl {

struct CommonOptions {
  std::string relay_path = "/run/sluice/relay.sock";
  bool json = false;
};

struct StatusOptions {
  CommonOptions common;
  bool watch = false;
  Duration interval = std::chrono::seconds(1);
  std::uint32_t channels = 20;
};

struct TailOptions {
  CommonOptions common;
  std::string channel;
  std::uint64_t count = 0;  ///< 0: without end
};

/// `drain` and `undrain`.
struct DrainOptions {
  CommonOptions common;
  std::string gateway;
  Duration older_than{};  ///< zero: all clients
  bool no_wait = false;
};

struct UpgradeOptions {
  CommonOptions common;
  std::string target;  ///< "relay", or a gateway's id
};

struct PublishOptions {
  CommonOptions common;
  std::string channel;
  std::optional<std::string> text;  ///< none: standard input
  bool exact = false;
  Duration wait = std::chrono::seconds(5);
};

struct ChannelsOptions {
  CommonOptions common;
  std::string pattern;  ///< glob; empty: all
};

struct PresenceOptions {
  CommonOptions common;
  std::string channel;
};

struct HistoryOptions {
  CommonOptions common;
  std::string channel;
  std::uint32_t limit = 100;
  std::optional<proto::Position> since;
  bool reverse = false;
};

struct DisconnectOptions {
  CommonOptions common;
  std::string user;    ///< empty: any
  std::string client;  ///< empty: any
  std::uint32_t code = 3503;
  std::string reason = "force disconnect";
};

struct LintCommandOptions {
  std::string file;
  std::optional<Address> gateway;
  Duration ping_interval = std::chrono::seconds(25);
  std::optional<Duration> max_connection_age;  ///< 0: the gateways have none; none: nobody has said
  std::vector<std::string> backends;           ///< none: all that may carry WebSockets
  std::string haproxy;                         ///< program; empty: search; "none": not asked
  bool json = false;
};

// Each fills `options`, or says with which code to exit: help was printed (0), or one line about
// what is wrong (2). argv[0] is the command's name.
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, StatusOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, TailOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, PublishOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, DrainOptions& options);
[[nodiscard]] std::optional<int> read_undrain_options(int argc, char** argv, DrainOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, UpgradeOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, ChannelsOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, PresenceOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, HistoryOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, DisconnectOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, LintCommandOptions& options);
[[nodiscard]] std::optional<int> read_version_options(int argc, char** argv,
                                                      CommonOptions& options);

/// What `sluice --help` says.
[[nodiscard]] const char* help_text();

}  // namespace sluice::ctl
