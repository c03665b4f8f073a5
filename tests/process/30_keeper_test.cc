// sluice-keeper alone, with gateways that the test plays: who gets what is held and when, what
// clients see when nobody comes for them, and that an upgrade loses nothing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "keeper/arena.h"
#include "keeper/shared_memory.h"
#include "keeper/stream_position.h"
#include "tests/process/support/daemons.h"
#include "tests/process/support/fake_gateway.h"
#include "tests/process/support/socket.h"

namespace sluice::test {
namespace {

using namespace sluice::keeper;

/// RFC 6455 5.5.1 and IANA: close, 1012, "service restart".
const std::string kRestart = std::string("\x88\x11\x03\xf4", 4) + "service restart";

/// A short server's frame of text.
std::string frame(const std::string& payload) {
  return std::string("\x81") + static_cast<char>(payload.size()) + payload;
}

std::string large_frame(std::size_t size) {
  std::string bytes = "\x82\x7f";
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(size >> static_cast<unsigned>(shift));
  return bytes + std::string(size, 'L');
}

Endpoint at(std::uint16_t port) {
  Endpoint endpoint;
  endpoint.port = port;
  return endpoint;
}

ino_t inode(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno("fstat");
  return status.st_ino;
}

/// One client: both ends of a TCP connection.
struct Client {
  Socket peer;
  UniqueFd server;

  explicit Client(int receive_buffer = 0) {
    std::uint16_t port = 0;
    const UniqueFd listener = listen_tcp(0, &port);
    peer = Socket::connect(at(port), 5s, receive_buffer);
    server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!server.valid()) throw_errno("accept4");
  }
  /// The gateway's own descriptor goes, as at its end.
  void forget() { server.reset(); }
  /// To the end of the stream.
  [[nodiscard]] std::string rest() { return peer.read_all(20s); }
  [[nodiscard]] bool quiet(Millis span = 300ms) {
    return peer.read_some(span).end == ReadEnd::kTimeout;
  }
};

/// State memory as a gateway writes it.
struct State {
  SharedState memory;
  Arena arena;

  State() : memory(make()), arena(memory.arena()) {}
  static SharedState make() {
    auto made = SharedState::create({.slots = 64, .views = 64, .arena_bytes = 64U << 20U});
    if (!made) throw HarnessError(made.error().message);
    return std::move(*made);
  }
  /// An open slot without anything to send.
  Slot& open(std::uint32_t index, const Client& client, std::uint32_t generation = 1) {
    Slot& slot = memory.slots()[index];
    const auto position = stream_position(client.server.get());
    if (!position) throw HarnessError("no position of a TCP connection");
    slot = Slot{};
    slot.generation = generation;
    slot.sent_before = position->sent;
    slot.received_before = position->received;
    slot.has_counters = 1;
    publish(slot.phase, static_cast<std::uint32_t>(SlotPhase::kOpen));
    return slot;
  }
  /// The next send of the slot is all of `frames`.
  void intend(std::uint32_t index, const std::string& frames) {
    OutRecord& out = memory.slots()[index].out[0];
    const ArenaUnit run = arena.allocate(frames.size());
    if (run == 0) throw HarnessError("the arena is too small");
    std::memcpy(arena.data(run), frames.data(), frames.size());
    arena.header(run).used = static_cast<std::uint32_t>(frames.size());
    memory.views()[index] = {run, 0, static_cast<std::uint32_t>(frames.size())};
    out.intent_first = index;
    out.intent_count = 1;
    out.intent_bytes = static_cast<std::uint32_t>(frames.size());
  }
};

class KeeperTest : public ::testing::Test {
 protected:
  void start(std::uint64_t nofile = 0) { start_program(keeper_program(), nofile); }
  void start_program(const std::string& program, std::uint64_t nofile = 0) {
    start_command({program}, nofile);
  }
  void start_command(Args command, std::uint64_t nofile = 0) {
    SpawnOptions options;
    options.args = std::move(command);
    for (const char* word : {"--id", "1111", "--log-level", "debug", "--listen"})
      options.args.emplace_back(word);
    options.args.push_back("unix:" + path());
    options.nofile = nofile;
    keeper_ = std::make_unique<Process>(std::move(options));
    keeper_->wait_line("listening on unix:", 60s);
  }
  [[nodiscard]] std::string path() const { return directory_.file("keeper.sock"); }

