// What a payload is to a JSON client, and how it stands inside a JSON text. Pure.
//
// The grammar is judged here, and not by a parser: a parser refuses what it can't hold (numbers of
// more than 64 bits, half a surrogate pair), but JavaScript writes both, and a payload is passed on
// as it is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "proto/frame.h"

namespace sluice::gateway {

/// Containers in each other; deeper is no JSON here.
inline constexpr std::size_t kJsonDepthMax = 256;

enum class JsonContent {
  kValue,        ///< one JSON value (RFC 8259), with or without white space around it
  kBrokenLines,  ///< the same, with line breaks between its parts
  kText,         ///< UTF-8, but no JSON
  kBytes,        ///< anything else
};
[[nodiscard]] JsonContent json_content(proto::Bytes bytes);

/// A JSON value without line breaks: a value as it is, text as a string, anything else as
/// {"b64data":"…"}.
void append_json_value(std::string& out, proto::Bytes bytes);
/// A JSON string. What is no UTF-8 is replaced by U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_without_line_breaks(std::string& out, std::string_view text);

}  // namespace sluice::gateway
