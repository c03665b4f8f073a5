#include "relay/brokers/redis_command.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <limits>

namespace sluice::relay {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

void append_line(std::string& out, char kind, std::size_t number) {
  std::array<char, 1 + std::numeric_limits<std::size_t>::digits10 + 1 + kLineEnd.size()> line;
  line[0] = kind;
  char* end = std::to_chars(line.data() + 1, line.data() + line.size(), number).ptr;
  end += kLineEnd.copy(end, kLineEnd.size());
  out.append(line.data(), end);
}

}  // namespace

void append_redis_command(std::string& out, std::span<const std::string_view> words) {
  append_line(out, '*', words.size());
  for (const std::string_view word : words) {
    append_line(out, '$', word.size());
    out.append(word).append(kLineEnd);
  }
}

}  // namespace sluice::relay