  /// A gateway that holds, after HELLO on an empty keeper, with this state.
  std::unique_ptr<FakeGateway> gateway_with(const State& state, std::uint32_t wait_ms = 60'000,
                                            std::uint32_t rate = 1000) {
    auto gateway = std::make_unique<FakeGateway>(path());
    gateway->hello(wait_ms, rate);
    const HeldThings held = gateway->hear_held();
    EXPECT_FALSE(held.welcome.has_state);
    gateway->say(keeper::State{}, {state.memory.fd()});
    gateway->say(Taken{});
    return gateway;
  }
  static void give(const FakeGateway& gateway, std::uint32_t slot, const Client& client,
                   std::uint32_t generation = 1) {
    gateway.say(Give{{slot, generation}}, {client.server.get()});
  }

  TempDir directory_;
  std::unique_ptr<Process> keeper_;
};

TEST_F(KeeperTest, EverythingGoesToTheNextOneAfterAKill) {
  start();
  const State state;
  auto first = gateway_with(state);
  std::uint16_t port = 0;
  const UniqueFd listener = listen_tcp(0, &port);
  const UniqueFd other = listen_unix(directory_.file("agent.sock"));
  first->say(Listen{"clients"}, {listener.get()});
  first->say(Listen{"agent"}, {other.get()});
  first->say(Listen{"gone"}, {other.get()});
  first->say(Unlisten{"gone"});
  // Three packets of clients on the way back.
  std::vector<UniqueFd> sockets;
  for (std::uint32_t i = 0; i < 600; ++i) {
    sockets.emplace_back(::memfd_create("client", MFD_CLOEXEC));
    first->say(Give{{i * 3, i + 1}}, {sockets.back().get()});
  }
  first->say(Take{{30, 11}});
  const std::size_t mark = keeper_->mark();
  first->kill();
  keeper_->wait_line("has crashed \\(1 in a minute\\): 599 clients, 2 listeners", 10s, mark);

  FakeGateway second(path());
  second.hello();
  HeldThings held = second.hear_held();
  EXPECT_TRUE(held.welcome.has_state);
  EXPECT_EQ(held.welcome.ending, Ending::kCrashed);
  EXPECT_EQ(held.welcome.clients, 599U);
  EXPECT_EQ(held.welcome.listeners, 2U);
  EXPECT_EQ(held.welcome.pending, 0U);
  EXPECT_EQ(held.welcome.crashes, 1U);
  EXPECT_GT(held.welcome.clients_max, 600U);
  EXPECT_EQ(held.welcome.parked_at_micros, 0U);
  EXPECT_EQ(inode(held.memory.get()), inode(state.memory.fd()));
  ASSERT_EQ(held.listeners.size(), 2U);
  EXPECT_EQ(held.listeners[0].first, "agent");
  EXPECT_EQ(inode(held.listeners[0].second.get()), inode(other.get()));
  EXPECT_EQ(held.listeners[1].first, "clients");
  EXPECT_EQ(inode(held.listeners[1].second.get()), inode(listener.get()));
  ASSERT_EQ(held.clients.size(), 599U);
  for (const auto& [ref, fd] : held.clients) {
    ASSERT_EQ(ref.slot % 3, 0U);
    ASSERT_NE(ref.slot, 30U);
    ASSERT_EQ(ref.generation, ref.slot / 3 + 1);
    ASSERT_EQ(inode(fd.get()), inode(sockets[ref.slot / 3].get()));
  }
  second.say(Taken{});
  keeper_->wait_line("taken over by process " + std::to_string(second.pid()));
}

TEST_F(KeeperTest, AStoppedHolderIsStillTheHolder) {
  start();
  const State state;
  auto first = gateway_with(state);
  const Client client;
  give(*first, 5, client);
  first->signal(SIGSTOP);
  std::vector<std::unique_ptr<FakeGateway>> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(std::make_unique<FakeGateway>(path()));
    waiting.back()->hello();
    EXPECT_EQ(waiting.back()->hear_a<InUse>().pid, static_cast<std::uint32_t>(first->pid()));
  }
  const FakeGateway one_more(path());
  one_more.hello();
  EXPECT_NE(one_more.hear_a<Refused>().text.find("in use"), std::string::npos);
  EXPECT_EQ(one_more.hear().what, Received::What::kEnd);
  observe_for(300ms);
  for (const auto& asker : waiting)
    EXPECT_EQ(receive_packet(asker->socket())->what, Received::What::kNothing);
  first->signal(SIGCONT);
  observe_for(100ms);
  EXPECT_EQ(receive_packet(waiting[0]->socket())->what, Received::What::kNothing);

  waiting[0]->kill();
  first->kill();
  // The first in the row that lives.
  EXPECT_EQ(waiting[1]->hear_held().clients.size(), 1U);
  observe_for(100ms);
  EXPECT_EQ(receive_packet(waiting[2]->socket())->what, Received::What::kNothing);
}

