// Rules about who gets the next client.
#include "ctl/haproxy_lint/rule.h"

namespace sluice::ctl {
namespace {

/// By hand: `random` draws two and takes the one with fewer sessions, which evens out as well.
std::string consequence(const std::string& algorithm) {
  if (algorithm == "roundrobin" || algorithm == "static-rr") {
    std::string text =
        ": sessions last for hours, and taking turns leaves the load where it fell (1/1/3/3 after "
        "one gateway's restart, and it stays so)";
    if (algorithm == "static-rr") text += "; agents can't change weights, add server is refused";
    return text;
  }
  if (algorithm == "first") return ": everybody goes to the first gateway until its maxconn is met";
  if (algorithm == "source") {
    return ": everybody behind one NAT or proxy is one address and meets one gateway (16 of 16)";
  }
  return ": clients that ask for the same meet the same gateway (16 of 16), whatever its load";
}

bool counts_sessions(const std::string& algorithm) {
  return algorithm == "leastconn" || algorithm.starts_with("random");
}

}  // namespace

Verdict balance(const Subject& subject) {
  const Proxy& proxy = *subject.proxy;
  if (!proxy.many_servers()) return std::nullopt;
  const HaproxyLine* line = proxy.settings.last({"balance"});
  const bool named = line != nullptr && line->words.size() > 1;
  const std::string algorithm = named ? line->words[1] : "roundrobin";
  if (counts_sessions(algorithm)) return std::nullopt;
  return Complaint{
      named ? line->number : proxy.line,
      (named ? "balance " + algorithm : "no balance, so roundrobin") + consequence(algorithm),
      "balance leastconn"};
}

Verdict slowstart(const Subject& subject) {
  const Proxy& proxy = *subject.proxy;
  const HaproxyLine* line = proxy.settings.last({"balance"});
  if (line == nullptr || !begins_with(*line, {"balance", "leastconn"}) || !proxy.many_servers())
    return std::nullopt;
  const auto bad = servers_where(proxy, [](const Server& server) {
    return server.has("check") && !server.has("slowstart") && !server.has("agent-check");
  });
  if (bad.empty()) return std::nullopt;
  return Complaint{
      bad.front()->line,
      names_of(bad) +
          " without slowstart or agent-check: a gateway that comes back gets every new "
          "client until it has as many as the others",
      "slowstart 20s, or agent-check with the gateway's weight"};
}

}  // namespace sluice::ctl
