// The demo page and its files (--demo): `/` is index.html, `/NAME` any other file of gateway/demo.
// Public and the same for everybody; nothing of the gateway's state is in them.
#pragma once

#include "gateway/page_source.h"

namespace sluice::gateway {

class DemoPages final : public PageSource {
 public:
  /// Answers GET and HEAD for its own paths, 405 for other methods on them; everything else, and
  /// whatever asks for a WebSocket, is not its business.
  [[nodiscard]] std::optional<PageAnswer> answer(const HttpHead& head) const override;
};

}  // namespace sluice::gateway
