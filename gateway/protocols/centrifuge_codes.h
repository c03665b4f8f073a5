// The numbers of the Centrifuge protocol that clients act on: errors of replies, and why a
// subscription ended. Those of close frames are in gateway/close_code.h.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::gateway {

enum class CentrifugeError : std::uint32_t {
  kInternal = 100,  ///< temporary
  kUnauthorized = 101,
  kUnknownChannel = 102,
  kPermissionDenied = 103,
  kMethodNotFound = 104,
  kAlreadySubscribed = 105,
  kLimitExceeded = 106,
  kBadRequest = 107,
  kNotAvailable = 108,
  kTokenExpired = 109,  ///< the client fetches another
  kExpired = 110,
  kTooManyRequests = 111,  ///< temporary
  kUnrecoverable = 112,
};
[[nodiscard]] const char* to_string(CentrifugeError error);
[[nodiscard]] bool is_temporary(CentrifugeError error);

/// Codes from 2500 on make the client subscribe again.
enum class UnsubscribeCode : std::uint32_t {
  kServer = 2000,
  kInsufficientState = 2500,
  kExpired = 2501,
};

/// What an application may say of its own.
inline constexpr std::uint32_t kCustomErrorMin = 400;
inline constexpr std::uint32_t kCustomErrorMax = 1999;
/// An error or a reason that an application gives, in bytes; longer ones are cut.
inline constexpr std::size_t kApplicationTextBytesMax = 255;

/// An application's close code, where a client can be told it; else force disconnect.
[[nodiscard]] std::uint32_t application_close_code(std::uint32_t code);
[[nodiscard]] std::uint32_t application_unsubscribe_code(std::uint32_t code);
/// The reason of a close frame whose code is to count: SDKs look at the code only where there is a
/// reason, and take one that is JSON for advice in an older protocol's form.
[[nodiscard]] std::string application_close_reason(std::string reason);
/// Valid UTF-8 of at most so many bytes; what is no UTF-8 is left out whole.
[[nodiscard]] std::string bounded_text(std::string text, std::size_t bytes_max);

}  // namespace sluice::gateway
