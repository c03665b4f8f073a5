// What the command line, the environment and the configuration file say, checked. Built once, const
// from then on.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/clock.h"
#include "common/ip.h"
#include "common/log.h"
#include "common/token_bucket.h"
#include "gateway/access.h"
#include "gateway/forwarded.h"
#include "gateway/hooks/hooks.h"
#include "gateway/protocols/plain.h"
#include "gateway/proxy_protocol.h"
#include "gateway/readiness.h"

namespace sluice::gateway {

/// A server of HAProxy's configuration, as its commands name it.
struct BackendServer {
  std::string backend;
  std::string name;  ///< empty: the gateway's id
};

/// How client sockets are written to: by io_uring where the kernel lets us, only so, or by send(2).
enum class UseUring { kAuto, kOn, kOff };

/// What SIGTERM means to supervisors that can send nothing else.
enum class OnSigterm { kDrain, kHandoff };

struct GatewayConfig {
  std::string id;
  std::vector<Address> listen;
  Address relay;
  ProxyMode proxy_mode = ProxyMode::kOff;
  ForwardedHeader forwarded_header = ForwardedHeader::kOff;
  std::vector<Cidr> trusted_proxies;
  std::optional<Address> admin_listen;
  std::optional<Address> agent_listen;
  bool agent_weight = true;  ///< the agent check says a weight
  Duration agent_ramp = std::chrono::seconds(20);
  double accept_rate_per_second = 0;  ///< 0: no bound
  Duration connection_age_max{};      ///< zero: none
  AccessOptions access;
  std::string default_channel = "livechat";
  bool tag_messages = false;
  std::string greeting;
  Duration greeting_delay = std::chrono::seconds(5);
  std::size_t connections_max = 10000;
  std::size_t connections_per_ip_max = 0;  ///< 0: no bound
  TokenRate connection_rate_per_ip{};
  std::size_t message_bytes_max = 64U << 10U;
  TokenRate client_message_rate{100, 200};
  std::size_t channels_max = 10000;
  std::size_t client_queue_bytes = 1U << 20U;
  Duration publish_wait = std::chrono::seconds(5);
  std::size_t publish_queue_bytes = 4U << 20U;
  OnGap on_gap = OnGap::kIgnore;
  Duration handshake_timeout = std::chrono::seconds(10);
  std::size_t head_bytes_max = 8U << 10U;
  Duration ping_interval = std::chrono::seconds(25);
  Duration pong_timeout = std::chrono::seconds(10);
  std::vector<std::string> allowed_origins;
  ReadyRequires ready_requires = ReadyRequires::kRelay;
  Duration ready_grace = std::chrono::seconds(10);
  Duration drain_delay = std::chrono::seconds(3);
  Duration drain_timeout = std::chrono::seconds(30);
  double drain_rate_per_second = 200;
  std::optional<Address> keeper;  ///< none: no handoff
  Duration handoff_wait = std::chrono::seconds(8);
  std::size_t handoff_memory_bytes = 256U << 20U;  ///< for what clients have waiting
  OnSigterm on_sigterm = OnSigterm::kDrain;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  unsigned socket_mode = 0660;
  UseUring io_uring = UseUring::kAuto;
  bool demo = false;
  bool check_only = false;  ///< --check: nothing is opened
  HookOptions hooks;
  std::vector<Address> haproxy_sockets;
  BackendServer haproxy_server;
  std::optional<Address> haproxy_advertise;
  std::string haproxy_options;  ///< words for `add server`
};

/// Either a configuration, or the exit code: --help and --version (0), a fault (not 0, one line on
/// stderr has said it).
struct ConfigOutcome {
  std::optional<GatewayConfig> config;
  int exit_code = 0;
};

[[nodiscard]] ConfigOutcome parse_config(int argc, char** argv);

}  // namespace sluice::gateway
