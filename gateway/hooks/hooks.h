// Asks the application over HTTP: may this client connect, subscribe, publish; what does this RPC
// answer. Asynchronous (libcurl's multi interface on the gateway's loop), bounded, with a time-out
// and a breaker per endpoint. The shapes of request and answer are Centrifugo's proxy
// (docs/HOOKS.md).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/metrics.h"
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
inline constexpr std::size_t kHookKinds = 6;
[[nodiscard]] std::string_view to_string(HookKind kind);

struct HookOptions {
  std::map<HookKind, std::string> urls;  ///< http:// or https://; kinds left out are not asked
  Duration timeout = std::chrono::seconds(1);
  std::size_t in_flight_max = 1000;  ///< all endpoints; the next fails at once
  std::size_t answer_bytes_max = 256U << 10U;
  std::vector<std::string> forwarded_headers;  ///< of the upgrade request, lower case
  std::uint32_t breaker_failures = 10;         ///< in a row, then the endpoint is not asked; not 0
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
inline constexpr std::size_t kHookFaults = 7;  ///< kNone included
[[nodiscard]] std::string_view to_string(HookFault fault);

struct HookAnswer {
  HookKind kind{};
  ClientRef origin;
  std::uint32_t ticket = 0;
  HookFault fault = HookFault::kNone;
  std::string body;  ///< of a 200; JSON by its sender's word only
};

struct HookStats {
  struct Kind {
    std::uint64_t asked = 0;  ///< calls, whatever became of them
    /// By fault; under kNone the answers. What was abandoned is under none.
    std::array<std::uint64_t, kHookFaults> ended{};
    bool breaker_open = false;  ///< now
  };
  std::array<Kind, kHookKinds> kinds{};
  std::uint64_t in_flight = 0;  ///< now
  /// From the call to a 200.
  HistogramData answer_seconds{
      {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}};

  [[nodiscard]] Kind& of(HookKind kind) { return kinds[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Kind& of(HookKind kind) const {
    return kinds[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t& ended(HookKind kind, HookFault fault) {
    return of(kind).ended[static_cast<std::size_t>(fault)];
  }
};

/// What the protocol asks through; a fake in its unit tests.
class HookCaller {
 public:
  virtual ~HookCaller() = default;
  [[nodiscard]] virtual bool has(HookKind kind) const = 0;
  [[nodiscard]] virtual const std::vector<std::string>& forwarded_headers() const = 0;
  /// The answer comes later from the loop, never from inside; kDisconnected's is dropped. Only of
  /// a kind that it has().
  virtual void call(HookRequest request) = 0;
};

/// For real. `answered` is called from the loop, for each call once, HookOptions::timeout after the
/// call at the latest. What is unanswered when the caller is destroyed is abandoned: nobody hears
/// of it. Fails where libcurl would look names up in this thread.
[[nodiscard]] Result<std::unique_ptr<HookCaller>> make_hooks(
    HookOptions options, EventLoop& loop, const TimeSource& time,
    std::function<void(HookAnswer)> answered, HookStats& stats);

}  // namespace sluice::gateway
