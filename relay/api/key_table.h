// Who may use the server API: keys, one per line of a file. Pure, but for read().
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {

class KeyTable {
 public:
  /// A line is a key, or a name for people, a colon and a key; empty lines and those that begin
  /// with '#' are skipped. An error names the line and says nothing of a key.
  [[nodiscard]] static Result<KeyTable> parse(std::string_view text);
  /// The same of a file, at most kKeyFileBytesMax.
  [[nodiscard]] static Result<KeyTable> read(const std::string& path);

  /// Takes as long for each key, right or wrong.
  [[nodiscard]] bool knows(std::string_view key) const;
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  /// Filled up with zeros, which no key has.
  using Padded = std::array<char, kKeyBytesMax>;
  struct Key {
    std::string name;
    Padded bytes{};
  };
  [[nodiscard]] static Padded padded(std::string_view key);
  [[nodiscard]] Result<void> add(std::string_view line, std::size_t number);

  std::vector<Key> keys_;
};

}  // namespace sluice::relay::api
