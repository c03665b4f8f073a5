#include "common/tokens/token_text.h"

#include "common/base64.h"
#include "common/tokens/strict_json.h"

namespace sluice {

std::optional<TokenParts> split_token(std::string_view token) {
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  if (first == std::string_view::npos || first == last || token.find('.', first + 1) != last)
    return std::nullopt;
  return TokenParts{.signed_part = token.substr(0, last),
                    .header = token.substr(0, first),
                    .payload = token.substr(first + 1, last - first - 1),
                    .signature = token.substr(last + 1)};
}

std::optional<nlohmann::ordered_json> decode_token_part(std::string_view part) {
  const auto bytes = decode_base64url(part);
  if (!bytes) return std::nullopt;
  auto json = parse_strict_json(*bytes);
  if (!json || !json->is_object()) return std::nullopt;
  return json;
}

}  // namespace sluice
