// Packets between gateway and keeper: each type there and back, every way of being wrong, and
// descriptors that are never lost.
#include "keeper/wire.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

namespace sluice::keeper {
namespace {

struct Pair {
  UniqueFd a, b;
  Pair() {
    std::array<int, 2> fds{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds.data()), 0);
    a.reset(fds[0]);
    b.reset(fds[1]);
  }
};

UniqueFd any_file() {
  return UniqueFd(::memfd_create("some", MFD_CLOEXEC));
}

ino_t inode(int fd) {
  struct stat status {};
  EXPECT_EQ(::fstat(fd, &status), 0);
  return status.st_ino;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

template <typename T>
T there_and_back(const T& message, std::size_t fds) {
  const auto decoded = decode(encode(message, fds), fds);
  EXPECT_TRUE(decoded) << (decoded ? "" : decoded.error().message);
  return std::get<T>(*decoded);
}

/// One of each type with the descriptors that it needs.
std::vector<std::pair<Message, std::size_t>> samples() {
  return {{Hello{kWireVersion, "1111", 8000, 200}, 1},
          {State{}, 1},
          {Listen{"clients 127.0.0.1:8080"}, 1},
          {Unlisten{"clients 127.0.0.1:8080"}, 0},
          {Give{{7, 9}}, 1},
          {Take{{7, 9}}, 0},
          {Pending{"clients 127.0.0.1:8080", "GET / HT"}, 1},
          {Park{}, 0},
          {Taken{}, 0},
          {Release{"another version"}, 0},
          {InUse{4711}, 0},
          {Welcome{true, Ending::kPlanned, 1, 2, 3, 4, 5, 6}, 1},
          {HeldListener{"agent"}, 1},
          {HeldClients{{{1, 2}, {3, 4}}}, 2},
          {HeldPending{"clients", std::string(kPendingBytesMax, 'x')}, 1},
          {HeldEnd{}, 0},
          {Refused{"no"}, 0}};
}

TEST(KeeperWire, EveryFieldComesBack) {
  const auto hello = there_and_back(Hello{kWireVersion, "1111", 8000, 200}, 1);
  EXPECT_EQ(hello.gateway_id, "1111");
  EXPECT_EQ(hello.handoff_wait_ms, 8000U);
  EXPECT_EQ(hello.close_rate, 200U);
  EXPECT_FALSE(hello.serving);
  EXPECT_TRUE(there_and_back(Hello{kWireVersion, "1111", 8000, 200, true}, 1).serving);
  EXPECT_TRUE(there_and_back(State{true}, 1).moved);
  EXPECT_EQ(there_and_back(Listen{"a name"}, 1).name, "a name");
  EXPECT_EQ(there_and_back(Unlisten{"a name"}, 0).name, "a name");
  EXPECT_EQ(there_and_back(Give{{7, 9}}, 1).client, (ClientRef{7, 9}));
  EXPECT_EQ(there_and_back(Take{{7, 9}}, 0).client, (ClientRef{7, 9}));
  const auto pending = there_and_back(Pending{"from", std::string("a\0b", 3)}, 1);
  EXPECT_EQ(pending.listener, "from");
  EXPECT_EQ(pending.bytes, std::string("a\0b", 3));
  EXPECT_EQ(there_and_back(Release{"why"}, 0).reason, "why");
  EXPECT_EQ(there_and_back(InUse{4711}, 0).pid, 4711U);
  const auto welcome =
      there_and_back(Welcome{true, Ending::kCrashed, 1, 2, 3, 4, 5, 1ULL << 40U}, 1);
  EXPECT_TRUE(welcome.has_state);
  EXPECT_EQ(welcome.ending, Ending::kCrashed);
  EXPECT_EQ(welcome.clients, 1U);
  EXPECT_EQ(welcome.listeners, 2U);
  EXPECT_EQ(welcome.pending, 3U);
  EXPECT_EQ(welcome.crashes, 4U);
  EXPECT_EQ(welcome.clients_max, 5U);
  EXPECT_EQ(welcome.parked_at_micros, 1ULL << 40U);
  EXPECT_EQ(there_and_back(HeldClients{{{1, 2}, {3, 4}}}, 2).clients,
            (std::vector<ClientRef>{{1, 2}, {3, 4}}));
  EXPECT_EQ(there_and_back(HeldPending{"from", "bytes"}, 1).bytes, "bytes");
  EXPECT_EQ(there_and_back(Refused{"no"}, 0).text, "no");
}

TEST(KeeperWire, AllTypesAreCoveredHere) {
  const auto all = samples();
  ASSERT_EQ(all.size(), std::variant_size_v<Message>);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].first.index(), i);
}

