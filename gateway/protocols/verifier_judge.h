// The gateway's TokenVerifier as the Centrifuge protocol asks it.
#pragma once

#include "gateway/protocols/centrifuge_service.h"

namespace sluice::gateway {

class VerifierJudge final : public TokenJudge {
 public:
  /// Outlives it.
  explicit VerifierJudge(const TokenVerifier& verifier) : verifier_(verifier) {}

  [[nodiscard]] bool has_keys() const override { return verifier_.has_keys(); }
  [[nodiscard]] tl::expected<ConnectionClaims, TokenFailure> connection(
      std::string_view token, std::int64_t now) const override {
    return verifier_.connection(token, now);
  }
  [[nodiscard]] tl::expected<SubscriptionClaims, TokenFailure> subscription(
      std::string_view token, std::int64_t now) const override {
    return verifier_.subscription(token, now);
  }

 private:
  const TokenVerifier& verifier_;
};

}  // namespace sluice::gateway
