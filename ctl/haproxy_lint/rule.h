// What a rule is: a small function that looks at one proxy, or at the whole, and may have a
// complaint. Every message says what happens, as it was seen with HAProxy 2.6.12. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "ctl/haproxy_lint/model.h"

namespace sluice::ctl {

/// How a gateway answered two requests to its traffic address.
struct GatewayAnswers {
  std::string address;   ///< as given: ADDR:PORT or unix:PATH
  bool plain = false;    ///< answers a request without a PROXY header
  bool proxied = false;  ///< answers one behind a PROXY header
};

struct LintOptions {
  Duration ping_interval = std::chrono::seconds(25);
  /// The gateways' --max-connection-age; 0: they have none; none: nobody has said.
  std::optional<Duration> max_connection_age;
  std::optional<GatewayAnswers> gateway;
};

/// What a rule looks at.
struct Subject {
  const HaproxySetup& setup;
  const Proxy* proxy;  ///< null for rules of the whole
  const LintOptions& options;
};

struct Complaint {
  std::size_t line = 0;  ///< a missing setting names its section's line
  std::string message;
  std::string fix;
};

using Verdict = std::optional<Complaint>;

enum class Scope {
  kGlobal,
  kFront,  ///< judged frontends, and listen sections
  kBack,   ///< judged backends, and listen sections with servers
};

struct Rule {
  const char* id;
  Scope scope;
  Verdict (*judge)(const Subject& subject);
};

// ---- for the rules' texts

/// "'s1', 's2' and 's3'"; of many, the first few and how many more.
[[nodiscard]] std::string names_of(const std::vector<const Server*>& servers);
/// Servers for which `bad` holds.
template <typename Bad>
[[nodiscard]] std::vector<const Server*> servers_where(const Proxy& proxy, Bad bad) {
  std::vector<const Server*> found;
  for (const Server& server : proxy.servers) {
    if (bad(server)) found.push_back(&server);
  }
  return found;
}

// ---- the rules, by theme (ctl/haproxy_lint/rules.cc has the table)

Verdict timeout_tunnel(const Subject& subject);
Verdict timeout_client(const Subject& subject);
Verdict timeout_server(const Subject& subject);
Verdict timeout_connect(const Subject& subject);
Verdict timeout_http_request(const Subject& subject);
Verdict timeout_queue(const Subject& subject);
Verdict timeout_server_fin(const Subject& subject);

Verdict no_check(const Subject& subject);
Verdict check_traffic_port(const Subject& subject);
Verdict check_unix_port(const Subject& subject);
Verdict check_send_proxy(const Subject& subject);
Verdict check_tcp_only(const Subject& subject);
Verdict check_slow(const Subject& subject);
Verdict disable_on_404(const Subject& subject);
Verdict shutdown_sessions(const Subject& subject);
Verdict agent_addr(const Subject& subject);

Verdict redispatch(const Subject& subject);
Verdict retry_on(const Subject& subject);
Verdict retries_zero(const Subject& subject);
Verdict mode_tcp(const Subject& subject);
Verdict upgrade_header(const Subject& subject);

Verdict balance(const Subject& subject);
Verdict slowstart(const Subject& subject);

Verdict global_maxconn(const Subject& subject);
Verdict frontend_maxconn(const Subject& subject);
Verdict nat_limit(const Subject& subject);

Verdict no_log(const Subject& subject);
Verdict log_format(const Subject& subject);
Verdict stats_socket(const Subject& subject);
Verdict hard_stop_missing(const Subject& subject);
Verdict hard_stop_cut(const Subject& subject);
Verdict server_name(const Subject& subject);
Verdict server_name_stale(const Subject& subject);

Verdict client_address(const Subject& subject);
Verdict proxy_mismatch(const Subject& subject);

}  // namespace sluice::ctl
