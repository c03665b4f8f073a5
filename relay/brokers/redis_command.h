// Step 7 of a message's path: a command as Redis reads it, an array of bulk strings. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::relay {

/// Written to where it leaves from: the words are copied once. hiredis' formatter makes a block of
/// its own first, with printf.
void append_redis_command(std::string& out, std::span<const std::string_view> words);

}  // namespace sluice::relay
