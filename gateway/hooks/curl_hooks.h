// Hooks for real: each endpoint has its breaker, its transfers under way and what waits for one of
// them to end. All calls stand in one list in the order of their deadlines, which is the order in
// which they came, for all have the same time-out.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "gateway/hooks/curl_multi.h"
#include "gateway/hooks/hook_breaker.h"
#include "gateway/hooks/hook_transfer.h"
#include "gateway/hooks/hooks.h"

namespace sluice::gateway {

class CurlHooks final : public HookCaller {
 public:
  CurlHooks(HookOptions options, EventLoop& loop, const TimeSource& time,
            std::function<void(HookAnswer)> answered, HookStats& stats);
  ~CurlHooks() override;

  [[nodiscard]] bool has(HookKind kind) const override;
  [[nodiscard]] const std::vector<std::string>& forwarded_headers() const override {
    return options_.forwarded_headers;
  }
  void call(HookRequest request) override;

 private:
  struct Endpoint;
  struct Call;
  using Calls = std::list<Call>;
  using Outcome = HookTransfer::Outcome;

  struct Endpoint {
    Endpoint(HookKind of, HookTransfer::Settings with, const HookOptions& options)
        : kind(of),
          settings(std::move(with)),
          breaker(options.breaker_failures, options.breaker_pause) {}
    HookKind kind;
    HookTransfer::Settings settings;
    HookBreaker breaker;
    std::size_t active = 0;
    std::deque<Calls::iterator> waiting;
  };
  struct Call {
    HookRequest request;
    Endpoint* endpoint = nullptr;
    HookBreaker::Pass pass{};
    TimePoint asked_at{};
    TimePoint deadline{};
    std::unique_ptr<HookTransfer> transfer;  ///< null: it waits
    Calls::iterator place{};
  };

  /// kNone: it may be asked, and `pass` says how.
  [[nodiscard]] HookFault admit(Endpoint& endpoint, std::size_t bytes, HookBreaker::Pass& pass);
  void start(Calls::iterator call);
  void start_waiting(Endpoint& endpoint);
  void transfer_done(CURL* transfer, CURLcode code);
  void end(Calls::iterator call, Outcome outcome);
  [[nodiscard]] HookRequest take(Calls::iterator call);
  void judge(Endpoint& endpoint, HookBreaker::Pass pass, const Outcome& outcome);
  void refuse_waiting(Endpoint& endpoint);
  void expire();
  void watch_deadline();
  void answer(const HookRequest& request, HookFault fault, std::string body);
  void answer_later(HookRequest request, HookFault fault);
  void answer_refused();

  const HookOptions options_;
  EventLoop& loop_;
  const TimeSource& time_;
  const std::function<void(HookAnswer)> answered_;
  HookStats& stats_;
  std::array<std::unique_ptr<Endpoint>, kHookKinds> endpoints_;
  Timer deadline_;
  CurlMulti multi_;
  Calls calls_;
  std::size_t body_bytes_ = 0;                              ///< of all calls
  std::vector<std::pair<HookRequest, HookFault>> refused_;  ///< to be told at the end of the turn
  /// For the deferred task that may outlive this object.
  std::shared_ptr<CurlHooks*> self_;
};

}  // namespace sluice::gateway
