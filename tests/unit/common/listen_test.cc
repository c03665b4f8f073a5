// Listening sockets, above all at Unix paths where something is already.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "common/address.h"

namespace sluice {
namespace {

class ListenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/slu-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    address_.kind = Address::Kind::kUnix;
    address_.path = directory_ + "/s";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  /// Leaves the file of a socket that nobody serves any more.
  void leave_stale_socket() {
    ASSERT_TRUE(listen_on(address_, {}));
    ASSERT_TRUE(std::filesystem::is_socket(address_.path));
  }
  static bool has_flags(int fd) {
    return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 && (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
  }
  static bool says(const Error& error, const std::string& part) {
    return error.message.find(part) != std::string::npos;
  }

  std::string directory_;
  Address address_;
};

TEST_F(ListenTest, TcpPortZeroIsChosenByTheKernel) {
  const auto fd = listen_on(parse_address("127.0.0.1:0").value(), {});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_TRUE(has_flags(fd->get()));
  const Address actual = parse_address(local_name(fd->get())).value();
  EXPECT_EQ(actual.host, "127.0.0.1");
  EXPECT_NE(actual.port, 0);
}

TEST_F(ListenTest, TcpV6AndAll) {
  const auto all = listen_on(parse_address("*:0").value(), {});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_TRUE(local_name(all->get()).starts_with("0.0.0.0:"));
  const auto v6 = listen_on(parse_address("[::1]:0").value(), {});
  if (!v6) GTEST_SKIP() << "no IPv6 on this host: " << v6.error().message;
  EXPECT_TRUE(local_name(v6->get()).starts_with("[::1]:"));
}

TEST_F(ListenTest, TcpPortInUse) {
  const auto first = listen_on(parse_address("127.0.0.1:0").value(), {});
  ASSERT_TRUE(first);
  const std::string name = local_name(first->get());
  const auto second = listen_on(parse_address(name).value(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kInUse);
  EXPECT_TRUE(says(second.error(), name + " is in use")) << second.error().message;
}

TEST_F(ListenTest, TcpAddressOfAnotherHost) {
  const auto fd = listen_on(parse_address("192.0.2.1:0").value(), {});
  ASSERT_FALSE(fd);
  EXPECT_TRUE(says(fd.error(), "192.0.2.1:0: this host has no such address")) << fd.error().message;
}

TEST_F(ListenTest, UnixSocketTakesConnections) {
  const auto fd = listen_on(address_, {});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_TRUE(has_flags(fd->get()));
  EXPECT_EQ(local_name(fd->get()), "unix:" + address_.path);
  const auto client = connect_unix(address_.path);
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_TRUE(has_flags(client->get()));
  const UniqueFd served(::accept(fd->get(), nullptr, nullptr));
  EXPECT_TRUE(served.valid());
}

TEST_F(ListenTest, UnixModeIsTheOneAskedForWhateverTheUmask) {
  const mode_t before = ::umask(0);
  for (const unsigned mode : {0660U, 0600U, 0666U, 0777U}) {
    for (const mode_t mask : {mode_t{0}, mode_t{022}, mode_t{077}}) {
      ::umask(mask);
      ASSERT_TRUE(listen_on(address_, {.unix_mode = mode}));
      struct stat info {};
      ASSERT_EQ(::stat(address_.path.c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 0777U, mode);
      EXPECT_EQ(::umask(mask), mask) << "the process keeps its own";
    }
  }
  ::umask(before);
}

TEST_F(ListenTest, UnixStaleSocketIsReplaced) {
  leave_stale_socket();
  const auto fd = listen_on(address_, {});
  ASSERT_TRUE(fd) << fd.error().message;
  EXPECT_TRUE(connect_unix(address_.path));
}

TEST_F(ListenTest, UnixLiveSocketIsRefused) {
  const auto first = listen_on(address_, {});
  ASSERT_TRUE(first);
  const auto second = listen_on(address_, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kInUse);
  EXPECT_TRUE(says(second.error(), "unix:" + address_.path + " is live")) << second.error().message;
  EXPECT_TRUE(connect_unix(address_.path)) << "the live one was left alone";
}

TEST_F(ListenTest, UnixSocketWithAFullBacklogIsLiveToo) {
  const auto first = listen_on(address_, {.backlog = 0});
  ASSERT_TRUE(first);
  std::vector<UniqueFd> waiting;
  for (int i = 0; i < 64; ++i) {
    auto client = connect_unix(address_.path);
    if (!client) {
      EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
      break;
    }
    waiting.push_back(std::move(*client));
  }
  ASSERT_LT(waiting.size(), 64U);
  EXPECT_EQ(listen_on(address_, {}).error().code, ErrorCode::kInUse);
}

TEST_F(ListenTest, UnixSocketOfAnotherKindIsNotStale) {
  const UniqueFd datagram(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address_.path.c_str(), address_.path.size() + 1);
  ASSERT_EQ(::bind(datagram.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  const auto fd = listen_on(address_, {});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, ErrorCode::kInUse);
  EXPECT_TRUE(std::filesystem::exists(address_.path)) << "somebody serves it";
}

TEST_F(ListenTest, UnixPathOfAFileIsRefusedAndTheFileKept) {
  std::ofstream(address_.path) << "precious";
  const auto fd = listen_on(address_, {});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().code, ErrorCode::kInUse);
  EXPECT_TRUE(says(fd.error(), "is not a socket")) << fd.error().message;
  EXPECT_TRUE(std::filesystem::is_regular_file(address_.path));
}

TEST_F(ListenTest, UnixSymbolicLinkIsNotFollowed) {
  std::filesystem::create_symlink(directory_ + "/elsewhere", address_.path);
  EXPECT_EQ(listen_on(address_, {}).error().code, ErrorCode::kInUse);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/elsewhere"));
}

TEST_F(ListenTest, UnixDirectoryIsMissing) {
  address_.path = directory_ + "/none/s";
  const auto fd = listen_on(address_, {});
  ASSERT_FALSE(fd);
  EXPECT_TRUE(says(fd.error(), "No such file or directory; does the directory exist"))
      << fd.error().message;
}

TEST_F(ListenTest, UnixPathTooLong) {
  address_.path = directory_ + "/" + std::string(120, 'x');
  EXPECT_TRUE(says(listen_on(address_, {}).error(), "1 to 107 bytes"));
  EXPECT_TRUE(says(connect_unix(address_.path).error(), "1 to 107 bytes"));
}

// Many start at once on a stale path: one wins, and its socket is the one at the path.
TEST_F(ListenTest, UnixRaceHasOneWinner) {
  constexpr int kRounds = 20;
  constexpr int kRacers = 4;
  for (int round = 0; round < kRounds; ++round) {
    std::filesystem::remove(address_.path);
    leave_stale_socket();
    int go[2];
    int done[2];
    ASSERT_EQ(::pipe(go), 0);
    ASSERT_EQ(::pipe(done), 0);
    std::vector<pid_t> racers;
    for (int i = 0; i < kRacers; ++i) {
      const pid_t pid = ::fork();
      ASSERT_GE(pid, 0);
      if (pid == 0) {
        ::close(go[1]);
        char c = 0;
        (void)!::read(go[0], &c, 1);  // until the parent closes its end
        const auto fd = listen_on(address_, {});
        c = fd ? 'w' : 'l';
        (void)!::write(done[1], &c, 1);
        ::close(done[0]);
        ::pause();  // listens on until it is ended
        ::_exit(0);
      }
      racers.push_back(pid);
    }
    ::close(go[0]);
    ::close(go[1]);
    int winners = 0;
    for (int i = 0; i < kRacers; ++i) {
      char c = 0;
      ASSERT_EQ(::read(done[0], &c, 1), 1);
      winners += c == 'w' ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
    EXPECT_TRUE(connect_unix(address_.path));
    for (const pid_t pid : racers) ::kill(pid, SIGKILL);
    for (const pid_t pid : racers) ::waitpid(pid, nullptr, 0);
    ::close(done[0]);
    ::close(done[1]);
  }
}

TEST_F(ListenTest, InheritedSocketIsTaken) {
  auto made = listen_on(address_, {});
  ASSERT_TRUE(made);
  const int raw = made->release();
  ASSERT_EQ(::fcntl(raw, F_SETFD, 0), 0);
  ASSERT_EQ(::fcntl(raw, F_SETFL, 0), 0);
  const auto taken = listen_on({.kind = Address::Kind::kFd, .host = "", .path = "", .fd = raw}, {});
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(taken->get(), raw);
  EXPECT_TRUE(has_flags(raw));
}

TEST_F(ListenTest, InheritedDescriptorThatDoesNotListenIsRefused) {
  const UniqueFd not_listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd no_socket(::dup(2));
  for (const int fd : {not_listening.get(), no_socket.get(), 1 << 19}) {
    const auto taken =
        listen_on({.kind = Address::Kind::kFd, .host = "", .path = "", .fd = fd}, {});
    ASSERT_FALSE(taken);
    EXPECT_TRUE(
        says(taken.error(), "fd:" + std::to_string(fd) + " is not an inherited listening socket"))
        << taken.error().message;
  }
}

TEST_F(ListenTest, ConnectSaysWhyNot) {
  EXPECT_TRUE(says(connect_unix(address_.path).error(), "nothing there yet"));
  leave_stale_socket();
  const auto refused = connect_unix(address_.path);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(says(refused.error(), "nobody listens"));
}

}  // namespace
}  // namespace sluice