TEST(KeeperWire, TruncatedAnywhereIsMalformed) {
  for (const auto& [message, fds] : samples()) {
    std::vector<std::byte> packet = encode(message, fds);
    for (std::size_t size = 0; size < packet.size(); ++size)
      EXPECT_FALSE(decode(std::span(packet).first(size), fds)) << message.index() << " " << size;
    packet.push_back(std::byte{0});
    EXPECT_FALSE(decode(packet, fds)) << message.index();
  }
}

TEST(KeeperWire, AnotherNumberOfDescriptorsIsMalformed) {
  for (const auto& [message, fds] : samples()) {
    EXPECT_TRUE(decode(encode(message, fds), fds)) << message.index();
    EXPECT_FALSE(decode(encode(message, fds), fds + 1)) << message.index();
    EXPECT_FALSE(decode(encode(message, fds + 1), fds)) << message.index();
    EXPECT_FALSE(decode(encode(message, fds + 1), fds + 1)) << message.index();
    if (fds > 0) {
      EXPECT_FALSE(decode(encode(message, fds), fds - 1)) << message.index();
    }
  }
}

TEST(KeeperWire, CountThatTheBodyDoesNotHaveIsMalformed) {
  std::vector<std::byte> packet = encode(HeldClients{{{1, 2}, {3, 4}}}, 2);
  packet[8] = std::byte{3};
  EXPECT_FALSE(decode(packet, 2));
  EXPECT_FALSE(decode(packet, 3));
  packet[8] = std::byte{0};
  EXPECT_FALSE(decode(packet, 0));
  packet[11] = std::byte{0xff};
  EXPECT_FALSE(decode(packet, 2));
}

TEST(KeeperWire, BoundsOfFields) {
  const auto rejected = [](const Message& message, std::size_t fds) {
    return !decode(encode(message, fds), fds);
  };
  EXPECT_TRUE(rejected(Hello{kWireVersion, "", 8000, 200}, 1));
  EXPECT_TRUE(rejected(Hello{kWireVersion, "1111", 8000, 0}, 1));
  EXPECT_TRUE(rejected(Hello{kWireVersion, "1111", 8000, kCloseRateMax + 1}, 1));
  EXPECT_TRUE(rejected(Hello{kWireVersion, "1111", kHandoffWaitMsMax + 1, 1}, 1));
  EXPECT_TRUE(rejected(Listen{""}, 1));
  EXPECT_TRUE(rejected(Listen{std::string(kTextBytesMax + 1, 'x')}, 1));
  EXPECT_TRUE(rejected(Pending{"x", std::string(kPendingBytesMax + 1, 'x')}, 1));
  EXPECT_FALSE(rejected(Pending{"x", std::string(kPendingBytesMax, 'x')}, 1));
  EXPECT_TRUE(rejected(HeldClients{}, 0));
  EXPECT_FALSE(rejected(HeldClients{std::vector<ClientRef>(kPacketFdsMax)}, kPacketFdsMax));
  EXPECT_TRUE(rejected(HeldClients{std::vector<ClientRef>(kPacketFdsMax + 1)}, kPacketFdsMax + 1));
  EXPECT_TRUE(rejected(Welcome{true, static_cast<Ending>(3), 0, 0, 0, 0, 0, 0}, 1));
}

/// A keeper of now must be able to say to a gateway of then that it does not understand it.
TEST(KeeperWire, HelloOfAnotherVersionIsReadAsFarAsThat) {
  std::vector<std::byte> packet = encode(Hello{kWireVersion + 1, "1111", 8000, 200}, 1);
  packet.insert(packet.end(), 5, std::byte{0x55});
  packet[4] = static_cast<std::byte>(packet.size() - 8);
  const auto decoded = decode(packet, 1);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(std::get<Hello>(*decoded).version, kWireVersion + 1);
}

TEST(KeeperWire, NoByteThatIsWrongCrashes) {
  for (const auto& [message, fds] : samples()) {
    const std::vector<std::byte> packet = encode(message, fds);
    for (std::size_t at = 0; at < std::min<std::size_t>(packet.size(), 64); ++at) {
      for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
        std::vector<std::byte> other = packet;
        other[at] = static_cast<std::byte>(value);
        (void)decode(other, fds);
      }
    }
  }
}

