// Programs that may or may not be on this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace sluice::fanout {

/// Its path, looked for in PATH and where Debian has its daemons.
[[nodiscard]] std::optional<std::string> find_program(const std::string& name);

/// First group of `pattern` in what the command prints; "unknown" where there is none.
[[nodiscard]] std::string version_by(const std::vector<std::string>& command,
                                     const std::string& pattern);

/// Of the account that runs the bench: for daemons that would change theirs.
[[nodiscard]] std::string own_account();

}  // namespace sluice::fanout