TEST_F(KeeperTest, TakenBackIsClosedAtOnce) {
  start();
  const State state;
  auto gateway = gateway_with(state);
  Client client;
  give(*gateway, 5, client, 8);
  client.forget();
  gateway->say(Take{{5, 7}});
  gateway->say(Take{{6, 8}});
  EXPECT_TRUE(client.quiet());
  gateway->say(Take{{5, 8}});
  EXPECT_EQ(client.peer.read_some(10s).end, ReadEnd::kEof);
}

TEST_F(KeeperTest, ParkedWithConnectionsInMidHandshake) {
  start();
  const State state;
  auto first = gateway_with(state);
  Client client;
  const std::string head = "GET /ws HTTP/1.1\r\nHo";
  first->say(Pending{"clients", head}, {client.server.get()});
  first->say(Park{});
  client.forget();
  first->kill();
  keeper_->wait_line("has parked: 0 clients, 0 listeners, 1 connections");
  FakeGateway second(path());
  second.hello();
  {
    const HeldThings held = second.hear_held();
    EXPECT_EQ(held.welcome.ending, Ending::kPlanned);
    EXPECT_EQ(held.welcome.crashes, 0U);
    EXPECT_GT(held.welcome.parked_at_micros, 0U);
    ASSERT_EQ(held.pending.size(), 1U);
    EXPECT_EQ(held.pending[0].first.listener, "clients");
    EXPECT_EQ(held.pending[0].first.bytes, head);
  }
  // It might have died before it was done with them.
  second.kill();
  FakeGateway third(path());
  third.hello();
  HeldThings held = third.hear_held();
  ASSERT_EQ(held.pending.size(), 1U);
  EXPECT_EQ(held.welcome.ending, Ending::kCrashed);
  third.say(Taken{});
  keeper_->wait_line("taken over by process " + std::to_string(third.pid()));
  held.pending.clear();
  EXPECT_EQ(client.peer.read_some(10s).end, ReadEnd::kEof);
}

TEST_F(KeeperTest, AProcessThatExecutesItselfIsItsOwnSuccessor) {
  start();
  const State state;
  auto gateway = gateway_with(state);
  const Client client;
  give(*gateway, 5, client);
  gateway->say(Park{});
  gateway->close_connection();
  gateway->connect();
  gateway->hello();
  const HeldThings held = gateway->hear_held();
  EXPECT_EQ(held.welcome.ending, Ending::kPlanned);
  EXPECT_EQ(held.clients.size(), 1U);
  gateway->say(Taken{});
  keeper_->wait_line("taken over");
  // A second time, and unplanned.
  gateway->close_connection();
  gateway->connect();
  gateway->hello();
  EXPECT_EQ(gateway->hear_held().welcome.ending, Ending::kCrashed);
}

