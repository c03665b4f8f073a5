// What the command line, the environment and the configuration file say.
#pragma once

#include <optional>
#include <string>

#include "common/address.h"
#include "common/log.h"

namespace sluice::keeper {

struct KeeperConfig {
  std::string id;
  Address listen;  ///< a Unix socket's path
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
  bool check_only = false;
};

/// Fills `config`, or says with which code to exit: help was printed (0), or one line about what is
/// wrong (2).
[[nodiscard]] std::optional<int> read_config(int argc, char** argv, KeeperConfig& config);

}  // namespace sluice::keeper
