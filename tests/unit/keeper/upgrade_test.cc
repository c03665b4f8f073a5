// The table that goes through exec: all of it comes back, and one that is cut short, foreign or
// names what is not there gives nothing.
#include "keeper/upgrade.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace sluice::keeper {
namespace {

UniqueFd some_file() {
  return UniqueFd(::memfd_create("held", MFD_CLOEXEC));
}

Table sample(bool with_holder = true) {
  Table table;
  table.listener = some_file();
  Holding& holding = table.holding;
  holding.memory = some_file();
  holding.listeners["agent"] = some_file();
  holding.listeners["clients 127.0.0.1:8080"] = some_file();
  for (std::uint32_t slot = 0; slot < 5; ++slot)
    holding.clients[slot * 7] = {slot + 1, some_file()};
  holding.pending.push_back({"clients", std::string("GET /\0x", 7), some_file()});
  holding.terms = {8000, 250};
  holding.ending = Ending::kPlanned;
  holding.parked_at_micros = 123'456'789'012;
  holding.orphaned = TimePoint(std::chrono::seconds(77));
  holding.crashes = {TimePoint(std::chrono::seconds(1)), TimePoint(std::chrono::seconds(2))};
  if (with_holder) {
    table.holder.emplace();
    table.holder->pid = 4711;
    table.holder->parked = true;
    table.holder->pidfd = some_file();
  }
  return table;
}

std::vector<int> numbers(const Table& table) {
  std::vector<int> fds{table.listener.get(), table.holding.memory.get()};
  for (const auto& [name, socket] : table.holding.listeners) fds.push_back(socket.get());
  for (const auto& [slot, client] : table.holding.clients) fds.push_back(client.socket.get());
  for (const auto& connection : table.holding.pending) fds.push_back(connection.socket.get());
  if (table.holder) fds.push_back(table.holder->pidfd.get());
  return fds;
}

/// As exec does: the descriptors stay open, their owners are gone.
void forget(Table& table) {
  (void)table.listener.release();
  (void)table.holding.memory.release();
  for (auto& [name, socket] : table.holding.listeners) (void)socket.release();
  for (auto& [slot, client] : table.holding.clients) (void)client.socket.release();
  for (auto& connection : table.holding.pending) (void)connection.socket.release();
  if (table.holder) (void)table.holder->pidfd.release();
}

UniqueFd file_of(const std::vector<std::byte>& bytes) {
  UniqueFd file = some_file();
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

std::vector<std::byte> bytes_of(const UniqueFd& file) {
  std::vector<std::byte> bytes(4096);
  bytes.resize(static_cast<std::size_t>(::pread(file.get(), bytes.data(), bytes.size(), 0)));
  return bytes;
}

TEST(KeeperUpgrade, AllOfItComesBack) {
  Table before = sample();
  const std::vector<int> fds = numbers(before);
  const auto saved = save_table(before);
  ASSERT_TRUE(saved);
  set_inherited(before, *saved, true);
  for (const int fd : fds) EXPECT_EQ(::fcntl(fd, F_GETFD), 0);
  forget(before);
  const auto after = load_table(saved->get());
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(numbers(*after), fds);
  for (const int fd : fds) EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  const Holding& holding = after->holding;
  EXPECT_TRUE(holding.listeners.contains("agent"));
  EXPECT_TRUE(holding.listeners.contains("clients 127.0.0.1:8080"));
  EXPECT_EQ(holding.clients.at(28).generation, 5U);
  EXPECT_EQ(holding.pending.at(0).listener, "clients");
  EXPECT_EQ(holding.pending.at(0).bytes, std::string("GET /\0x", 7));
  EXPECT_EQ(holding.terms.handoff_wait_ms, 8000U);
  EXPECT_EQ(holding.terms.close_rate, 250U);
  EXPECT_EQ(holding.ending, Ending::kPlanned);
  EXPECT_EQ(holding.parked_at_micros, 123'456'789'012U);
  EXPECT_EQ(holding.orphaned, TimePoint(std::chrono::seconds(77)));
  EXPECT_EQ(holding.crashes.size(), 2U);
  ASSERT_TRUE(after->holder);
  EXPECT_EQ(after->holder->pid, 4711);
  EXPECT_TRUE(after->holder->parked);
  EXPECT_FALSE(after->holder->connection.valid());
}

TEST(KeeperUpgrade, NothingHeld) {
  Table before;
  before.listener = some_file();
  const auto saved = save_table(before);
  forget(before);
  const auto after = load_table(saved->get());
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->holding.empty());
  EXPECT_FALSE(after->holding.memory.valid());
  EXPECT_FALSE(after->holding.orphaned);
  EXPECT_FALSE(after->holder);
}

TEST(KeeperUpgrade, CutShortAnywhereOrTooLong) {
  std::size_t size = 1;
  for (std::size_t cut = 1; cut <= size; ++cut) {
    Table table = sample();
    std::vector<std::byte> bytes = bytes_of(*save_table(table));
    size = bytes.size() + 1;
    bytes.resize(cut < size ? cut - 1 : size);
    const UniqueFd file = file_of(bytes);
    const std::vector<int> fds = numbers(table);
    forget(table);
    EXPECT_FALSE(load_table(file.get())) << cut;
    // Those that the failed load did not come to.
    for (const int fd : fds) ::close(fd);
  }
}

TEST(KeeperUpgrade, AnotherVersionOrSomethingElse) {
  Table table = sample();
  std::vector<std::byte> bytes = bytes_of(*save_table(table));
  bytes[8] = std::byte{kTableVersion + 1};
  const auto other = load_table(file_of(bytes).get());
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("of version 2"), std::string::npos);
  bytes[0] = std::byte{0};
  EXPECT_FALSE(load_table(file_of(bytes).get()));
  EXPECT_FALSE(load_table(-1));
}

TEST(KeeperUpgrade, DescriptorsThatAreNotThereOrTwice) {
  for (const int wrong : {-1, 0, 2, 1'000'000}) {
    Table table = sample(false);
    std::vector<std::byte> bytes = bytes_of(*save_table(table));
    std::memcpy(bytes.data() + 12, &wrong, sizeof wrong);
    const UniqueFd file = file_of(bytes);
    const std::vector<int> fds = numbers(table);
    forget(table);
    EXPECT_FALSE(load_table(file.get())) << wrong;
    for (const int fd : fds) ::close(fd);
  }
  Table table = sample(false);
  const int again = table.holding.memory.get();
  std::vector<std::byte> bytes = bytes_of(*save_table(table));
  std::memcpy(bytes.data() + 12, &again, sizeof again);
  const UniqueFd file = file_of(bytes);
  const std::vector<int> fds = numbers(table);
  forget(table);
  EXPECT_FALSE(load_table(file.get()));
  for (const int fd : fds) ::close(fd);
}

}  // namespace
}  // namespace sluice::keeper
