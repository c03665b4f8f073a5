#include "bench/restart/record.h"

#include <array>

namespace sluice::restart {

const char* name_of(Who who) {
  static constexpr std::array kNames{"listener", "speaker", "pulse", "newcomer"};
  return kNames.at(static_cast<std::size_t>(who));
}

const char* name_of(FaultKind kind) {
  static constexpr std::array kNames{"lost", "twice", "misordered", "corrupt", "pong"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace sluice::restart
