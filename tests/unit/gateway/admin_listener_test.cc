// The admin pages over a real socket.
#include "gateway/admin_listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

namespace sluice::gateway {
namespace {

class AdminListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address_), size), 0);
    ASSERT_EQ(::listen(fd.get(), 256), 0);
    ASSERT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address_), &size), 0);
    pages_.add("/big", [] { return HttpReply{200, "text/plain", std::string(2'000'000, 'x')}; });
    pages_.add("/healthz", [] { return HttpReply{200, "text/plain", "ok\n"}; });
    admin_.emplace(loop_, std::move(fd), pages_, time_);
  }

  UniqueFd dial() {
    UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // Non-blocking: "in progress" is the answer.
    static_cast<void>(
        ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_));
    return client;
  }

  std::string hear(const UniqueFd& fd) {
    Timer tick(loop_, [] {});
    tick.start_every(std::chrono::milliseconds(1));
    std::string all;
    const TimePoint give_up = time_.now() + std::chrono::seconds(5);
    while (time_.now() < give_up) {
      loop_.run_once();
      char buffer[65536];
      const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n > 0) all.append(buffer, static_cast<std::size_t>(n));
      if (n == 0 || (n < 0 && errno != EAGAIN)) return all;
    }
    return "no end";
  }

  std::string ask(std::string_view bytes) {
    const UniqueFd client = dial();
    EXPECT_EQ(::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    return hear(client);
  }

  EventLoop loop_;
  SteadyTime time_;
  AdminPages pages_;
  sockaddr_in address_{};
  std::optional<AdminListener> admin_;
};

TEST_F(AdminListenerTest, ServesPages) {
  const std::string reply = ask("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
  EXPECT_TRUE(reply.ends_with("\r\n\r\nok\n")) << reply;
  EXPECT_TRUE(ask("GET /healthz?x HTTP/1.1\r\nHost: a\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminListenerTest, RefusesTheRest) {
  EXPECT_TRUE(ask("GET /none HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
  const std::string post = ask("POST /healthz HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(post.starts_with("HTTP/1.1 405 "));
  EXPECT_NE(post.find("\r\nAllow: GET\r\n"), std::string::npos);
  EXPECT_TRUE(ask("HEAD /healthz HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n"));
  EXPECT_TRUE(ask("nonsense\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("GET /healthz HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask("GET / HTTP/3.0\r\n\r\n").starts_with("HTTP/1.1 505 "));
  EXPECT_TRUE(ask("GET /" + std::string(kHeadBytesMax, 'x')).starts_with("HTTP/1.1 431 "));
}

TEST_F(AdminListenerTest, LargePagesArriveWhole) {
  const std::string reply = ask("GET /big HTTP/1.0\r\n\r\n");
  EXPECT_GT(reply.size(), 2'000'000U);
  EXPECT_TRUE(reply.ends_with("xxx"));
}

TEST_F(AdminListenerTest, ConnectionsAreBounded) {
  std::vector<UniqueFd> idle;
  for (std::size_t i = 0; i < kAdminConnectionsMax; ++i) idle.push_back(dial());
  for (int i = 0; i < 100 && admin_->connections() < kAdminConnectionsMax; ++i) {
    loop_.run_once(false);
  }
  ASSERT_EQ(admin_->connections(), kAdminConnectionsMax);
  EXPECT_TRUE(hear(dial()).starts_with("HTTP/1.1 503 "));
  idle.clear();
  for (int i = 0; i < 100 && admin_->connections() > 0; ++i) loop_.run_once(false);
  EXPECT_TRUE(ask("GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace sluice::gateway
