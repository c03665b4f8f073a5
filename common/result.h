// Errors as values. No exceptions leave a function of this project but in config code (CLI11,
// TOML).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace sluice {

/// What kind of fault this is; the message says the rest in words for a person.
enum class ErrorCode {
  kInvalid,      ///< input breaks a stated rule
  kTooLarge,     ///< input or queue over its bound
  kUnavailable,  ///< the other side is away for now
  kPermission,   ///< the system or a peer refuses
  kInUse,        ///< address or id already taken
  kSystem,       ///< a system call failed; the message carries errno's text
};

struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::make_unexpected(Error{code, std::move(message)});
}

}  // namespace sluice