TEST(KeeperWire, DescriptorsArriveInOrderAndCloseOnExec) {
  const Pair pair;
  std::vector<UniqueFd> files;
  std::vector<int> fds;
  HeldClients message;
  for (std::uint32_t i = 0; i < kPacketFdsMax; ++i) {
    files.push_back(any_file());
    fds.push_back(files.back().get());
    message.clients.push_back({i, i + 1});
  }
  ASSERT_EQ(*send_packet(pair.a.get(), message, fds), SendOutcome::kSent);
  const auto received = receive_packet(pair.b.get());
  ASSERT_TRUE(received) << received.error().message;
  ASSERT_EQ(received->fds.size(), kPacketFdsMax);
  EXPECT_EQ(std::get<HeldClients>(received->message).clients, message.clients);
  for (std::size_t i = 0; i < kPacketFdsMax; ++i) {
    EXPECT_EQ(inode(received->fds[i].get()), inode(fds[i]));
    EXPECT_EQ(::fcntl(received->fds[i].get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST(KeeperWire, NothingThenEnd) {
  Pair pair;
  EXPECT_EQ(receive_packet(pair.b.get())->what, Received::What::kNothing);
  ASSERT_EQ(*send_packet(pair.a.get(), Park{}), SendOutcome::kSent);
  pair.a.reset();
  // What was said before the end still comes.
  EXPECT_EQ(receive_packet(pair.b.get())->what, Received::What::kMessage);
  EXPECT_EQ(receive_packet(pair.b.get())->what, Received::What::kEnd);
  const auto sent = send_packet(pair.b.get(), Park{});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
}

/// The other side ends with packets of ours unread: what it had said is not lost.
TEST(KeeperWire, EndOfWhoHasNotReadAll) {
  Pair pair;
  ASSERT_EQ(*send_packet(pair.b.get(), HeldEnd{}), SendOutcome::kSent);
  ASSERT_EQ(*send_packet(pair.a.get(), Take{{1, 2}}), SendOutcome::kSent);
  ASSERT_EQ(*send_packet(pair.a.get(), Park{}), SendOutcome::kSent);
  pair.a.reset();
  const auto first = receive_packet(pair.b.get());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_TRUE(std::holds_alternative<Take>(first->message));
  EXPECT_TRUE(std::holds_alternative<Park>(receive_packet(pair.b.get())->message));
  EXPECT_EQ(receive_packet(pair.b.get())->what, Received::What::kEnd);
}

TEST(KeeperWire, FullSocketIsNoError) {
  const Pair pair;
  Result<SendOutcome> sent = SendOutcome::kSent;
  for (int i = 0; i < 100'000 && sent && *sent == SendOutcome::kSent; ++i)
    sent = send_packet(pair.a.get(), Take{{1, 2}});
  ASSERT_TRUE(sent);
  EXPECT_EQ(*sent, SendOutcome::kFull);
  EXPECT_EQ(receive_packet(pair.b.get())->what, Received::What::kMessage);
}

TEST(KeeperWire, OverItsBoundIsNotSent) {
  const Pair pair;
  const auto sent = send_packet(pair.a.get(), Refused{std::string(kPacketBytesMax, 'x')});
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(receive_packet(pair.b.get())->what, Received::What::kNothing);
}

TEST(KeeperWire, MalformedPacketLeavesNoDescriptorOpen) {
  const Pair pair;
  const UniqueFd file = any_file();
  const std::size_t before = open_descriptors();
  // GIVE has one, and this has two.
  const std::array<int, 2> fds{file.get(), file.get()};
  ASSERT_EQ(*send_packet(pair.a.get(), Give{{1, 1}}, fds), SendOutcome::kSent);
  const auto received = receive_packet(pair.b.get());
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code, ErrorCode::kInvalid);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(KeeperWire, TooLongPacketIsCutAndRejected) {
  const Pair pair;
  const std::vector<std::byte> packet(kPacketBytesMax + 1);
  ASSERT_EQ(::send(pair.a.get(), packet.data(), packet.size(), 0),
            static_cast<ssize_t>(packet.size()));
  const auto received = receive_packet(pair.b.get());
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace sluice::keeper
