#include "gateway/balancer_state.h"

#include <charconv>

namespace sluice::gateway {

bool gives_clients(std::string_view state) {
  if (!state.starts_with("UP")) return false;
  constexpr std::string_view kWeight = "weight=";
  const auto at = state.find(kWeight);
  if (at == std::string_view::npos) return true;
  const char* end = state.data() + state.size();
  unsigned own = 0;
  const auto [slash, error] = std::from_chars(state.data() + at + kWeight.size(), end, own);
  if (error != std::errc{}) return true;
  if (own == 0) return false;
  unsigned all = 0;
  if (slash == end || *slash != '/' || std::from_chars(slash + 1, end, all).ec != std::errc{})
    return true;
  return own <= all;
}

}  // namespace sluice::gateway
