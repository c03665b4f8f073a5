// The methods of the server API, and what each is called in paths, batches and metrics.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace sluice::relay::api {

enum class ApiMethod : std::size_t {
  kPublish,
  kBroadcast,
  kSubscribe,
  kUnsubscribe,
  kDisconnect,
  kRefresh,
  kPresence,
  kPresenceStats,
  kHistory,
  kHistoryRemove,
  kChannels,
  kInfo,
  kBatch,
};

/// In the order of ApiMethod.
inline constexpr std::array<std::string_view, 13> kMethodNames = {
    "publish",  "broadcast", "subscribe",      "unsubscribe", "disconnect",
    "refresh",  "presence",  "presence_stats", "history",     "history_remove",
    "channels", "info",      "batch"};
static_assert(kMethodNames[static_cast<std::size_t>(ApiMethod::kBatch)] == "batch");

[[nodiscard]] constexpr std::string_view name_of(ApiMethod method) {
  return kMethodNames[static_cast<std::size_t>(method)];
}

[[nodiscard]] constexpr std::optional<ApiMethod> method_named(std::string_view name) {
  for (std::size_t i = 0; i < kMethodNames.size(); ++i)
    if (kMethodNames[i] == name) return static_cast<ApiMethod>(i);
  return std::nullopt;
}

}  // namespace sluice::relay::api
