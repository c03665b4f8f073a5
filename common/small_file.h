// Files that an operator writes: settings, rules, keys. Read whole, up to a bound.
#pragma once

#include <cstddef>
#include <string>

#include "common/result.h"

namespace sluice {

/// An error says what is wrong and not of which file. Read here and not by the libraries that parse
/// it: some take a directory for an empty file, and none says why it could not open one.
[[nodiscard]] Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max);

/// Whether everybody on this machine may read it. False where that can't be known.
[[nodiscard]] bool is_world_readable(const std::string& path);

}  // namespace sluice
