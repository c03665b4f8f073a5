// Finds the parts of a JSON text and leaves each as it was written: what is published reaches the
// clients byte by byte, numbers of any size included. Pure.
#pragma once

#include <string_view>
#include <vector>

namespace sluice::relay::api {

struct RawMember {
  std::string_view key;  ///< with its quotes
  std::string_view value;
};

/// Of an object that a JSON parser has accepted, in its order.
[[nodiscard]] std::vector<RawMember> raw_members(std::string_view object);
/// Of an array that a JSON parser has accepted.
[[nodiscard]] std::vector<std::string_view> raw_elements(std::string_view array);
/// Without the white space around it.
[[nodiscard]] std::string_view trim_json(std::string_view text);

}  // namespace sluice::relay::api
