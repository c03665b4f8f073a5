// The connection, against a peer written by hand: what the real HAProxy does is a process test's.
#include "gateway/haproxy_socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HaproxySocketTest : public ::testing::Test {
 protected:
  HaproxySocketTest() {
    auto fd = listen_on(*parse_address("127.0.0.1:0"), {});
    listener_ = std::move(*fd);
    socket_.emplace(loop_, *parse_address(local_name(listener_.get())));
  }
  void run(const std::string& command, Duration within = seconds(10)) {
    outcome_.reset();
    socket_->run(command, within,
                 [this](Result<std::string> reply) { outcome_ = std::move(reply); });
    EXPECT_FALSE(outcome_) << "never from inside the call";
  }
  /// Turns the loop until the command has come in whole; the peer's end of the connection.
  UniqueFd take(const std::string& command) {
    UniqueFd peer;
    std::string got;
    while (got.size() < command.size() + 1 && !outcome_) {
      loop_.run_once(false);
      if (!peer.valid())
        peer = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK));
      char buffer[256];
      const ssize_t n = peer.valid() ? ::read(peer.get(), buffer, sizeof buffer) : 0;
      if (n > 0) got.append(buffer, static_cast<std::size_t>(n));
    }
    EXPECT_EQ(got, command + "\n");
    return peer;
  }
  void send(const UniqueFd& peer, std::string_view bytes) {
    while (!bytes.empty() && !outcome_) {
      const ssize_t n = ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
      loop_.run_once(false);
    }
  }
  Result<std::string> outcome() {
    while (!outcome_) loop_.run_once();
    return *outcome_;
  }

  EventLoop loop_;
  UniqueFd listener_;
  std::optional<HaproxySocket> socket_;
  std::optional<Result<std::string>> outcome_;
};

TEST_F(HaproxySocketTest, AnswerInPiecesUntilTheEnd) {
  run("show info");
  UniqueFd peer = take("show info");
  for (const char c : std::string("1\n# a b\n\n")) send(peer, std::string(1, c));
  EXPECT_FALSE(outcome_);
  EXPECT_TRUE(socket_->busy());
  peer.reset();
  EXPECT_EQ(*outcome(), "1\n# a b\n\n");
  EXPECT_FALSE(socket_->busy());
}

TEST_F(HaproxySocketTest, TheNextCommandFromInsideTheAnswer) {
  std::string second;
  socket_->run("one", seconds(10), [&](Result<std::string> reply) {
    EXPECT_EQ(*reply, "1");
    run("two");
  });
  UniqueFd peer = take("one");
  send(peer, "1");
  peer.reset();
  peer = take("two");
  send(peer, "2");
  peer.reset();
  EXPECT_EQ(*outcome(), "2");
}

TEST_F(HaproxySocketTest, ClosedWithoutAWord) {
  run("x");
  take("x");
  EXPECT_EQ(outcome().error().message, "it closed without an answer");
}

TEST_F(HaproxySocketTest, SilenceIsBounded) {
  run("x", milliseconds(50));
  const UniqueFd peer = take("x");
  EXPECT_EQ(outcome().error().message, "it does not answer");
  // The time is for the whole answer, however it dribbles.
  run("y", milliseconds(50));
  const UniqueFd slow = take("y");
  while (!outcome_) send(slow, "z");
  EXPECT_EQ(outcome().error().message, "it does not answer");
}

TEST_F(HaproxySocketTest, LengthIsBounded) {
  run("x");
  UniqueFd peer = take("x");
  send(peer, std::string(kHaproxyReplyBytesMax, 'x'));
  EXPECT_FALSE(outcome_);
  send(peer, std::string(1 << 20, 'x'));
  EXPECT_EQ(outcome().error().message, "its answer is too long");
}

TEST_F(HaproxySocketTest, ResetIsTold) {
  run("x");
  UniqueFd peer = take("x");
  const linger now{1, 0};
  ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  peer.reset();
  EXPECT_EQ(outcome().error().message, "the connection broke: Connection reset by peer");
}

TEST_F(HaproxySocketTest, NobodyThere) {
  listener_.reset();
  run("x");
  EXPECT_EQ(outcome().error().message, "nobody listens");
  HaproxySocket unix_socket(loop_, *parse_address("unix:/nonexistent/haproxy.sock"));
  outcome_.reset();
  unix_socket.run("x", seconds(10),
                  [this](Result<std::string> reply) { outcome_ = std::move(reply); });
  EXPECT_FALSE(outcome_);
  EXPECT_EQ(outcome().error().message, "nothing there yet");
}

TEST_F(HaproxySocketTest, GoesWithACommandUnderWay) {
  run("x");
  const UniqueFd peer = take("x");
  socket_.reset();
  loop_.run_once(false);
  EXPECT_FALSE(outcome_);
}

}  // namespace
}  // namespace sluice::gateway
