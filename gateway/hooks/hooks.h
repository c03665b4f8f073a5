// Asks the application over HTTP: may this client connect, subscribe, publish; what does this RPC
// answer. Asynchronous (libcurl's multi interface on the gateway's loop), bounded, with a time-out
// and a breaker per endpoint. The shapes of request and answer are Centrifugo's proxy
// (docs/HOOKS.md).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "gateway/client_session.h"

namespace sluice::gateway {

class EventLoop;

enum class HookKind : std::uint8_t {
  kConnect,
  kRefresh,
  kSubscribe,
  kPublish,
  kRpc,
  kDisconnected
};
[[nodiscard]] std::string_view to_string(HookKind kind);

struct HookOptions {
  std::map<HookKind, std::string> urls;  ///< http:// or https://; kinds left out are not asked
  Duration timeout = std::chrono::seconds(1);
  std::size_t in_flight_max = 1000;  ///< all endpoints; the next fails at once
  std::size_t answer_bytes_max = 256U << 10U;
  std::vector<std::string> forwarded_headers;  ///< of the upgrade request, lower case
  std::uint32_t breaker_failures = 10;         ///< in a row, then the endpoint is not asked
  Duration breaker_pause = std::chrono::seconds(5);
};

struct HookRequest {
  HookKind kind{};
  ClientRef origin;  ///< who hears the answer, if it is still there
  std::uint32_t ticket = 0;
  std::string body;  ///< JSON
  /// Of the client's upgrade request: those of forwarded_headers, as name and value.
  std::vector<std::pair<std::string, std::string>> headers;
};

enum class HookFault : std::uint8_t {
  kNone,
  kTimeout,
  kUnreachable,
  kStatus,
  kTooLarge,
  kBusy,
  kBreakerOpen
};
[[nodiscard]] std::string_view to_string(HookFault fault);

struct HookAnswer {
  HookKind kind{};
  ClientRef origin;
  std::uint32_t ticket = 0;
  HookFault fault = HookFault::kNone;
  std::string body;  ///< of a 200; JSON by its sender's word only
};

struct HookStats {
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  std::uint64_t failed = 0;  ///< all faults
  std::uint64_t timeouts = 0;
  std::uint64_t refused_busy = 0;
  std::uint64_t refused_breaker = 0;
  std::uint64_t in_flight = 0;  ///< now
};

/// What the protocol asks through; a fake in its unit tests.
class HookCaller {
 public:
  virtual ~HookCaller() = default;
  [[nodiscard]] virtual bool has(HookKind kind) const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& forwarded_headers() const = 0;
  /// The answer comes later from the loop, never from inside; kDisconnected's is dropped.
  virtual void call(HookRequest request) = 0;
};

/// For real. `answered` is called from the loop.
[[nodiscard]] Result<std::unique_ptr<HookCaller>> make_hooks(
    HookOptions options, EventLoop& loop, const TimeSource& time,
    std::function<void(HookAnswer)> answered, HookStats& stats);

}  // namespace sluice::gateway
