#include "gateway/hooks/hooks.h"

#include "common/check.h"

namespace sluice::gateway {
namespace {

constexpr std::array<std::string_view, kHookKinds> kKindNames = {
    "connect", "refresh", "subscribe", "publish", "rpc", "disconnected"};
constexpr std::array<std::string_view, kHookFaults> kFaultNames = {
    "none", "timeout", "unreachable", "status", "too large", "busy", "breaker open"};

}  // namespace

std::string_view to_string(HookKind kind) {
  CHECK(static_cast<std::size_t>(kind) < kHookKinds);
  return kKindNames[static_cast<std::size_t>(kind)];
}

std::string_view to_string(HookFault fault) {
  CHECK(static_cast<std::size_t>(fault) < kHookFaults);
  return kFaultNames[static_cast<std::size_t>(fault)];
}

}  // namespace sluice::gateway