TEST_F(KeeperTest, OneThatConnectsAgainKeepsItsClientsAndItsTurn) {
  start();
  State state;
  auto gateway = gateway_with(state);
  Client kept;
  Client gone;
  state.open(5, kept);
  give(*gateway, 5, kept);
  give(*gateway, 6, gone);
  std::uint16_t port = 0;
  UniqueFd listener = listen_tcp(0, &port);
  gateway->say(Listen{"clients"}, {listener.get()});
  FakeGateway waiting(path());
  waiting.hello();
  static_cast<void>(waiting.hear_a<InUse>());

  gateway->close_connection();
  listener.reset();
  gone.forget();
  gateway->connect();
  gateway->hello(60'000, 1000, true);
  const HeldThings nothing = gateway->hear_held();
  EXPECT_FALSE(nothing.welcome.has_state);
  EXPECT_TRUE(nothing.clients.empty());
  EXPECT_TRUE(nothing.listeners.empty());
  EXPECT_EQ(nothing.welcome.crashes, 0U);
  gateway->say(keeper::State{}, {state.memory.fd()});
  give(*gateway, 5, kept);
  gateway->say(Taken{});
  // What it did not tell of is not there any more; nobody was told anything.
  EXPECT_EQ(gone.rest(), "");
  EXPECT_TRUE(kept.quiet());
  EXPECT_EQ(receive_packet(waiting.socket())->what, Received::What::kNothing);
  gateway->kill();
  const HeldThings held = waiting.hear_held();
  EXPECT_EQ(held.welcome.crashes, 1U);
  ASSERT_EQ(held.clients.size(), 1U);
  EXPECT_EQ(held.clients[0].first, (ClientRef{5, 1}));
  EXPECT_TRUE(held.listeners.empty());
}

TEST_F(KeeperTest, OneThatHasNotWaitedGetsNothing) {
  start();
  State state;
  auto first = gateway_with(state);
  Client client;
  state.open(5, client);
  give(*first, 5, client);
  client.forget();
  first->kill();
  keeper_->wait_line("has crashed");
  FakeGateway second(path());
  second.hello(60'000, 1000, true);
  EXPECT_TRUE(second.hear_held().clients.empty());
  EXPECT_EQ(client.rest(), kRestart);
}

TEST_F(KeeperTest, AStateMayMoveToOtherMemory) {
  start();
  State state;
  auto gateway = gateway_with(state);
  Client client;
  state.open(5, client);
  give(*gateway, 5, client);
  client.forget();
  State larger;
  larger.memory.slots()[5] = state.memory.slots()[5];
  gateway->say(keeper::State{true}, {larger.memory.fd()});
  gateway->kill();
  FakeGateway next(path());
  next.hello();
  const HeldThings held = next.hear_held();
  EXPECT_EQ(held.clients.size(), 1U);
  EXPECT_EQ(inode(held.memory.get()), inode(larger.memory.fd()));
}

TEST_F(KeeperTest, AProgramThatDoesNotStandItsCheckIsNotExecuted) {
  const std::string program = directory_.file("keeper");
  std::filesystem::copy_file(keeper_program(), program);
  start_program(program);
  const State state;
  auto gateway = gateway_with(state);
  std::filesystem::remove(program);
  std::ofstream(program) << "#!/bin/sh\nexit 3\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  keeper_->signal(SIGUSR2);
  keeper_->wait_line("the upgrade failed, going on: .*--check ended with code 3");
  gateway->say(Taken{});
  gateway->kill();
  FakeGateway next(path());
  next.hello();
  EXPECT_TRUE(next.hear_held().clients.empty());
}

TEST_F(KeeperTest, UnclaimedClientsAreToldAtTheRightByte) {
  start();
  State state;
  auto gateway = gateway_with(state, 100);
  const std::string frames = frame("first") + frame("second");
  std::vector<std::unique_ptr<Client>> clients;
  const auto add = [&](std::uint32_t slot, std::size_t sent, int receive_buffer = 0) {
    clients.push_back(std::make_unique<Client>(receive_buffer));
    state.open(slot, *clients.back());
    state.intend(slot, frames);
    give(*gateway, slot, *clients.back());
    if (sent > 0) {
      EXPECT_EQ(::send(clients.back()->server.get(), (frames + "more").data(), sent, 0),
                static_cast<ssize_t>(sent));
    }
  };
  // Every byte at which a gateway can be killed, and one beyond what it has recorded.
  for (std::uint32_t sent = 0; sent <= frames.size() + 1; ++sent) add(sent, sent);
  // What it said and nobody has read is no reason to be cut: its read position is known.
  const auto talkative = static_cast<std::uint32_t>(clients.size());
  add(talkative, 3);
  clients[talkative]->peer.send_all("unread");
  // Of another generation, and in no slot at all.
  const auto stale = talkative + 1;
  add(stale, 0);
  state.memory.slots()[stale].generation = 9;
  clients.push_back(std::make_unique<Client>());
  give(*gateway, 4000, *clients.back());

  // The keeper has all of it once it has taken in what was said last.
  gateway->say(Give{{60, 1}}, {clients.back()->server.get()});
  for (const auto& client : clients) client->forget();
  gateway->kill();
  const std::size_t first_size = frame("first").size();
  for (std::size_t sent = 0; sent <= frames.size(); ++sent) {
    const std::size_t end = sent == 0 ? 0 : sent <= first_size ? first_size : frames.size();
    EXPECT_EQ(clients[sent]->rest(), frames.substr(0, end) + kRestart) << sent;
    clients[sent]->peer.close();
  }
  EXPECT_EQ(clients[frames.size() + 1]->rest(), frames + "m");
  EXPECT_EQ(clients[talkative]->rest(), frame("first") + kRestart);
  clients[talkative]->peer.close();
  EXPECT_EQ(clients[stale]->rest(), "");
  EXPECT_EQ(clients.back()->rest(), "");
  // The last client is there twice: cut, like those that no slot speaks of.
  keeper_->wait_line("released: 17 told with 1012, 4 cut without, 0 did not take it");
}

TEST_F(KeeperTest, ASlowClientGetsItsFrameToTheEnd) {
  start();
  State state;
  auto gateway = gateway_with(state, 0);
  const std::string frames = large_frame(8U << 20U);
  Client slow(16 * 1024);
  Client silent(16 * 1024);
  std::size_t sent = 0;
  for (Client* client : {&slow, &silent}) {
    const std::uint32_t slot = client == &slow ? 0 : 1;
    state.open(slot, *client);
    state.intend(slot, frames);
    give(*gateway, slot, *client);
    const ssize_t size = ::send(client->server.get(), frames.data(), frames.size(), MSG_DONTWAIT);
    ASSERT_GT(size, 0);
    ASSERT_LT(size, static_cast<ssize_t>(frames.size()));
    sent += static_cast<std::size_t>(size);
    client->forget();
  }
  gateway->kill();
  keeper_->wait_line("releasing 2 clients");
  const std::string got = slow.rest();
  EXPECT_TRUE(got == frames + kRestart) << got.size() << " bytes, " << sent << " sent before";
  slow.peer.close();
  // Who reads nothing is waited for, and not for ever.
  keeper_->wait_line("released: 1 told with 1012, 0 cut without, 1 did not take it", 30s);
}

TEST_F(KeeperTest, UnclaimedListenersAreClosed) {
  start();
  const State state;
  auto gateway = gateway_with(state);
  std::uint16_t port = 0;
  UniqueFd listener = listen_tcp(0, &port);
  gateway->say(Listen{"clients 127.0.0.1"}, {listener.get()});
  listener.reset();
  gateway->kill();
  keeper_->wait_line("1 listeners");
  // Its backlog takes clients for a while.
  (void)Socket::connect(at(port));
  keeper_->wait_line("closed 1 listeners: nobody came for them", 30s);
  EXPECT_THROW((void)Socket::connect(at(port)), HarnessError);
}

TEST_F(KeeperTest, WhoComesLateGetsWhatIsLeft) {
  start();
  State state;
  auto first = gateway_with(state, 0, 1);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint32_t i = 0; i < 40; ++i) {
    clients.push_back(std::make_unique<Client>());
    state.open(i, *clients.back());
    give(*first, i, *clients.back());
    clients.back()->forget();
  }
  first->kill();
  EXPECT_EQ(clients[0]->rest(), kRestart);
  FakeGateway second(path());
  second.hello();
  const HeldThings held = second.hear_held();
  EXPECT_EQ(held.welcome.clients, held.clients.size());
  EXPECT_TRUE(held.welcome.has_state);
  ASSERT_FALSE(held.clients.empty());
  const std::uint32_t left = held.clients.front().first.slot;
  EXPECT_EQ(held.clients.size(), 40 - left);
  second.say(Taken{});
  for (std::uint32_t i = 1; i < left; ++i) EXPECT_EQ(clients[i]->rest(), kRestart);
  observe_for(1500ms);
  for (std::uint32_t i = left; i < 40; ++i) EXPECT_TRUE(clients[i]->quiet(1ms));
}

TEST_F(KeeperTest, ACrashLoopEnds) {
  start();
  State state;
  Client client;
  state.open(3, client);
  auto gateway = gateway_with(state, 3'600'000);
  std::uint16_t port = 0;
  UniqueFd listener = listen_tcp(0, &port);
  gateway->say(Listen{"clients"}, {listener.get()});
  listener.reset();
  give(*gateway, 3, client);
  client.forget();
  for (std::uint32_t crash = 1; crash < 5; ++crash) {
    gateway->kill();
    gateway = std::make_unique<FakeGateway>(path());
    gateway->hello(3'600'000);
    const HeldThings held = gateway->hear_held();
    EXPECT_EQ(held.welcome.crashes, crash);
    EXPECT_EQ(held.clients.size(), 1U);
    gateway->say(Taken{});
  }
  EXPECT_TRUE(client.quiet());
  gateway->kill();
  EXPECT_EQ(client.rest(), kRestart);
  EXPECT_THROW((void)Socket::connect(at(port)), HarnessError);
  FakeGateway next(path());
  next.hello();
  const HeldThings held = next.hear_held();
  EXPECT_TRUE(held.clients.empty());
  EXPECT_FALSE(held.welcome.has_state);
}

/// Who comes and goes with nothing left behind is no crash.
TEST_F(KeeperTest, AnEndWithNothingLeftIsOrderly) {
  start();
  for (int i = 0; i < 7; ++i) {
    const State state;
    auto gateway = gateway_with(state);
    const Client client;
    give(*gateway, 1, client);
    gateway->say(Take{{1, 1}});
    gateway->kill();
    keeper_->wait_line("has ended and left nothing", 10s, 0);
  }
  const FakeGateway last(path());
  last.hello();
  EXPECT_EQ(last.hear_a<Welcome>().crashes, 0U);
}

TEST_F(KeeperTest, AGatewayThatCannotReadTheStateHasItsClientsTold) {
  start();
  State old_state;
  Client old_client;
  old_state.open(3, old_client);
  auto first = gateway_with(old_state);
  std::uint16_t port = 0;
  const UniqueFd listener = listen_tcp(0, &port);
  first->say(Listen{"clients"}, {listener.get()});
  give(*first, 3, old_client);
  old_client.forget();
  first->kill();
  FakeGateway second(path());
  second.hello();
  EXPECT_EQ(second.hear_held().clients.size(), 1U);
  second.say(Release{"state of another version"});
  const State state;
  const Client client;
  second.say(keeper::State{}, {state.memory.fd()});
  second.say(Taken{});
  give(second, 3, client);
  EXPECT_EQ(old_client.rest(), kRestart);
  second.kill();
  FakeGateway third(path());
  third.hello();
  const HeldThings held = third.hear_held();
  EXPECT_EQ(inode(held.memory.get()), inode(state.memory.fd()));
  EXPECT_EQ(held.listeners.size(), 1U);
  ASSERT_EQ(held.clients.size(), 1U);
  EXPECT_EQ(inode(held.clients[0].second.get()), inode(client.server.get()));
}

/// As containers have it: gateways have no process id here that would say who is who.
class KeeperOfAnotherNamespace : public KeeperTest {
 protected:
  static inline const Args kUnshare = {"/usr/bin/unshare", "--pid", "--mount-proc", "--fork",
                                       "--kill-child"};
  void SetUp() override {
    Args probe = kUnshare;
    probe.emplace_back("/bin/true");
    SpawnOptions options;
    options.args = std::move(probe);
    if (Process(std::move(options)).wait_exit(10s).code != 0) GTEST_SKIP() << "no namespaces here";
    Args command = kUnshare;
    command.push_back(keeper_program());
    start_command(std::move(command));
  }
};

TEST_F(KeeperOfAnotherNamespace, WhoHasParkedAndClosedItsConnectionIsOver) {
  const State state;
  const auto first = gateway_with(state);
  const Client client;
  give(*first, 5, client);
  first->say(Park{});
  // It asks again as another program, before the end of its old connection has been seen.
  FakeGateway second(path());
  second.hello();
  EXPECT_EQ(second.hear_a<InUse>().pid, 0U);
  first->close_connection();
  HeldThings held = second.hear_held();
  EXPECT_EQ(held.welcome.ending, Ending::kPlanned);
  EXPECT_EQ(held.clients.size(), 1U);
  second.say(Taken{});
  // And after it.
  second.say(Park{});
  const std::size_t mark = keeper_->mark();
  second.close_connection();
  FakeGateway third(path());
  third.hello();
  EXPECT_EQ(third.hear_held().clients.size(), 1U);
  keeper_->wait_line("has parked", 10s, mark);
}

TEST_F(KeeperOfAnotherNamespace, WhoHasNotParkedIsTheHolderUntilItsDeath) {
  const State state;
  const auto first = gateway_with(state);
  const Client client;
  give(*first, 5, client);
  FakeGateway second(path());
  second.hello();
  EXPECT_EQ(second.hear_a<InUse>().pid, 0U);
  first->close_connection();
  EXPECT_THROW((void)second.hear(300ms), HarnessError);
  first->kill();
  const HeldThings held = second.hear_held();
  EXPECT_EQ(held.welcome.ending, Ending::kCrashed);
  EXPECT_EQ(held.clients.size(), 1U);
}

TEST_F(KeeperTest, MalformedPacketsEndTheConnectionAlone) {
  start();
  const State state;
  auto gateway = gateway_with(state);
  const Client client;
  give(*gateway, 5, client);
  ASSERT_EQ(::send(gateway->socket(), "rubbish, more than a header", 27, 0), 27);
  keeper_->wait_line("malformed packet.*its connection is closed");
  EXPECT_EQ(gateway->hear().what, Received::What::kEnd);
  const FakeGateway stranger(path());
  ASSERT_EQ(::send(stranger.socket(), "x", 1, 0), 1);
  EXPECT_EQ(stranger.hear().what, Received::What::kEnd);
  const FakeGateway hasty(path());
  hasty.say(Park{});
  EXPECT_EQ(hasty.hear().what, Received::What::kEnd);
  // The process lives: it is still the holder, and nothing was lost.
  FakeGateway second(path());
  second.hello();
  EXPECT_EQ(second.hear_a<InUse>().pid, static_cast<std::uint32_t>(gateway->pid()));
  gateway->kill();
  EXPECT_EQ(second.hear_held().clients.size(), 1U);
}

TEST_F(KeeperTest, WhoIsRefused) {
  start();
  const auto refusal = [this](const Hello& hello, bool own_pidfd = true) {
    const FakeGateway gateway(path());
    const FakeGateway other(path());
    gateway.say(hello, {own_pidfd ? gateway.pidfd() : other.pidfd()});
    std::string text = gateway.hear_a<Refused>().text;
    EXPECT_EQ(gateway.hear().what, Received::What::kEnd);
    return text;
  };
  EXPECT_EQ(refusal({kWireVersion + 1, "1111", 1, 1}), "the keeper speaks version 1, not 2");
  EXPECT_EQ(refusal({kWireVersion, "2222", 1, 1}), "this is the keeper of 1111");
  EXPECT_EQ(refusal({kWireVersion, "1111", 1, 1}, false), "not a pidfd of who connected");
}

TEST_F(KeeperTest, NoMoreThanItsDescriptorsAllow) {
  start(512 + 10);
  State state;
  auto gateway = std::make_unique<FakeGateway>(path());
  gateway->hello();
  EXPECT_EQ(gateway->hear_a<Welcome>().clients_max, 10U);
  gateway->say(keeper::State{}, {state.memory.fd()});
  const Client client;
  for (std::uint32_t i = 0; i < 13; ++i) give(*gateway, i, client);
  keeper_->wait_line("no more than 10 clients can be held");
  // One for one still goes.
  give(*gateway, 4, client, 2);
  gateway->kill();
  FakeGateway second(path());
  second.hello();
  const HeldThings held = second.hear_held();
  ASSERT_EQ(held.clients.size(), 10U);
  EXPECT_EQ(held.clients[4].first, (ClientRef{4, 2}));
}

TEST_F(KeeperTest, NoDescriptorStaysBehind) {
  start();
  const std::size_t before = keeper_->fd_count();
  for (int round = 0; round < 3; ++round) {
    State state;
    auto gateway = gateway_with(state, 0);
    std::vector<std::unique_ptr<Client>> clients;
    for (std::uint32_t i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<Client>());
      if (i % 2 == 0) state.open(i, *clients.back());
      give(*gateway, i, *clients.back());
      clients.back()->forget();
    }
    const std::size_t mark = keeper_->mark();
    gateway->kill();
    for (const auto& client : clients) {
      (void)client->rest();
      client->peer.close();
    }
    keeper_->wait_line("released: 10 told with 1012, 10 cut", 10s, mark);
    EXPECT_TRUE(eventually(10s, [&] { return keeper_->fd_count() == before; }));
  }
}

