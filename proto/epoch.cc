#include "proto/epoch.h"

#include <array>
#include <cstdio>

namespace sluice::proto {

std::string epoch_text(std::uint64_t epoch) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(epoch));
  return text.data();
}

}  // namespace sluice::proto
