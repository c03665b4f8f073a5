// What the command line, the environment and the configuration file say; read once, constant from
// then on.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/log.h"
#include "relay/api/options.h"
#include "relay/router.h"

namespace sluice::relay {

struct RelayConfig {
  Address listen;
  unsigned socket_mode = 0660;
  std::vector<uid_t> allow_uids;  ///< never empty once read
  std::string broker = "memory:";
  std::string broker_password_file;
  std::string rules_file;    ///< empty: no channel has a history
  bool open_access = false;  ///< every channel has one; excludes rules_file
  RouterOptions router;
  std::string state_dir;  ///< empty: nothing is kept beyond the process
  std::optional<Address> admin_listen;
  api::ApiOptions api;
  bool check = false;  ///< say nothing, do nothing: it could be read
  /// State of the program that ran in this process before; -1: there was none.
  int resume_fd = -1;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

/// Fills `config`, or says with which code to exit: help was printed (0), or one line about what is
/// wrong (2), or all is well and nothing more was asked (--check, 0).
[[nodiscard]] std::optional<int> read_config(int argc, char** argv, RelayConfig& config);

}  // namespace sluice::relay
