// A configuration as its proxies see it: inheritance from defaults resolved, servers with all their
// parameters, and which proxies carry WebSockets. Pure; points into the HaproxyConfig.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/haproxy_config.h"
#include "ctl/haproxy_lint/server.h"
#include "ctl/haproxy_lint/settings.h"

namespace sluice::ctl {

struct Proxy {
  std::string kind;  ///< "frontend", "backend" or "listen"
  std::string name;
  std::size_t line = 0;
  Settings settings;
  std::vector<const HaproxyLine*> own;  ///< without what it inherits
  std::vector<Server> servers;
  bool judged = false;  ///< carries WebSockets, as far as can be told

  [[nodiscard]] bool front() const { return kind != "backend"; }
  /// Has servers, or may get them at run time.
  [[nodiscard]] bool back() const {
    return kind == "backend" || (kind == "listen" && !routes_on());
  }
  /// Sends its traffic to another proxy's servers.
  [[nodiscard]] bool routes_on() const;
  [[nodiscard]] bool http() const;
  /// Servers, those of templates counted; without any, servers come at run time: many.
  [[nodiscard]] bool many_servers() const;
};

struct HaproxySetup {
  Settings global;              ///< of all `global` sections
  std::size_t global_line = 1;  ///< of the first; 1 where there is none
  std::vector<Proxy> proxies;   ///< in the file's order
};

/// The condition of a rule line, from `if` or `unless` on, each named ACL replaced by what the
/// proxy says of it. Words in the file's order.
[[nodiscard]] std::vector<std::string> condition_words(const Proxy& proxy, const HaproxyLine& line);

/// `only`: names of backends or listen sections; none: see haproxy/README.md, Lint, for how the
/// proxies are chosen.
[[nodiscard]] HaproxySetup build_setup(const HaproxyConfig& config,
                                       const std::vector<std::string>& only);

}  // namespace sluice::ctl