TEST_F(KeeperTest, UpgradeKeepsEverything) {
  const std::string program = directory_.file("keeper");
  std::filesystem::copy_file(keeper_program(), program);
  start_program(program);
  State state;
  auto gateway = gateway_with(state);
  std::uint16_t port = 0;
  const UniqueFd listener = listen_tcp(0, &port);
  gateway->say(Listen{"clients"}, {listener.get()});
  Client client;
  Client closed;
  state.open(3, client);
  give(*gateway, 3, client);
  give(*gateway, 4, closed);
  closed.forget();
  gateway->say(Pending{"clients", "GET"}, {client.server.get()});

  for (int round = 0; round < 2; ++round) {
    // A package replaces the file while it runs.
    std::filesystem::copy_file(keeper_program(), program + ".new");
    std::filesystem::rename(program + ".new", program);
    const std::size_t mark = keeper_->mark();
    keeper_->signal(SIGUSR2);
    keeper_->wait_line("resumed after an upgrade: 2 clients, 1 listeners", 60s, mark);
    const auto running =
        std::filesystem::read_symlink("/proc/" + std::to_string(keeper_->pid()) + "/exe");
    EXPECT_EQ(running, program);  // "... (deleted)" would be the old one
  }

  // The connection to the living gateway has survived, and so has the row of who may have what.
  gateway->say(Take{{4, 1}});
  EXPECT_EQ(closed.peer.read_some(10s).end, ReadEnd::kEof);
  FakeGateway second(path());
  second.hello();
  EXPECT_EQ(second.hear_a<InUse>().pid, static_cast<std::uint32_t>(gateway->pid()));
  gateway->say(Park{});
  gateway->kill();
  const HeldThings held = second.hear_held();
  EXPECT_EQ(held.welcome.ending, Ending::kPlanned);
  EXPECT_EQ(inode(held.memory.get()), inode(state.memory.fd()));
  ASSERT_EQ(held.clients.size(), 1U);
  EXPECT_EQ(held.clients[0].first, (ClientRef{3, 1}));
  EXPECT_EQ(inode(held.clients[0].second.get()), inode(client.server.get()));
  ASSERT_EQ(held.listeners.size(), 1U);
  EXPECT_EQ(inode(held.listeners[0].second.get()), inode(listener.get()));
  ASSERT_EQ(held.pending.size(), 1U);
  EXPECT_EQ(held.pending[0].first.bytes, "GET");
}

