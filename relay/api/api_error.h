// How a request to the server API fails: the codes of the Centrifuge protocol and a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace sluice::relay::api {

enum class ErrorNumber : std::uint32_t {
  kNone = 0,
  kInternal = 100,  ///< temporary
  kUnauthorized = 101,
  kUnknownChannel = 102,
  kMethodNotFound = 104,
  kBadRequest = 107,
  kNotAvailable = 108,
  kTooManyRequests = 111,  ///< temporary
};

[[nodiscard]] constexpr std::string_view name_of(ErrorNumber number) {
  switch (number) {
    case ErrorNumber::kNone:
      return "none";
    case ErrorNumber::kUnauthorized:
      return "unauthorized";
    case ErrorNumber::kUnknownChannel:
      return "unknown channel";
    case ErrorNumber::kMethodNotFound:
      return "method not found";
    case ErrorNumber::kBadRequest:
      return "bad request";
    case ErrorNumber::kNotAvailable:
      return "not available";
    case ErrorNumber::kTooManyRequests:
      return "too many requests";
    case ErrorNumber::kInternal:
      break;
  }
  return "internal server error";
}

struct ApiError {
  ErrorNumber number = ErrorNumber::kNone;
  std::string detail;  ///< for people; may be empty
};

template <typename T>
using ApiResult = tl::expected<T, ApiError>;

[[nodiscard]] inline tl::unexpected<ApiError> refuse(ErrorNumber number, std::string detail = {}) {
  return tl::make_unexpected(ApiError{number, std::move(detail)});
}

/// What a request leads to: an error, or the text of a JSON object.
struct ApiReply {
  ApiError error;
  std::string result;

  [[nodiscard]] bool failed() const { return error.number != ErrorNumber::kNone; }
};

}  // namespace sluice::relay::api
