// Hooks over real sockets on a real loop, against an application that answers as it should and one
// that does not. Time stands still: nothing times out unless a test says so.
#include "gateway/hooks/hooks.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "gateway/event_loop.h"
#include "gateway/limits.h"
#include "tests/process/support/hook_server.h"
#include "tests/unit/gateway/self_signed_server.h"

namespace {

/// Names ending in ".slow.test" are looked up for as long as the gate is shut.
class LookupGate {
 public:
  void shut() { set(true); }
  void open() { set(false); }
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !shut_; });
    --waiting_;
    changed_.notify_all();
  }
  /// Nobody is inside.
  void wait_empty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ == 0; });
  }
  [[nodiscard]] int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  void set(bool shut) {
    {
      const std::lock_guard lock(mutex_);
      shut_ = shut;
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool shut_ = false;
  int waiting_ = 0;
};

LookupGate lookup_gate;

}  // namespace

// libcurl's is bound to this one, for it is the program's.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const std::string_view name = node == nullptr ? "" : node;
  if (!name.ends_with(".slow.test")) return real(node, service, hints, found);
  lookup_gate.pass();
  return EAI_NONAME;
}

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::HookQuestion;
using test::HookReply;
using test::HookServer;

class HooksTest : public ::testing::Test {
 protected:
  HooksTest() {
    guard_.start_every(milliseconds(20));
    options_.urls[HookKind::kRpc] = server_.url("/rpc");
  }

  void make() {
    auto made = make_hooks(
        options_, loop_, time_,
        [this](HookAnswer answer) {
          EXPECT_FALSE(calling_) << "an answer from inside the call";
          answers_.push_back(std::move(answer));
          if (on_answer_) on_answer_();
        },
        stats_);
    ASSERT_TRUE(made) << made.error().message;
    hooks_ = std::move(*made);
  }
  void ask(HookKind kind = HookKind::kRpc, std::string body = R"({"a":1})",
           std::vector<std::pair<std::string, std::string>> headers = {}) {
    if (hooks_ == nullptr) make();
    calling_ = true;
    hooks_->call({.kind = kind,
                  .origin = {.index = 7, .generation = 3},
                  .ticket = ++ticket_,
                  .body = std::move(body),
                  .headers = std::move(headers)});
    calling_ = false;
  }
  void run_until(const std::function<bool()>& done) {
    const auto give_up = std::chrono::steady_clock::now() + seconds(60);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << "it does not come";
      loop_.run_once();
    }
  }
  /// The answer to the only question under way.
  HookAnswer answer() {
    const std::size_t before = answers_.size();
    run_until([&] { return answers_.size() > before; });
    return answers_.size() > before ? answers_.back() : HookAnswer{};
  }
  HookFault fault_of(const HookReply& reply) {
    server_.on("/rpc", [reply](const HookQuestion&) { return reply; });
    ask();
    return answer().fault;
  }
  void run_until_answers(std::size_t n) {
    run_until([&] { return answers_.size() >= n; });
  }
  std::size_t answers_with(HookFault fault) const {
    return static_cast<std::size_t>(
        std::count_if(answers_.begin(), answers_.end(),
                      [&](const HookAnswer& answer) { return answer.fault == fault; }));
  }
  std::uint64_t ended(HookKind kind, HookFault fault) { return stats_.ended(kind, fault); }

  EventLoop loop_;
  ManualTime time_;
  Timer guard_{loop_, [] {}};
  HookStats stats_;
  HookServer server_;
  HookOptions options_;
  std::unique_ptr<HookCaller> hooks_;
  std::vector<HookAnswer> answers_;
  std::function<void()> on_answer_;
  std::uint32_t ticket_ = 0;
  bool calling_ = false;
};

TEST_F(HooksTest, AQuestionAndItsAnswer) {
  server_.on("/rpc",
             [](const HookQuestion&) { return HookReply{.body = R"({"result":{"x":1}})"}; });
  ask(HookKind::kRpc, R"({"method":"m"})");
  EXPECT_EQ(stats_.in_flight, 1U);
  const HookAnswer got = answer();
  EXPECT_EQ(got.kind, HookKind::kRpc);
  EXPECT_EQ(got.origin, (ClientRef{7, 3}));
  EXPECT_EQ(got.ticket, 1U);
  EXPECT_EQ(got.fault, HookFault::kNone);
  EXPECT_EQ(got.body, R"({"result":{"x":1}})");
  ASSERT_EQ(server_.questions().size(), 1U);
  const HookQuestion question = server_.questions().front();
  EXPECT_EQ(question.method, "POST");
  EXPECT_EQ(question.path, "/rpc");
  EXPECT_EQ(question.body, R"({"method":"m"})");
  EXPECT_EQ(question.headers.at("content-type"), "application/json");
  EXPECT_EQ(question.headers.at("content-length"), "14");
  EXPECT_EQ(question.headers.at("user-agent").rfind("sluice/", 0), 0U);
  EXPECT_FALSE(question.headers.contains("expect"));
  EXPECT_EQ(stats_.in_flight, 0U);
  EXPECT_EQ(stats_.of(HookKind::kRpc).asked, 1U);
  EXPECT_EQ(ended(HookKind::kRpc, HookFault::kNone), 1U);
}

