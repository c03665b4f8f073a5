#include "gateway/hooks/curl_hooks.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/units.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

/// A timer that comes a little early comes again.
constexpr Duration kDeadlineStep = std::chrono::milliseconds(1);

}  // namespace

CurlHooks::CurlHooks(HookOptions options, EventLoop& loop, const TimeSource& time,
                     std::function<void(HookAnswer)> answered, HookStats& stats)
    : options_(std::move(options)),
      loop_(loop),
      time_(time),
      answered_(std::move(answered)),
      stats_(stats),
      deadline_(loop, [this] { expire(); }),
      multi_(loop, static_cast<long>(kHookConnectionsMax * kHookKinds),
             [this](CURL* transfer, CURLcode code) { transfer_done(transfer, code); }),
      self_(std::make_shared<CurlHooks*>(this)) {
  for (const auto& [kind, url] : options_.urls) {
    endpoints_[static_cast<std::size_t>(kind)] = std::make_unique<Endpoint>(
        kind,
        HookTransfer::Settings{.url = url,
                               .answer_bytes_max = options_.answer_bytes_max,
                               .forwarded_headers = &options_.forwarded_headers},
        options_);
  }
}

CurlHooks::~CurlHooks() {
  stats_.in_flight = 0;
}

bool CurlHooks::has(HookKind kind) const {
  return endpoints_[static_cast<std::size_t>(kind)] != nullptr;
}

void CurlHooks::call(HookRequest request) {
  CHECK(has(request.kind));
  Endpoint& endpoint = *endpoints_[static_cast<std::size_t>(request.kind)];
  ++stats_.of(request.kind).asked;
  HookBreaker::Pass pass{};
  if (const HookFault fault = admit(endpoint, request.body.size(), pass); fault != HookFault::kNone)
    return answer_later(std::move(request), fault);
  const TimePoint now = time_.now();
  body_bytes_ += request.body.size();
  Call& made = calls_.emplace_back();
  made.request = std::move(request);
  made.endpoint = &endpoint;
  made.pass = pass;
  made.asked_at = now;
  made.deadline = now + options_.timeout;
  const auto call = std::prev(calls_.end());
  made.place = call;
  stats_.in_flight = calls_.size();
  if (calls_.size() == 1) watch_deadline();
  if (endpoint.active < kHookConnectionsMax) return start(call);
  endpoint.waiting.push_back(call);
}

HookFault CurlHooks::admit(Endpoint& endpoint, std::size_t bytes, HookBreaker::Pass& pass) {
  if (calls_.size() >= options_.in_flight_max || bytes > kHookBodyBytesMax - body_bytes_)
    return HookFault::kBusy;
  // Last, for a probe that is let through must be sent.
  pass = endpoint.breaker.ask(time_.now());
  return pass == HookBreaker::Pass::kRefused ? HookFault::kBreakerOpen : HookFault::kNone;
}

void CurlHooks::start(Calls::iterator call) {
  Endpoint& endpoint = *call->endpoint;
  // A list's elements stay where they are.
  call->transfer = HookTransfer::start(multi_, endpoint.settings, call->request, &*call);
  if (call->transfer != nullptr) {
    ++endpoint.active;
    return;
  }
  const HookBreaker::Pass pass = call->pass;
  answer_later(take(call), HookFault::kUnreachable);
  judge(endpoint, pass,
        {.fault = HookFault::kUnreachable, .ill = true, .cause = "out of memory", .body = {}});
}

void CurlHooks::start_waiting(Endpoint& endpoint) {
  while (!endpoint.waiting.empty() && endpoint.active < kHookConnectionsMax) {
    const Calls::iterator next = endpoint.waiting.front();
    endpoint.waiting.pop_front();
    start(next);
  }
}

void CurlHooks::transfer_done(CURL* transfer, CURLcode code) {
  auto* call = static_cast<Call*>(HookTransfer::owner_of(transfer));
  CHECK(call != nullptr && call->transfer != nullptr);
  end(call->place, call->transfer->outcome(code));
}

