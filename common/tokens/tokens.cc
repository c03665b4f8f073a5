#include "common/tokens/tokens.h"

namespace sluice {

class TokenKeys {};

TokenVerifier::TokenVerifier() = default;
TokenVerifier::~TokenVerifier() = default;

}  // namespace sluice
