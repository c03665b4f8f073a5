#include "gateway/protocols/centrifuge_codes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/utf8.h"
#include "gateway/close_code.h"
#include "gateway/limits.h"
#include "proto/frame.h"

namespace sluice::gateway {

const char* to_string(CentrifugeError error) {
  switch (error) {
    case CentrifugeError::kInternal:
      return "internal server error";
    case CentrifugeError::kUnauthorized:
      return "unauthorized";
    case CentrifugeError::kUnknownChannel:
      return "unknown channel";
    case CentrifugeError::kPermissionDenied:
      return "permission denied";
    case CentrifugeError::kMethodNotFound:
      return "method not found";
    case CentrifugeError::kAlreadySubscribed:
      return "already subscribed";
    case CentrifugeError::kLimitExceeded:
      return "limit exceeded";
    case CentrifugeError::kBadRequest:
      return "bad request";
    case CentrifugeError::kNotAvailable:
      return "not available";
    case CentrifugeError::kTokenExpired:
      return "token expired";
    case CentrifugeError::kExpired:
      return "expired";
    case CentrifugeError::kTooManyRequests:
      return "too many requests";
    case CentrifugeError::kUnrecoverable:
      return "unrecoverable position";
  }
  return "error";
}

bool is_temporary(CentrifugeError error) {
  return error == CentrifugeError::kInternal || error == CentrifugeError::kTooManyRequests;
}

std::uint32_t application_close_code(std::uint32_t code) {
  // Below 3000 a client hears nothing but "the connection is gone", from 5000 on no frame has it.
  return code >= 3000 && code <= 4999 ? code
                                      : static_cast<std::uint32_t>(CloseCode::kForceDisconnect);
}

std::uint32_t application_unsubscribe_code(std::uint32_t code) {
  return code >= 2000 && code <= 2999 ? code : static_cast<std::uint32_t>(UnsubscribeCode::kServer);
}

std::string application_close_reason(std::string reason) {
  std::string text = bounded_text(std::move(reason), kCloseReasonBytesMax);
  if (text.empty()) return "disconnect";
  if (nlohmann::json::accept(text)) text = bounded_text("reason: " + text, kCloseReasonBytesMax);
  return text;
}

std::string bounded_text(std::string text, std::size_t bytes_max) {
  if (!valid_utf8(proto::as_bytes(text))) return {};
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0U) == 0x80U)
    --bytes_max;
  text.resize(bytes_max);
  return text;
}

}  // namespace sluice::gateway
