// A configuration as its proxies see it: inheritance from defaults resolved, servers with all their
// parameters, and which proxies carry WebSockets. Pure; points into the HaproxyConfig.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "ctl/haproxy_config.h"
#include "ctl/haproxy_lint/server.h"
#include "ctl/haproxy_lint/settings.h"

namespace sluice::ctl {

inline constexpr std::size_t kProxiesMax = 2000;
/// Lines of all proxies with what they inherit.
inline constexpr std::size_t kInheritedLinesMax = 500'000;
/// Of one condition with what its ACLs say.
inline constexpr std::size_t kConditionWordsMax = 4096;

struct Proxy {
  std::string kind;  ///< "frontend", "backend" or "listen"
  std::string name;
  std::size_t line = 0;
  Settings settings;
  std::vector<const HaproxyLine*> own;  ///< without what it inherits
  std::vector<Server> servers;
  std::multimap<std::string_view, const HaproxyLine*> acls;  ///< by name
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

/// What all judged frontends say together.
struct Fronts {
  std::optional<Duration> client_timeout;  ///< the shortest
  std::set<std::string> forwarding_to;     ///< backends to which one sends the client's address on
  bool sets_tunnel = false;                ///< http-request set-timeout tunnel
};

struct HaproxySetup {
  Settings global;              ///< of all `global` sections
  std::size_t global_line = 1;  ///< of the first; 1 where there is none
  std::vector<Proxy> proxies;   ///< in the file's order
  Fronts fronts;
};

/// The condition of a rule line, from `if` or `unless` on, each named ACL replaced by what the
/// proxy says of it. Words in the file's order.
[[nodiscard]] std::vector<std::string> condition_words(const Proxy& proxy, const HaproxyLine& line);

/// `only`: names of backends or listen sections; none: see haproxy/README.md, Lint, for how the
/// proxies are chosen.
/// Fails when the file is over a bound.
[[nodiscard]] Result<HaproxySetup> build_setup(const HaproxyConfig& config,
                                               const std::vector<std::string>& only);

}  // namespace sluice::ctl