TEST_F(HooksTest, OnlyWhatHasAnEndpointIsAsked) {
  make();
  EXPECT_TRUE(hooks_->has(HookKind::kRpc));
  EXPECT_FALSE(hooks_->has(HookKind::kConnect));
  EXPECT_FALSE(hooks_->has(HookKind::kDisconnected));
}

TEST_F(HooksTest, LargeBodiesGoWithoutAskingFirst) {
  const std::string body(3U << 20U, 'x');
  ask(HookKind::kRpc, body);
  EXPECT_EQ(answer().fault, HookFault::kNone);
  EXPECT_EQ(server_.questions().front().body, body);
}

TEST_F(HooksTest, HeadersOfTheListAlone) {
  options_.forwarded_headers = {"cookie", "x-empty", "x-bad"};
  ask(HookKind::kRpc, "{}",
      {{"cookie", "session=1"},
       {"x-empty", ""},
       {"x-bad", "1\r\nx-smuggled: 1"},
       {"authorization", "not asked for"}});
  EXPECT_EQ(answer().fault, HookFault::kNone);
  const auto headers = server_.questions().front().headers;
  EXPECT_EQ(headers.at("cookie"), "session=1");
  EXPECT_EQ(headers.at("x-empty"), "");
  for (const char* absent : {"x-bad", "x-smuggled", "authorization"})
    EXPECT_FALSE(headers.contains(absent)) << absent;
}

TEST_F(HooksTest, TheConnectionIsKept) {
  for (int i = 0; i < 5; ++i) {
    ask();
    EXPECT_EQ(answer().fault, HookFault::kNone);
  }
  EXPECT_EQ(server_.connections(), 1U);
}

TEST_F(HooksTest, AClosedConnectionIsNoFault) {
  EXPECT_EQ(fault_of({.end = HookReply::End::kClose}), HookFault::kNone);
  EXPECT_EQ(fault_of({}), HookFault::kNone);
  EXPECT_EQ(server_.connections(), 2U);
}

TEST_F(HooksTest, OtherStatusesAreFaults) {
  for (const int status : {201, 204, 400, 401, 404, 429, 500, 503})
    EXPECT_EQ(fault_of({.status = status}), HookFault::kStatus) << status;
  EXPECT_TRUE(answers_.back().body.empty());
  EXPECT_EQ(ended(HookKind::kRpc, HookFault::kStatus), 8U);
}

TEST_F(HooksTest, RedirectsAreNotFollowed) {
  const std::string elsewhere = "Location: " + server_.url("/elsewhere") + "\r\n";
  for (const int status : {301, 302, 303, 307, 308})
    EXPECT_EQ(fault_of({.status = status, .headers = elsewhere}), HookFault::kStatus) << status;
  for (const HookQuestion& question : server_.questions()) EXPECT_EQ(question.path, "/rpc");
}

TEST_F(HooksTest, ConnectionsThatBreak) {
  EXPECT_EQ(fault_of({.end = HookReply::End::kCutBefore}), HookFault::kUnreachable);
  EXPECT_EQ(fault_of({.end = HookReply::End::kCutInside}), HookFault::kUnreachable);
  EXPECT_EQ(fault_of({}), HookFault::kNone);
}

TEST_F(HooksTest, NobodyListens) {
  std::string url;
  {
    const HookServer gone;
    url = gone.url("/");
  }
  options_.urls[HookKind::kRpc] = url;
  ask();
  EXPECT_EQ(answer().fault, HookFault::kUnreachable);
}

