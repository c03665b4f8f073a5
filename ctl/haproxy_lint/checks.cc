// Rules about health and agent checks.
#include <algorithm>

#include "common/units.h"
#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {
namespace {

using std::chrono::seconds;

constexpr Duration kInterDefault = seconds(2);
constexpr std::uint64_t kFallDefault = 3;
/// From the fault to DOWN, at worst.
constexpr Duration kDetectionMax = seconds(15);

bool checked(const Server& server) {
  return server.has("check");
}

bool all_have_agents(const Proxy& proxy) {
  return !proxy.servers.empty() &&
         std::all_of(proxy.servers.begin(), proxy.servers.end(),
                     [](const Server& server) { return server.has("agent-check"); });
}

/// Checks go where the clients go.
bool checks_traffic_port(const Server& server) {
  if (!checked(server) || server.has("addr")) return false;
  const ServerParameter* port = server.find("port");
  return port == nullptr || port->value == server.port || server.kind == Server::Kind::kUnix;
}

/// The check's own rules say where it goes.
bool connects_by_rule(const Proxy& proxy) {
  return proxy.settings.has({"http-check", "connect"}) ||
         proxy.settings.has({"tcp-check", "connect"});
}

/// What an httpchk asks for, when it says so.
bool asks_readyz(const Proxy& proxy) {
  for (const HaproxyLine* line : proxy.settings.lines()) {
    const bool check =
        begins_with(*line, {"option", "httpchk"}) || begins_with(*line, {"http-check", "send"});
    if (check && std::find(line->words.begin(), line->words.end(), "/readyz") != line->words.end())
      return true;
  }
  return false;
}

Duration time_of(const Server& server, std::string_view name, Duration fallback) {
  const ServerParameter* parameter = server.find(name);
  if (parameter == nullptr) return fallback;
  return parse_haproxy_time(parameter->value).value_or(fallback);
}

/// A gateway that hangs: each check waits for its time-out, the next begins `inter` later.
Duration detection(const Server& server, std::optional<Duration> check_timeout) {
  const Duration inter = time_of(server, "inter", kInterDefault);
  const ServerParameter* fall = server.find("fall");
  const std::uint64_t times =
      fall == nullptr ? kFallDefault : parse_haproxy_number(fall->value).value_or(kFallDefault);
  const auto bounded = static_cast<std::int64_t>(std::clamp<std::uint64_t>(times, 1, 1000));
  return bounded * (inter + check_timeout.value_or(inter));
}

constexpr const char* kAdminPort =
    "port PORT on the server's line: the port of the gateway's --admin-listen";

}  // namespace

Verdict no_check(const Subject& subject) {
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return !checked(server) && !server.has("track") && !server.has("disabled");
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{
      bad.front()->line,
      names_of(bad) +
          " without check: a dead gateway keeps its share of the new clients for ever "
          "(without redispatch each gets 503 after 3 s), and a draining one too",
      "default-server check inter 1s fall 3 rise 2, with option httpchk GET /readyz and "
      "the admin port as port"};
}

