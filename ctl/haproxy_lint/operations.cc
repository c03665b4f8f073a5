// Rules about what an operator needs: log, runtime socket, reloads, names.
#include <algorithm>

#include "common/units.h"
#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {
namespace {

bool any_judged_front(const HaproxySetup& setup) {
  return std::any_of(setup.proxies.begin(), setup.proxies.end(),
                     [](const Proxy& proxy) { return proxy.judged && proxy.front(); });
}

bool logs_somewhere(const Subject& subject) {
  const auto logs = subject.proxy->settings.logs();
  return std::any_of(logs.begin(), logs.end(), [&](const HaproxyLine* line) {
    return line->words[1] != "global" || !subject.setup.global.logs().empty();
  });
}

bool needs_resolving(const Server& server) {
  return server.kind == Server::Kind::kName && server.host != "localhost";
}

/// HAProxy starts without the name's address: by init-addr, or, where there are resolvers and no
/// init-addr, with a warning.
bool starts_without_address(const Server& server) {
  const ServerParameter* init = server.find("init-addr");
  if (init == nullptr) return server.has("resolvers");
  return init->value.find("none") != std::string::npos;
}

}  // namespace

Verdict no_log(const Subject& subject) {
  if (logs_somewhere(subject)) return std::nullopt;
  return Complaint{
      subject.proxy->line,
      "no log: nobody can tell who the clients were and who ended their sessions",
      "log stdout format raw local0 in global, log global and option httplog in defaults"};
}

Verdict log_format(const Subject& subject) {
  const Settings& settings = subject.proxy->settings;
  if (!logs_somewhere(subject) || settings.has({"log-format"})) return std::nullopt;
  if (settings.option("httplog") != nullptr || settings.option("tcplog") != nullptr ||
      settings.option("httpslog") != nullptr)
    return std::nullopt;
  return Complaint{
      subject.proxy->line,
      "log without option httplog: the line is \"Connect from ADDR to ADDR\" and has no "
      "termination code, which says who ended a session, nor the gateway's name",
      "option httplog"};
}

Verdict stats_socket(const Subject& subject) {
  if (!any_judged_front(subject.setup)) return std::nullopt;
  const HaproxyLine* weaker = nullptr;
  for (const HaproxyLine* line : subject.setup.global.lines()) {
    if (!begins_with(*line, {"stats", "socket"})) continue;
    const auto level = std::find(line->words.begin(), line->words.end(), "level");
    if (level != line->words.end() && level + 1 != line->words.end() && level[1] == "admin")
      return std::nullopt;
    weaker = line;
  }
  const std::string fix =
      "stats socket /run/haproxy/admin.sock mode 600 level admin expose-fd listeners";
  if (weaker != nullptr) {
    return Complaint{weaker->number,
                     "stats socket without level admin: draining by hand, weights and add server "
                     "are answered with Permission denied",
                     fix};
  }
  return Complaint{subject.setup.global_line,
                   "no stats socket: nobody can drain a gateway by hand or see its sessions", fix};
}

Verdict hard_stop_missing(const Subject& subject) {
  if (subject.setup.global.has({"hard-stop-after"})) return std::nullopt;
  return Complaint{
      subject.setup.global_line,
      "no hard-stop-after: after each reload the old worker stays as long as one of its "
      "WebSockets, and it no longer checks its gateways",
      "hard-stop-after 30m, and --max-connection-age below it at the gateways"};
}

Verdict hard_stop_cut(const Subject& subject) {
  const HaproxyLine* line = subject.setup.global.last({"hard-stop-after"});
  const std::optional<Duration>& age = subject.options.max_connection_age;
  if (line == nullptr || line->words.size() < 2 || !age) return std::nullopt;
  const auto stop = parse_haproxy_time(line->words[1]);
  if (!stop || (*age > Duration::zero() && *age < *stop)) return std::nullopt;
  const std::string gateways = *age == Duration::zero()
                                   ? "gateways without --max-connection-age"
                                   : "the gateways' --max-connection-age " + format_duration(*age);
  return Complaint{
      line->number,
      "hard-stop-after " + line->words[1] + " and " + gateways +
          ": that long after a reload all sessions of the old worker get a bare FIN at "
          "the same moment, and all come back at once",
      "--max-connection-age at the gateways, shorter than hard-stop-after: they move "
      "the sessions before that, at a pace"};
}

Verdict server_name(const Subject& subject) {
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return needs_resolving(server) && !starts_without_address(server);
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{
      bad.front()->line,
      names_of(bad) +
          ": the name must resolve when HAProxy starts: one gateway's host or container "
          "late, and there is no start at all (could not resolve address)",
      "init-addr last,none and resolvers on the server's line, or an address"};
}

Verdict server_name_stale(const Subject& subject) {
  const auto bad = servers_where(*subject.proxy, [](const Server& server) {
    return needs_resolving(server) && starts_without_address(server) && !server.has("resolvers");
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{bad.front()->line,
                   names_of(bad) +
                       ": a name without resolvers is never asked for again: one that did not "
                       "resolve at the start stays in MAINT (resolution), its clients get 503",
                   "resolvers NAME on the server's line, and a section resolvers"};
}

}  // namespace sluice::ctl