void CurlHooks::end(Calls::iterator call, Outcome outcome) {
  Endpoint& endpoint = *call->endpoint;
  const HookBreaker::Pass pass = call->pass;
  const TimePoint asked_at = call->asked_at;
  const HookRequest request = take(call);
  if (outcome.fault == HookFault::kNone)
    stats_.answer_seconds.observe(std::chrono::duration<double>(time_.now() - asked_at).count());
  judge(endpoint, pass, outcome);
  start_waiting(endpoint);
  answer(request, outcome.fault, std::move(outcome.body));
}

HookRequest CurlHooks::take(Calls::iterator call) {
  Endpoint& endpoint = *call->endpoint;
  if (call->transfer != nullptr) {
    --endpoint.active;
    call->transfer.reset();
  }
  HookRequest request = std::move(call->request);
  body_bytes_ -= request.body.size();
  calls_.erase(call);
  stats_.in_flight = calls_.size();
  return request;
}

void CurlHooks::judge(Endpoint& endpoint, HookBreaker::Pass pass, const Outcome& outcome) {
  using Change = HookBreaker::Change;
  const Change change =
      outcome.ill ? endpoint.breaker.failed(pass, time_.now()) : endpoint.breaker.succeeded();
  stats_.of(endpoint.kind).breaker_open = endpoint.breaker.open();
  if (change == Change::kClosed)
    log_info("the {} hook answers again: it is asked", to_string(endpoint.kind));
  if (change != Change::kOpened) return;
  log_warn("the {} hook has failed {} times in a row ({}): it is not asked, but tried every {}",
           to_string(endpoint.kind), options_.breaker_failures, outcome.cause,
           format_duration(options_.breaker_pause));
  refuse_waiting(endpoint);
}

void CurlHooks::refuse_waiting(Endpoint& endpoint) {
  while (!endpoint.waiting.empty()) {
    const Calls::iterator call = endpoint.waiting.front();
    endpoint.waiting.pop_front();
    answer_later(take(call), HookFault::kBreakerOpen);
  }
}

void CurlHooks::expire() {
  while (!calls_.empty() && calls_.front().deadline <= time_.now()) {
    const auto call = calls_.begin();
    if (call->transfer == nullptr) {
      // Both are in the order in which they came.
      CHECK(call->endpoint->waiting.front() == call);
      call->endpoint->waiting.pop_front();
    }
    end(call,
        {.fault = HookFault::kTimeout, .ill = true, .cause = "no answer in time", .body = {}});
  }
  watch_deadline();
}

void CurlHooks::watch_deadline() {
  if (calls_.empty()) return deadline_.stop();
  deadline_.start_once(std::max(kDeadlineStep, calls_.front().deadline - time_.now()));
}

void CurlHooks::answer(const HookRequest& request, HookFault fault, std::string body) {
  ++stats_.ended(request.kind, fault);
  if (request.kind == HookKind::kDisconnected) return;
  answered_({.kind = request.kind,
             .origin = request.origin,
             .ticket = request.ticket,
             .fault = fault,
             .body = std::move(body)});
}

void CurlHooks::answer_later(HookRequest request, HookFault fault) {
  request.body = {};
  refused_.emplace_back(std::move(request), fault);
  if (refused_.size() > 1) return;
  loop_.defer([alive = std::weak_ptr<CurlHooks*>(self_)] {
    if (const auto self = alive.lock()) (*self)->answer_refused();
  });
}

void CurlHooks::answer_refused() {
  // Who is refused may ask again at once: that is told in the next turn.
  for (const auto& [request, fault] : std::exchange(refused_, {})) answer(request, fault, {});
}

Result<std::unique_ptr<HookCaller>> make_hooks(HookOptions options, EventLoop& loop,
                                               const TimeSource& time,
                                               std::function<void(HookAnswer)> answered,
                                               HookStats& stats) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return fail(ErrorCode::kSystem, "hooks: libcurl does not start");
  const curl_version_info_data* version = curl_version_info(CURLVERSION_NOW);
  if ((version->features & CURL_VERSION_ASYNCHDNS) == 0) {
    return fail(ErrorCode::kSystem, std::string("hooks: libcurl ") + version->version +
                                        " looks names up in the caller's thread: it is built "
                                        "without AsynchDNS");
  }
  return std::make_unique<CurlHooks>(std::move(options), loop, time, std::move(answered), stats);
}

}  // namespace sluice::gateway