Verdict check_traffic_port(const Subject& subject) {
  if (connects_by_rule(*subject.proxy)) return std::nullopt;
  const bool readyz = asks_readyz(*subject.proxy);
  const auto bad = servers_where(*subject.proxy, [&](const Server& server) {
    const bool unix_port = server.kind == Server::Kind::kUnix && server.has("port");
    return checks_traffic_port(server) && !unix_port && (readyz || server.send_proxy() != nullptr);
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{
      bad.front()->line,
      names_of(bad) + ": checks go to the port of the clients" +
          (readyz ? ", where a gateway answers /readyz with 404: the server is DOWN and "
                    "every client gets 503"
                  : ", each with a PROXY header in front: one more connection among the "
                    "clients', and it sees that the port is open, no more"),
      bad.front()->kind == Server::Kind::kUnix
          ? "addr 127.0.0.1 port PORT on the server's line: the gateway's --admin-listen"
          : kAdminPort};
}

Verdict check_unix_port(const Subject& subject) {
  if (connects_by_rule(*subject.proxy)) return std::nullopt;
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return server.kind == Server::Kind::kUnix && checked(server) && server.has("port") &&
           !server.has("addr");
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{bad.front()->line,
                   names_of(bad) +
                       ": port is ignored where the server is a Unix socket: the check goes to the "
                       "clients' socket, without a PROXY header",
                   "check addr 127.0.0.1 port PORT: the gateway's --admin-listen"};
}

Verdict check_send_proxy(const Subject& subject) {
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return checked(server) && server.has("check-send-proxy") && !checks_traffic_port(server);
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{bad.front()->find("check-send-proxy")->line,
                   names_of(bad) +
                       ": check-send-proxy puts a PROXY header before the check, and the admin "
                       "listener speaks none: it answers 400, the server is DOWN",
                   "leave check-send-proxy out"};
}

Verdict check_tcp_only(const Subject& subject) {
  const Settings& settings = subject.proxy->settings;
  for (const char* method : {"httpchk", "tcp-check", "external-check"}) {
    if (settings.option(method) != nullptr) return std::nullopt;
  }
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return checked(server) && !server.has("agent-check");
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{subject.proxy->line,
                   "no option httpchk: checks see that the port is open, no more: a gateway that "
                   "accepts nothing (its clients get 504), or says not ready, stays UP",
                   "option httpchk GET /readyz"};
}

Verdict check_slow(const Subject& subject) {
  std::optional<Duration> timeout;
  if (const auto check = subject.proxy->settings.timeout("check")) timeout = check->value;
  const auto bad = servers_where(*subject.proxy, [&](const Server& server) {
    return checked(server) && detection(server, timeout) > kDetectionMax;
  });
  if (bad.empty()) return std::nullopt;
  const Server& first = *bad.front();
  const ServerParameter* inter = first.find("inter");
  const ServerParameter* fall = first.find("fall");
  const ServerParameter* named = inter != nullptr ? inter : fall;
  return Complaint{named != nullptr ? named->line : first.line,
                   names_of(bad) + ": a gateway that hangs is found after up to " +
                       format_duration(detection(first, timeout)) +
                       " (fall checks, each inter and its time-out): its share of the new clients "
                       "waits so long",
                   "check inter 1s fall 3, timeout check 1s: 6 s"};
}

Verdict disable_on_404(const Subject& subject) {
  const Settings& settings = subject.proxy->settings;
  if (settings.option("httpchk") == nullptr || settings.has({"http-check", "disable-on-404"}) ||
      all_have_agents(*subject.proxy))
    return std::nullopt;
  if (servers_where(*subject.proxy, checked).empty()) return std::nullopt;
  return Complaint{subject.proxy->line,
                   "no http-check disable-on-404: a gateway that drains (404) is taken for dead: "
                   "new clients are sent to it until fall checks have failed, and it is DOWN "
                   "instead of emptied in peace",
                   "http-check disable-on-404"};
}

Verdict shutdown_sessions(const Subject& subject) {
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    const ServerParameter* down = server.find("on-marked-down");
    return down != nullptr && down->value == "shutdown-sessions";
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{bad.front()->find("on-marked-down")->line,
                   names_of(bad) +
                       ": on-marked-down shutdown-sessions cuts every living session when a check "
                       "stalls (a bare FIN: 1006 in the browser), and all come back at once",
                   "leave on-marked-down out: sessions of a gateway that is really dead end by "
                   "themselves"};
}

Verdict agent_addr(const Subject& subject) {
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return server.kind == Server::Kind::kUnix && server.has("agent-check") &&
           !server.has("agent-addr");
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{
      bad.front()->line,
      names_of(bad) +
          ": agent-check on a Unix socket without agent-addr polls the clients' socket "
          "instead of agent-port: no state ever arrives, drain is not seen",
      "agent-addr 127.0.0.1: agents are reached by TCP only"};
}

}  // namespace sluice::ctl
