// A `server` line with everything that default-server lines gave it (HAProxy configuration manual,
// 5.2). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/haproxy_config.h"

namespace sluice::ctl {

struct ServerParameter {
  std::string value;     ///< empty: a word that takes none
  std::size_t line = 0;  ///< of the file
};

using ServerParameters = std::map<std::string, ServerParameter, std::less<>>;

struct Server {
  enum class Kind { kNumeric, kName, kUnix, kOther };

  std::string name;
  std::string address;  ///< as written
  Kind kind = Kind::kOther;
  std::string host;  ///< numeric or name
  std::string port;  ///< as written; may be empty, or begin with + or -
  std::string path;  ///< Unix
  std::size_t line = 0;
  std::uint64_t count = 1;  ///< server-template: so many
  ServerParameters parameters;

  [[nodiscard]] const ServerParameter* find(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The word that switches the PROXY protocol on, or null.
  [[nodiscard]] const ServerParameter* send_proxy() const;
};

/// `words` from `first` on; a later one replaces an earlier, `no-NAME` takes NAME away.
void read_server_parameters(const HaproxyLine& line, std::size_t first, ServerParameters& into);

/// A `server` or `server-template` line; none: it lacks name or address.
[[nodiscard]] std::optional<Server> read_server(const HaproxyLine& line,
                                                const ServerParameters& defaults);

}  // namespace sluice::ctl
