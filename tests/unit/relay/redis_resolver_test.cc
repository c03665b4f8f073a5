#include "relay/brokers/redis_resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <semaphore>

#include "relay/brokers/redis_limits.h"
#include "tests/unit/relay/redis_test_loop.h"

namespace sluice::relay {
namespace {

using namespace std::chrono_literals;

/// A system's resolver that waits until it is told to go on. Shared with threads that may outlive
/// the test.
struct Slow {
  std::counting_semaphore<> go{0};
  std::atomic<int> calls{0};
};

RedisResolver::LookUp slow_look_up(const std::shared_ptr<Slow>& slow) {
  return [slow](const char*, const char* port, const addrinfo* hints, addrinfo** out) {
    ++slow->calls;
    slow->go.acquire();
    return ::getaddrinfo("127.0.0.9", port, hints, out);
  };
}

struct ResolvedWorld {
  test::TestLoop loop;
  std::optional<Result<RedisEndpoints>> result;
  RedisResolver::Done keep() {
    return [this](Result<RedisEndpoints> found) { result.emplace(std::move(found)); };
  }
  bool wait(Duration at_most) {
    return loop.run_until(at_most, [this] { return result.has_value(); });
  }
};

TEST(RedisResolver, NumericNeedsNoThread) {
  ResolvedWorld w;
  RedisResolver resolver(w.loop.base(), [](auto...) { return EAI_FAIL; });
  resolver.start("127.0.0.1", 6379, w.keep());
  EXPECT_FALSE(w.result);  // never from inside
  ASSERT_TRUE(w.wait(1s));
  ASSERT_TRUE(*w.result);
  EXPECT_EQ((**w.result)[0].name, "127.0.0.1:6379");
  w.result.reset();
  resolver.start("::1", 1, w.keep());
  ASSERT_TRUE(w.wait(1s));
  EXPECT_EQ((**w.result)[0].name, "[::1]:1");
}

TEST(RedisResolver, NameByThread) {
  ResolvedWorld w;
  RedisResolver resolver(w.loop.base());
  resolver.start("localhost", 6379, w.keep());
  ASSERT_TRUE(w.wait(5s));
  ASSERT_TRUE(*w.result) << w.result->error().message;
  EXPECT_FALSE((*w.result)->empty());
}

TEST(RedisResolver, FailureIsTold) {
  ResolvedWorld w;
  RedisResolver resolver(w.loop.base(), [](auto...) { return EAI_NONAME; });
  resolver.start("nowhere.invalid", 6379, w.keep());
  ASSERT_TRUE(w.wait(1s));
  ASSERT_FALSE(*w.result);
  EXPECT_TRUE(w.result->error().message.starts_with("nowhere.invalid: "));
}

// A question lost on its way (the name server of a container network restarts with the container
// that is asked for): the system waits for its answer, we ask again.
TEST(RedisResolver, LateAndThenAskedAgain) {
  ResolvedWorld w;
  const auto calls = std::make_shared<std::atomic<int>>(0);
  const auto slow = std::make_shared<Slow>();
  RedisResolver resolver(w.loop.base(), [calls, slow](const char* host, const char* port,
                                                      const addrinfo* hints, addrinfo** out) {
    if (++*calls == 1) return slow_look_up(slow)(host, port, hints, out);
    return ::getaddrinfo("127.0.0.8", port, hints, out);
  });
  resolver.start("lost.example", 6379, w.keep());
  ASSERT_TRUE(w.wait(kResolveWait + 10s));
  ASSERT_FALSE(*w.result);
  w.result.reset();
  resolver.start("lost.example", 6379, w.keep());
  ASSERT_TRUE(w.wait(kResolveWait + 10s));
  ASSERT_TRUE(*w.result) << w.result->error().message;
  EXPECT_EQ((**w.result)[0].name, "127.0.0.8:6379");
  slow->go.release();
}

TEST(RedisResolver, ThreadsThatWaitAreFewAndThenTakenUpAgain) {
  ResolvedWorld w;
  const auto slow = std::make_shared<Slow>();
  RedisResolver resolver(w.loop.base(), slow_look_up(slow));
  resolver.start("slow.example", 6379, w.keep());
  for (std::size_t i = 0; i < kResolveThreadsMax; ++i) {
    ASSERT_TRUE(w.wait(kResolveWait + 10s));
    ASSERT_FALSE(*w.result);
    EXPECT_EQ(w.result->error().message, "slow.example: the name server does not answer");
    w.result.reset();
    resolver.start("slow.example", 6379, w.keep());
  }
  slow->go.release(kResolveThreadsMax);
  ASSERT_TRUE(w.wait(kResolveWait + 10s));
  ASSERT_TRUE(*w.result);
  EXPECT_EQ((**w.result)[0].name, "127.0.0.9:6379");
  EXPECT_EQ(slow->calls, static_cast<int>(kResolveThreadsMax));
}

TEST(RedisResolver, CancelledOrGoneWhileTheThreadRuns) {
  ResolvedWorld w;
  const auto slow = std::make_shared<Slow>();
  {
    RedisResolver resolver(w.loop.base(), slow_look_up(slow));
    resolver.start("slow.example", 6379, w.keep());
    ASSERT_TRUE(w.loop.run_until(1s, [&] { return slow->calls == 1; }));
    resolver.cancel();
    resolver.start("slow.example", 6379, w.keep());
  }
  slow->go.release();
  // The thread lets go of what it shares when it is done.
  EXPECT_TRUE(w.loop.run_until(5s, [&] { return slow.use_count() == 1; }));
  EXPECT_FALSE(w.result);
}

}  // namespace
}  // namespace sluice::relay
