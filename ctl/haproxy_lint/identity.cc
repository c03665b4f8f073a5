// Rules about the client's address and the PROXY protocol.
#include <algorithm>

#include "ctl/haproxy_lint/rule.h"
#include "ctl/haproxy_lint/traffic.h"

namespace sluice::ctl {
namespace {

/// The server is the gateway that was asked.
bool is_at(const Server& server, const std::string& address) {
  if (server.kind == Server::Kind::kUnix) return address == "unix:" + server.path;
  const std::string host =
      server.host.find(':') == std::string::npos ? server.host : "[" + server.host + "]";
  return address == host + ":" + server.port;
}

/// Those at the gateway's address; where nobody is, any: gateways are alike.
std::vector<const Server*> asked_servers(const Subject& subject, const std::string& address) {
  const auto at = [&](const Server& server) { return is_at(server, address); };
  for (const Proxy& proxy : subject.setup.proxies) {
    if (proxy.judged && !servers_where(proxy, at).empty()) return servers_where(*subject.proxy, at);
  }
  return servers_where(*subject.proxy, [](const Server&) { return true; });
}

}  // namespace

Verdict client_address(const Subject& subject) {
  const Proxy& proxy = *subject.proxy;
  if (sets_forwarded(proxy.settings) || subject.setup.fronts.forwarding_to.contains(proxy.name))
    return std::nullopt;
  const auto bad =
      servers_where(proxy, [](const Server& server) { return server.send_proxy() == nullptr; });
  if (bad.empty()) return std::nullopt;
  return Complaint{
      bad.front()->line,
      names_of(bad) +
          " without send-proxy-v2 (or option forwardfor): to the gateways every client "
          "has HAProxy's address, in logs and for limits per address",
      "send-proxy-v2, and --proxy-protocol required --trusted-proxy CIDR at the gateways"};
}

Verdict proxy_mismatch(const Subject& subject) {
  if (!subject.options.gateway) return std::nullopt;
  const GatewayAnswers& gateway = *subject.options.gateway;
  const auto asked = asked_servers(subject, gateway.address);
  for (const Server* server : asked) {
    const ServerParameter* proxied = server->send_proxy();
    if (proxied != nullptr && !gateway.proxied) {
      return Complaint{
          proxied->line,
          names_of({server}) + ": the gateway at " + gateway.address +
              " closes a connection that begins with a PROXY header: every client gets "
              "502, and the checks on another port see nothing of it",
          "--proxy-protocol required and --trusted-proxy with HAProxy's address at the "
          "gateway, or no send-proxy here"};
    }
    if (proxied == nullptr && !gateway.plain) {
      return Complaint{
          server->line,
          names_of({server}) + ": the gateway at " + gateway.address +
              " closes a connection without a PROXY header: every client gets 502, and "
              "the checks on another port see nothing of it",
          "send-proxy-v2 on the server's line"};
    }
  }
  return std::nullopt;
}

}  // namespace sluice::ctl
