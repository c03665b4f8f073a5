// What is tested: the daemons of this build, or of the build directory that SLUICE_BUILD_DIR names.
// One build of the tests so serves all: what is sanitized are the daemons.
#pragma once

#include <string>

namespace sluice::test {

inline constexpr const char* kBuildVariable = "SLUICE_BUILD_DIR";

/// The build directory of the programs under test.
[[nodiscard]] std::string build_directory();

/// As the build says of itself, in its file `sanitizer`.
struct Sanitizer {
  std::string name;     ///< "address", "thread"; empty: none
  std::string runtime;  ///< the library to preload before all others; empty: none, or not found
};
[[nodiscard]] const Sanitizer& sanitizer();

/// Sanitized daemons: their memory says nothing about the product's.
[[nodiscard]] inline bool sanitized() {
  return !sanitizer().name.empty();
}

}  // namespace sluice::test