TEST_F(HooksTest, AnswersAreBounded) {
  options_.answer_bytes_max = 1000;
  EXPECT_EQ(fault_of({.body = std::string(1000, 'x')}), HookFault::kNone);
  EXPECT_EQ(answers_.back().body.size(), 1000U);
  EXPECT_EQ(fault_of({.body = std::string(1001, 'x')}), HookFault::kTooLarge);
  EXPECT_EQ(fault_of({.status = 500, .body = std::string(1001, 'x')}), HookFault::kTooLarge);
  EXPECT_EQ(fault_of({.body = std::string(300, 'x'), .end = HookReply::End::kEndless}),
            HookFault::kTooLarge);
  std::string headers;
  for (int i = 0; i < 100; ++i) headers += "X-H: " + std::string(1000, 'h') + "\r\n";
  EXPECT_EQ(fault_of({.headers = headers}), HookFault::kTooLarge);
  EXPECT_EQ(fault_of({}), HookFault::kNone);
}

TEST_F(HooksTest, NoAnswerInTime) {
  options_.timeout = milliseconds(20);
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  ask();
  ask();
  ASSERT_TRUE(server_.wait_questions(0, seconds(0)));
  run_until([&] { return server_.questions().size() == 2; });
  EXPECT_TRUE(answers_.empty());
  time_.advance(milliseconds(20));
  run_until_answers(2);
  EXPECT_EQ(answers_with(HookFault::kTimeout), 2U);
  EXPECT_EQ(stats_.in_flight, 0U);
  // What comes late is nobody's.
  server_.release();
  ask();
  EXPECT_EQ(answer().ticket, 3U);
  EXPECT_EQ(answers_.size(), 3U);
}

TEST_F(HooksTest, TheBoundOnQuestionsUnderWay) {
  options_.in_flight_max = 2;
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  for (int i = 0; i < 4; ++i) ask();
  run_until_answers(2);
  EXPECT_EQ(answers_with(HookFault::kBusy), 2U);
  EXPECT_EQ(stats_.in_flight, 2U);
  server_.release();
  run_until_answers(4);
  EXPECT_EQ(answers_with(HookFault::kNone), 2U);
  ask();
  EXPECT_EQ(answer().fault, HookFault::kNone) << "there is room again";
}

TEST_F(HooksTest, TheBoundOnTheirBytes) {
  ask(HookKind::kRpc, std::string(kHookBodyBytesMax - 1, 'x'));
  ask(HookKind::kRpc, "{}");
  EXPECT_EQ(answer().fault, HookFault::kBusy);
  ask(HookKind::kRpc, "1");
  run_until_answers(3);
  EXPECT_EQ(answers_with(HookFault::kNone), 2U);
  ask(HookKind::kRpc, "{}");
  EXPECT_EQ(answer().fault, HookFault::kNone);
}

TEST_F(HooksTest, MoreThanConnectionsWaitTheirTurn) {
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  for (std::size_t i = 0; i < kHookConnectionsMax + 30; ++i) ask();
  run_until([&] { return server_.questions().size() >= kHookConnectionsMax; });
  EXPECT_EQ(server_.connections(), kHookConnectionsMax);
  server_.release();
  run_until_answers(kHookConnectionsMax + 30);
  EXPECT_EQ(answers_with(HookFault::kNone), kHookConnectionsMax + 30);
  EXPECT_EQ(server_.questions().size(), kHookConnectionsMax + 30);
  EXPECT_EQ(server_.connections(), kHookConnectionsMax);
}

TEST_F(HooksTest, OneEndpointDoesNotHoldUpAnother) {
  options_.urls[HookKind::kConnect] = server_.url("/connect");
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  for (std::size_t i = 0; i < kHookConnectionsMax + 1; ++i) ask();
  ask(HookKind::kConnect);
  EXPECT_EQ(answer().kind, HookKind::kConnect);
}

TEST_F(HooksTest, WhatWaitsTimesOutToo) {
  options_.timeout = milliseconds(20);
  options_.breaker_failures = 1000;
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  for (std::size_t i = 0; i < kHookConnectionsMax + 5; ++i) ask();
  run_until([&] { return server_.questions().size() >= kHookConnectionsMax; });
  time_.advance(milliseconds(20));
  run_until_answers(kHookConnectionsMax + 5);
  EXPECT_EQ(answers_with(HookFault::kTimeout), kHookConnectionsMax + 5);
  EXPECT_EQ(stats_.in_flight, 0U);
}