/// The clock of those whom nobody serves goes on through an upgrade, and so do those that wait for
/// their turn to leave.
TEST_F(KeeperTest, UpgradeWhileNobodyServes) {
  start();
  State state;
  auto gateway = gateway_with(state, 0, 2);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint32_t i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>());
    state.open(i, *clients.back());
    give(*gateway, i, *clients.back());
    clients.back()->forget();
  }
  gateway->kill();
  EXPECT_EQ(clients[0]->rest(), kRestart);
  keeper_->signal(SIGUSR2);
  clients[0]->peer.close();
  keeper_->wait_line("resumed after an upgrade");
  for (std::uint32_t i = 1; i < 4; ++i) EXPECT_EQ(clients[i]->rest(), kRestart) << i;
}

TEST_F(KeeperTest, UpgradeToNoProgramGoesOn) {
  const std::string program = directory_.file("keeper");
  std::filesystem::copy_file(keeper_program(), program);
  start_program(program);
  const State state;
  auto gateway = gateway_with(state);
  Client client;
  give(*gateway, 3, client);
  client.forget();
  std::filesystem::remove(program);
  keeper_->signal(SIGUSR2);
  keeper_->wait_line("the upgrade failed, going on");
  EXPECT_TRUE(client.quiet());
  gateway->say(Take{{3, 1}});
  EXPECT_EQ(client.peer.read_some(10s).end, ReadEnd::kEof);
}

