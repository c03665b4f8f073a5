// What HAProxy 2.6.12 answered, byte by byte.
#pragma once

#include <string_view>

namespace sluice::gateway::replies {

inline constexpr std::string_view kTable =
    "1\n"
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
    "srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
    "3 gw 3 bad - 0 1 1 1 178 1 0 0 0 0 0 0 localhost 1 - 0 0 - - 0\n"
    "3 gw 1 5555 127.0.0.1 2 0 1 1 178 15 3 4 6 0 0 0 - 19010 - 0 19011 - - 19011\n"
    "3 gw 1073741824 i1 127.0.0.1 0 1 100 100 0 1 0 0 2 18 0 1 - 19010 - 0 19011 - - 19012\n"
    "\n";
inline constexpr std::string_view kEmptyTable =
    "1\n"
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "
    "srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl "
    "srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
    "\n";
inline constexpr std::string_view kYes = "\n";
inline constexpr std::string_view kAdded = "New server registered.\n\n";
inline constexpr std::string_view kDeleted = "Server deleted.\n";
/// Of `disable health; set server … state maint; del server` on one line.
inline constexpr std::string_view kRetired = "\n\nServer deleted.\n";
inline constexpr std::string_view kRetiredNotDeleted =
    "\n\nServer still has connections attached to it, cannot remove it.\n";
inline constexpr std::string_view kNoServer = "No such server.\n";
inline constexpr std::string_view kNoBackendLook = "Can't find backend.\n\n";
inline constexpr std::string_view kNoBackendAdd = "No such backend.\n";
inline constexpr std::string_view kPermission = "Permission denied\n\n";
inline constexpr std::string_view kStaticRr =
    "Backend must use a dynamic load balancing to support dynamic servers.\n";
inline constexpr std::string_view kTaken =
    "Already exists a server with the same name in backend.\n\n";
inline constexpr std::string_view kSessionsLeft =
    "Server still has connections attached to it, cannot remove it.\n";
inline constexpr std::string_view kUnknownCommand =
    "Unknown command, but maybe one of the following ones is a better match:\n"
    "  enable frontend <frontend>              : re-enable specific frontend\n"
    "  prompt                                  : toggle interactive mode with prompt\n"
    "  quit                                    : disconnect\n\n";

}  // namespace sluice::gateway::replies
