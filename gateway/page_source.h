// What the acceptor answers to requests that want no WebSocket, beside its refusals.
#pragma once

#include <optional>
#include <string>

#include "gateway/http_head.h"
#include "gateway/refusal.h"

namespace sluice::gateway {

struct PageAnswer {
  std::string reply;                     ///< the whole HTTP reply
  std::optional<RefusalReason> refused;  ///< set: it is a refusal, and counted as one
};

class PageSource {
 public:
  virtual ~PageSource() = default;
  /// Nothing: the request is judged as an upgrade.
  [[nodiscard]] virtual std::optional<PageAnswer> answer(const HttpHead& head) const = 0;
};

}  // namespace sluice::gateway