TEST_F(HooksTest, ABreakerOfEachEndpoint) {
  options_.urls[HookKind::kConnect] = server_.url("/connect");
  options_.breaker_failures = 3;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(fault_of({.status = 500}), HookFault::kStatus);
  EXPECT_TRUE(stats_.of(HookKind::kRpc).breaker_open);
  EXPECT_EQ(fault_of({}), HookFault::kBreakerOpen);
  EXPECT_EQ(server_.questions().size(), 3U) << "it is not asked";
  ask(HookKind::kConnect);
  EXPECT_EQ(answer().fault, HookFault::kNone);
  time_.advance(options_.breaker_pause);
  EXPECT_EQ(fault_of({}), HookFault::kNone);
  EXPECT_FALSE(stats_.of(HookKind::kRpc).breaker_open);
  EXPECT_EQ(fault_of({}), HookFault::kNone);
}

TEST_F(HooksTest, RefusalsOfTheApplicationDoNotOpenTheBreaker) {
  options_.breaker_failures = 2;
  for (int i = 0; i < 6; ++i) EXPECT_EQ(fault_of({.status = 403}), HookFault::kStatus);
  EXPECT_FALSE(stats_.of(HookKind::kRpc).breaker_open);
}

TEST_F(HooksTest, AnOpenBreakerRefusesWhatWaits) {
  options_.timeout = milliseconds(20);
  options_.breaker_failures = 1;
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  for (std::size_t i = 0; i < kHookConnectionsMax; ++i) ask();
  run_until([&] { return server_.questions().size() >= kHookConnectionsMax; });
  time_.advance(milliseconds(10));
  for (int i = 0; i < 5; ++i) ask();
  time_.advance(milliseconds(10));
  run_until_answers(kHookConnectionsMax + 5);
  EXPECT_EQ(answers_with(HookFault::kTimeout), kHookConnectionsMax);
  EXPECT_EQ(answers_with(HookFault::kBreakerOpen), 5U);
  EXPECT_EQ(server_.questions().size(), kHookConnectionsMax);
}

TEST_F(HooksTest, NobodyHearsOfDisconnected) {
  options_.urls[HookKind::kDisconnected] = server_.url("/gone");
  ask(HookKind::kDisconnected);
  run_until([&] { return ended(HookKind::kDisconnected, HookFault::kNone) == 1; });
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(server_.questions().front().path, "/gone");
}

TEST_F(HooksTest, TheNextQuestionFromInsideAnAnswer) {
  options_.in_flight_max = 1;
  on_answer_ = [this] {
    if (ticket_ < 4) ask();
    if (ticket_ < 4) ask();  // over the bound: refused, in a later turn
  };
  ask();
  run_until_answers(4);
  EXPECT_EQ(answers_.size(), 4U);
}

TEST_F(HooksTest, ItsEndAbandonsWhatIsUnanswered) {
  options_.in_flight_max = 3;
  server_.on("/rpc", [](const HookQuestion&) { return HookReply{.hold = true}; });
  for (int i = 0; i < 3; ++i) ask();
  run_until([&] { return server_.questions().size() == 3; });
  ask();  // refused, and not told yet
  hooks_.reset();
  for (int i = 0; i < 5; ++i) loop_.run_once();
  EXPECT_TRUE(answers_.empty());
  EXPECT_EQ(stats_.in_flight, 0U);
}

TEST_F(HooksTest, TheEnvironmentHasNoSay) {
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
    ::setenv(name, "http://127.0.0.1:1", 1);
  ask();
  EXPECT_EQ(answer().fault, HookFault::kNone);
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
}

// The lookup ends only when the test lets it: if the loop waited for it, this would never end.
TEST_F(HooksTest, ALookupThatHangsHoldsUpNothing) {
  options_.timeout = milliseconds(20);
  options_.urls[HookKind::kConnect] = "http://app.slow.test/";
  lookup_gate.shut();
  ask(HookKind::kConnect);
  run_until([&] { return lookup_gate.waiting() == 1; });
  ask();
  EXPECT_EQ(answer().kind, HookKind::kRpc);
  time_.advance(milliseconds(20));
  const HookAnswer late = answer();
  EXPECT_EQ(late.kind, HookKind::kConnect);
  EXPECT_EQ(late.fault, HookFault::kTimeout);
  ask(HookKind::kConnect);
  run_until([&] { return lookup_gate.waiting() == 2; });
  hooks_.reset();
  EXPECT_EQ(lookup_gate.waiting(), 2);
  lookup_gate.open();
  lookup_gate.wait_empty();
}

TEST_F(HooksTest, CertificatesAreVerified) {
  SelfSignedServer impostor;
  options_.urls[HookKind::kRpc] = impostor.url();
  ask();
  EXPECT_EQ(answer().fault, HookFault::kUnreachable);
  EXPECT_TRUE(impostor.was_distrusted());
}

}  // namespace
}  // namespace sluice::gateway
