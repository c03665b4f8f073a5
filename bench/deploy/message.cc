#include "bench/deploy/message.h"

#include <charconv>

namespace sluice::bench {
namespace {

/// Takes a number and the space behind it off the front of `text`.
bool take(std::string_view& text, std::uint32_t& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop == end || *stop != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()) + 1);
  return true;
}

}  // namespace

std::string to_text(const Message& message, std::size_t bytes) {
  std::string text = "d ";
  for (const std::uint32_t part : {message.room, message.sender, message.number}) {
    text += std::to_string(part);
    text += ' ';
  }
  if (text.size() < bytes) text.resize(bytes, '.');
  return text;
}

std::optional<Message> parse_message(std::string_view text) {
  if (text.substr(0, 2) != "d ") return std::nullopt;
  text.remove_prefix(2);
  Message message;
  if (!take(text, message.room) || !take(text, message.sender) || !take(text, message.number)) {
    return std::nullopt;
  }
  return message;
}

std::string channel_of(std::uint32_t room) {
  std::string name = std::to_string(room);
  name.insert(0, 1, 'r');
  return name;
}

}  // namespace sluice::bench
