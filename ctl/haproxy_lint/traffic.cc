#include "ctl/haproxy_lint/traffic.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

namespace sluice::ctl {
namespace {

using Names = std::set<std::string>;

/// What speaks no HTTP on these ports, in mode tcp.
constexpr std::array<std::string_view, 24> kOtherPorts = {
    "21",   "22",   "25",   "53",   "110",  "143",   "389",   "465",
    "587",  "636",  "993",  "995",  "1433", "1521",  "1883",  "3306",
    "3389", "5432", "5672", "6379", "9092", "11211", "26379", "27017"};
constexpr std::array<std::string_view, 7> kOtherChecks = {
    "redis-check", "mysql-check", "pgsql-check",  "smtpchk",
    "ldap-check",  "spop-check",  "ssl-hello-chk"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool conditional(const HaproxyLine& line) {
  return std::any_of(line.words.begin(), line.words.end(),
                     [](const auto& word) { return word == "if" || word == "unless"; });
}

/// An answer of HAProxy's own for every request: nothing is passed on.
bool answers_itself(const Proxy& proxy) {
  return std::any_of(proxy.own.begin(), proxy.own.end(), [](const HaproxyLine* line) {
    if (conditional(*line)) return false;
    for (const std::string_view action :
         {"deny", "reject", "return", "redirect", "use-service", "tarpit", "silent-drop"}) {
      if (begins_with(*line, {"http-request", action})) return true;
    }
    return begins_with(*line, {"redirect"});
  });
}

bool has_other_ports(const Proxy& proxy) {
  return !proxy.servers.empty() &&
         std::all_of(proxy.servers.begin(), proxy.servers.end(), [](const Server& server) {
           return std::find(kOtherPorts.begin(), kOtherPorts.end(), server.port) !=
                  kOtherPorts.end();
         });
}

bool is_statistics(const Proxy& proxy) {
  return proxy.servers.empty() && !proxy.routes_on() &&
         std::any_of(proxy.own.begin(), proxy.own.end(),
                     [](const HaproxyLine* line) { return line->words.front() == "stats"; });
}

/// What can't carry WebSockets, whoever leads to it.
bool is_something_else(const Proxy& proxy) {
  const Settings& settings = proxy.settings;
  if (settings.has({"disabled"}) || is_statistics(proxy) || answers_itself(proxy)) return true;
  const HaproxyLine* mode = settings.last({"mode"});
  if (mode != nullptr && mode->words.size() > 1 && mode->words[1] != "http" &&
      mode->words[1] != "tcp")
    return true;
  if (!proxy.back()) return false;
  if (settings.has({"use-fcgi-app"}) || settings.has({"http-response", "cache-store"})) return true;
  if (!proxy.http() && has_other_ports(proxy)) return true;
  return std::any_of(kOtherChecks.begin(), kOtherChecks.end(),
                     [&](auto check) { return settings.option(check) != nullptr; });
}

bool names_upgrades(const std::vector<std::string>& condition) {
  bool found = false;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    const std::string word = lower(condition[i]);
    // "unless" and "!" say where upgrades don't go.
    if (word == "unless" || (word.starts_with('!') && word.find("websocket") != std::string::npos))
      return false;
    found = found || word.find("upgrade") != std::string::npos ||
            word.find("websocket") != std::string::npos;
  }
  return found;
}

/// Where a frontend sends what it gets.
struct Routes {
  Names all;
  Names upgrades;         ///< by a condition that names them
  bool anywhere = false;  ///< a name that is made at run time
};

Routes routes_of(const Proxy& proxy) {
  Routes routes;
  for (const HaproxyLine* line : proxy.settings.lines()) {
    const bool use = begins_with(*line, {"use_backend"});
    if ((!use && !begins_with(*line, {"default_backend"})) || line->words.size() < 2) continue;
    const std::string& name = line->words[1];
    if (name.find('%') != std::string::npos) routes.anywhere = true;
    routes.all.insert(name);
    if (use && names_upgrades(condition_words(proxy, *line))) routes.upgrades.insert(name);
  }
  return routes;
}

class Chooser {
 public:
  Chooser(HaproxySetup& setup, const std::vector<std::string>& only)
      : setup_(setup), only_(only.begin(), only.end()) {
    for (Proxy& proxy : setup.proxies) {
      if (!proxy.front() || is_something_else(proxy)) continue;
      const Routes routes = routes_of(proxy);
      anywhere_ = anywhere_ || routes.anywhere;
      reached_.insert(routes.all.begin(), routes.all.end());
      const Names& carrying = routes.upgrades.empty() ? routes.all : routes.upgrades;
      carrying_.insert(carrying.begin(), carrying.end());
    }
  }

  void choose() {
    for (Proxy& proxy : setup_.proxies) {
      if (proxy.back()) proxy.judged = back_judged(proxy);
    }
    for (Proxy& proxy : setup_.proxies) {
      if (!proxy.back()) proxy.judged = !is_something_else(proxy) && leads_to_judged(proxy);
    }
  }

 private:
  [[nodiscard]] bool back_judged(const Proxy& proxy) const {
    if (!only_.empty()) return only_.contains(proxy.name);
    if (is_something_else(proxy)) return false;
    if (proxy.kind == "listen") return true;
    if (carrying_.contains(proxy.name)) return true;
    // Nobody names it: a name made at run time may, or traffic comes from another file.
    return !reached_.contains(proxy.name) && (anywhere_ || !proxy.servers.empty());
  }

  [[nodiscard]] bool leads_to_judged(const Proxy& front) const {
    const Routes routes = routes_of(front);
    return std::any_of(setup_.proxies.begin(), setup_.proxies.end(), [&](const Proxy& proxy) {
      return proxy.judged && proxy.back() && (routes.anywhere || routes.all.contains(proxy.name));
    });
  }

  HaproxySetup& setup_;
  Names only_;
  Names reached_;
  Names carrying_;
  bool anywhere_ = false;
};

}  // namespace

bool sets_forwarded(const Settings& settings) {
  if (settings.option("forwardfor") != nullptr || settings.option("forwarded") != nullptr)
    return true;
  return std::any_of(settings.lines().begin(), settings.lines().end(), [](const HaproxyLine* line) {
    if (line->words.size() < 3 || line->words[0] != "http-request") return false;
    const std::string header = lower(line->words[2]);
    return (line->words[1] == "set-header" || line->words[1] == "add-header") &&
           (header == "x-forwarded-for" || header == "forwarded");
  });
}

void choose_judged(HaproxySetup& setup, const std::vector<std::string>& only) {
  Chooser(setup, only).choose();
}

Fronts judged_fronts(const HaproxySetup& setup) {
  Fronts fronts;
  for (const Proxy& proxy : setup.proxies) {
    if (!proxy.judged || !proxy.front()) continue;
    if (const auto client = proxy.settings.timeout("client")) {
      fronts.client_timeout =
          fronts.client_timeout ? std::min(*fronts.client_timeout, client->value) : client->value;
    }
    if (sets_forwarded(proxy.settings)) fronts.forwarding_to.merge(routes_of(proxy).all);
    fronts.sets_tunnel =
        fronts.sets_tunnel || proxy.settings.has({"http-request", "set-timeout", "tunnel"});
  }
  return fronts;
}

}  // namespace sluice::ctl
