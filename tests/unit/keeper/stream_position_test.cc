// The kernel's counters against bytes that were counted here, on real TCP connections of the
// loopback.
#include "keeper/stream_position.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <thread>

#include "common/unique_fd.h"

namespace sluice::keeper {
namespace {

struct Connection {
  UniqueFd server, client;

  Connection() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* name = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), name, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), name, &size), 0);
    client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), name, size), 0);
    server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(server.valid());
  }
};

/// What has been sent is there; true when the peer has closed behind it.
void wait_readable(int socket, short what = POLLIN) {
  pollfd entry{socket, what, 0};
  ASSERT_EQ(::poll(&entry, 1, 10'000), 1);
}

void expect_position(int socket, std::uint64_t sent, std::uint64_t received) {
  const auto position = stream_position(socket);
  ASSERT_TRUE(position);
  EXPECT_EQ(position->sent, sent);
  EXPECT_EQ(position->received, received);
}

TEST(StreamPosition, NothingYet) {
  const Connection c;
  expect_position(c.server.get(), 0, 0);
}

TEST(StreamPosition, UnreadBytesAreNotReceivedAndUnacknowledgedOnesAreSent) {
  const Connection c;
  const std::string text(1000, 'x');
  ASSERT_EQ(::send(c.client.get(), text.data(), text.size(), 0), 1000);
  wait_readable(c.server.get());
  expect_position(c.server.get(), 0, 0);
  std::array<char, 300> buffer{};
  ASSERT_EQ(::recv(c.server.get(), buffer.data(), buffer.size(), 0), 300);
  expect_position(c.server.get(), 0, 300);
  // Far more than the peer's window takes: most of it stays with us.
  const std::string much(64U << 20U, 'y');
  const ssize_t sent = ::send(c.server.get(), much.data(), much.size(), MSG_DONTWAIT);
  ASSERT_GT(sent, 0);
  ASSERT_LT(sent, static_cast<ssize_t>(much.size()));
  expect_position(c.server.get(), static_cast<std::uint64_t>(sent), 300);
}

TEST(StreamPosition, PeersFinIsNoByte) {
  Connection c;
  ASSERT_EQ(::send(c.client.get(), "12345", 5, 0), 5);
  c.client.reset();
  wait_readable(c.server.get(), POLLRDHUP);
  expect_position(c.server.get(), 0, 0);
  std::array<char, 3> buffer{};
  ASSERT_EQ(::recv(c.server.get(), buffer.data(), buffer.size(), 0), 3);
  expect_position(c.server.get(), 0, 3);
  ASSERT_EQ(::recv(c.server.get(), buffer.data(), buffer.size(), 0), 2);
  expect_position(c.server.get(), 0, 5);
  ASSERT_EQ(::recv(c.server.get(), buffer.data(), buffer.size(), 0), 0);
  expect_position(c.server.get(), 0, 5);
}

TEST(StreamPosition, OurFinIsNoByte) {
  const Connection c;
  ASSERT_EQ(::send(c.server.get(), "12345", 5, 0), 5);
  ASSERT_EQ(::shutdown(c.server.get(), SHUT_WR), 0);
  expect_position(c.server.get(), 5, 0);
  wait_readable(c.client.get(), POLLRDHUP);
  expect_position(c.server.get(), 5, 0);
}

/// Bytes move from one of the kernel's numbers to another all the time.
TEST(StreamPosition, WhileBytesAreAcknowledged) {
  const Connection c;
  std::thread reader([fd = c.client.get()] {
    std::array<char, 65536> buffer;
    while (::recv(fd, buffer.data(), buffer.size(), 0) > 0) {
    }
  });
  const std::string block(100'000, 'x');
  std::uint64_t sent = 0;
  int known = 0;
  for (int i = 0; i < 300; ++i) {
    const ssize_t size = ::send(c.server.get(), block.data(), block.size(), 0);
    ASSERT_GT(size, 0);
    sent += static_cast<std::uint64_t>(size);
    const auto position = stream_position(c.server.get());
    if (!position) continue;
    ++known;
    EXPECT_EQ(position->sent, sent);
  }
  EXPECT_GT(known, 0);
  ASSERT_EQ(::shutdown(c.server.get(), SHUT_WR), 0);
  reader.join();
}

TEST(StreamPosition, ResetConnectionsAndOtherSocketsHaveNone) {
  Connection c;
  const linger at_once{1, 0};
  ASSERT_EQ(::setsockopt(c.client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  c.client.reset();
  wait_readable(c.server.get(), POLLERR);
  EXPECT_FALSE(stream_position(c.server.get()));
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  const UniqueFd a(pair[0]);
  const UniqueFd b(pair[1]);
  EXPECT_FALSE(stream_position(a.get()));
  EXPECT_FALSE(stream_position(-1));
}

}  // namespace
}  // namespace sluice::keeper
