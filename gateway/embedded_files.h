// Files of the source tree inside the program: gateway/demo/embed.cmake writes the .cc when it is
// built.
#pragma once

#include <span>
#include <string_view>

namespace sluice::gateway {

struct EmbeddedFile {
  std::string_view name;  ///< without its directory
  std::string_view bytes;
};

/// gateway/demo/: the page, what it needs.
[[nodiscard]] std::span<const EmbeddedFile> demo_files();

}  // namespace sluice::gateway
