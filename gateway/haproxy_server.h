// How HAProxy is to know this gateway: its address there, and the words of `add server` that the
// gateway's own flags imply (HAProxy's configuration manual 5.2, management guide "add server").
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/result.h"
#include "gateway/config.h"

namespace sluice::gateway {

/// What listeners are really bound to; those that are Unix sockets are absent.
struct BoundAddresses {
  std::optional<Address> clients;  ///< the first of --listen
  std::optional<Address> admin;
  std::optional<Address> agent;
};

/// What a listening socket is bound to, if that is TCP.
[[nodiscard]] std::optional<Address> bound_tcp(int fd);

struct ServerPlan {
  std::string backend;
  std::string name;
  Address at;         ///< where HAProxy connects to
  std::string words;  ///< behind BACKEND/NAME
  /// Given to HAProxy as the server's own, so that a later look at its table tells whose the server
  /// is and whether it is just as we would make it.
  std::uint32_t id = 0;
  bool agent = false;  ///< an agent check is among the words

  [[nodiscard]] std::string full_name() const { return backend + "/" + name; }
};

/// Fails, naming flag and remedy, where HAProxy could not reach what is listened on.
[[nodiscard]] Result<ServerPlan> plan_server(const GatewayConfig& config,
                                             const BoundAddresses& bound);

/// The upper half is made of the name, the lower of name and words. Above any id that HAProxy deals
/// out by itself.
[[nodiscard]] std::uint32_t server_id(std::string_view name, std::string_view words);
/// A gateway of that name has made it, whatever its words.
[[nodiscard]] bool made_for(std::uint32_t id, std::string_view name);

/// "BACKEND/NAME" or "BACKEND": 1 to 64 of HAProxy's characters for names each.
[[nodiscard]] Result<BackendServer> parse_backend_server(const std::string& text);
/// --haproxy-options: words for `add server` that can't end the command or undo what we rely on.
[[nodiscard]] Result<std::string> parse_server_options(const std::string& text);

}  // namespace sluice::gateway
