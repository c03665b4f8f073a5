// Places where tests let this process die, as kill -9 would have it. SLUICE_FAULT_POINT=NAME, or
// NAME:COUNT for the COUNT-th time that it comes there; read once. Without it a place costs one
// branch.
#pragma once

#include <string_view>

namespace sluice::gateway {

namespace fault_points {
extern const bool wanted;
void reached(std::string_view name) noexcept;
}  // namespace fault_points

inline void fault_point(std::string_view name) noexcept {
  if (fault_points::wanted) [[unlikely]]
    fault_points::reached(name);
}

}  // namespace sluice::gateway