TEST_F(KeeperTest, TableThatCannotBeReadClosesAll) {
  const UniqueFd table(::memfd_create("table", MFD_CLOEXEC));
  ASSERT_EQ(::write(table.get(), "something else, of whatever version", 35), 35);
  Client client;
  SpawnOptions options;
  options.args = {keeper_program(), "--resume-fd",   "5", "--id", "1111",
                  "--listen",       "unix:" + path()};
  options.fds = {{5, table.get()}, {6, client.server.get()}};
  keeper_ = std::make_unique<Process>(std::move(options));
  keeper_->wait_line("the table that was handed over: not one; all that was held is closed");
  client.forget();
  EXPECT_EQ(client.peer.read_some(10s).end, ReadEnd::kEof);
  keeper_->wait_line("listening on unix:");
  const State state;
  (void)gateway_with(state);
}

TEST_F(KeeperTest, EndsAndTellsEverybodyWhenNobodyServes) {
  start();
  State state;
  auto gateway = gateway_with(state);
  Client client;
  state.open(3, client);
  give(*gateway, 3, client);
  client.forget();
  gateway->kill();
  keeper_->wait_line("has crashed");
  keeper_->signal(SIGTERM);
  EXPECT_EQ(client.rest(), kRestart);
  client.peer.close();
  EXPECT_EQ(keeper_->wait_exit().code, 0);
}

TEST_F(KeeperTest, ASecondSignalEndsItAtOnce) {
  start();
  State state;
  auto gateway = gateway_with(state, 60'000, 1);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint32_t i = 0; i < 60; ++i) {
    clients.push_back(std::make_unique<Client>());
    state.open(i, *clients.back());
    give(*gateway, i, *clients.back());
    clients.back()->forget();
  }
  gateway->kill();
  keeper_->wait_line("has crashed");
  keeper_->signal(SIGTERM);
  EXPECT_EQ(clients[0]->rest(), kRestart);
  keeper_->signal(SIGTERM);
  EXPECT_EQ(keeper_->wait_exit().code, 0);
  EXPECT_EQ(clients[59]->rest(), "");
}

/// While the gateway lives its clients are none of the keeper's business.
TEST_F(KeeperTest, EndsBesideALivingGateway) {
  start();
  State state;
  auto gateway = gateway_with(state);
  Client client;
  state.open(3, client);
  give(*gateway, 3, client);
  keeper_->signal(SIGTERM);
  EXPECT_EQ(keeper_->wait_exit().code, 0);
  EXPECT_TRUE(client.quiet());
  EXPECT_FALSE(std::filesystem::exists(path()));
}

}  // namespace
}  // namespace sluice::test
