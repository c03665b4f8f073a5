// What --hook-… flags may say.
#pragma once

#include <string>

#include "common/result.h"

namespace sluice::gateway {

/// http:// or https://, with a host. User and password in it are sent (Basic); so a refusal does
/// not repeat what was given.
[[nodiscard]] Result<std::string> parse_hook_url(const std::string& text);
/// A header of the client's upgrade request that hooks are to see, in lower case. None of those
/// that say how our own request is framed.
[[nodiscard]] Result<std::string> parse_hook_header(const std::string& text);

}  // namespace sluice::gateway
