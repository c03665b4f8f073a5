// What HAProxy's stats socket answers: its table of servers, and its refusals (HAProxy's management
// guide, 9.3 "Unix Socket commands"). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace sluice::gateway {

/// A line of `show servers state`.
struct HaproxyServer {
  std::uint32_t id = 0;      ///< srv_id
  std::string address;       ///< srv_addr; "-": a Unix socket, or a name not yet resolved
  std::uint16_t port = 0;    ///< srv_port
  unsigned operational = 0;  ///< srv_op_state
  unsigned admin = 0;        ///< srv_admin_state, bits
  unsigned check = 0;        ///< srv_check_state, bits
};

/// srv_op_state
inline constexpr unsigned kServerStopped = 0;
inline constexpr unsigned kServerStarting = 1;
inline constexpr unsigned kServerRunning = 2;
inline constexpr unsigned kServerStopping = 3;
/// srv_admin_state: set by a command. An agent's words `maint` and `drain` set the same bits.
inline constexpr unsigned kAdminMaintenance = 0x01;
inline constexpr unsigned kAdminDrain = 0x08;
/// srv_check_state
inline constexpr unsigned kCheckEnabled = 0x04;

/// False: these are HAProxy's words, not its table or the beginning of one.
[[nodiscard]] bool is_server_table(std::string_view reply);
/// The server of that name in a table of one backend. Columns are found by their names, so that
/// more of them do no harm. A table that is cut short, or lacks what we need, is a fault.
[[nodiscard]] Result<std::optional<HaproxyServer>> find_server(std::string_view reply,
                                                               std::string_view name);

enum class HaproxyRefusal {
  kPermission,  ///< the socket's level is below admin
  kNoBackend,
  kStaticBalance,  ///< static-rr and its like take no dynamic server
  kNameTaken,      ///< another server has the name
  kParameters,     ///< a word of `add server`
  kSessions,       ///< not to be deleted: sessions are left
  kOther,
};
inline constexpr std::array<const char*, 7> kHaproxyRefusalNames = {
    "permission", "no_backend", "static_balance", "name_taken", "parameters", "sessions", "other"};

[[nodiscard]] HaproxyRefusal judge_refusal(std::string_view words);
/// The last line that says something, as it may stand in a log: printable, of bounded length.
/// Empty: HAProxy had nothing to say, which is its yes.
[[nodiscard]] std::string said_last(std::string_view reply);
/// The first such line: of a list of possible commands it says what is wrong.
[[nodiscard]] std::string said_first(std::string_view reply);

}  // namespace sluice::gateway
