// A gateway as its keeper sees it: a process that connected and can be stopped and killed, and the
// connection, spoken by the test. On the keeper's own packets (keeper/wire); a test that uses it
// compiles them.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/unique_fd.h"
#include "keeper/wire.h"
#include "tests/process/support/deadline.h"

namespace sluice::test {

/// What a keeper says from WELCOME to HELD_END.
struct HeldThings {
  keeper::Welcome welcome;
  UniqueFd memory;
  std::vector<std::pair<std::string, UniqueFd>> listeners;
  std::vector<std::pair<keeper::ClientRef, UniqueFd>> clients;
  std::vector<std::pair<keeper::HeldPending, UniqueFd>> pending;
};

class FakeGateway {
 public:
  explicit FakeGateway(std::string keeper_path) : path_(std::move(keeper_path)) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw_errno("socketpair");
    control_.reset(ends[0]);
    const UniqueFd child(ends[1]);
    address_.sun_family = AF_UNIX;
    if (path_.size() >= sizeof address_.sun_path) throw HarnessError("path too long: " + path_);
    std::memcpy(address_.sun_path, path_.c_str(), path_.size() + 1);
    pid_ = ::fork();
    if (pid_ < 0) throw_errno("fork");
    if (pid_ == 0) live(child.get());
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    connect();
  }
  ~FakeGateway() { kill(); }
  FakeGateway(const FakeGateway&) = delete;
  FakeGateway& operator=(const FakeGateway&) = delete;

  /// The process connects, once more perhaps; the connection before is closed.
  void connect() {
    socket_.reset();
    if (::send(control_.get(), "c", 1, MSG_NOSIGNAL) != 1) throw_errno("fake gateway");
    char byte = 0;
    iovec bytes{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    if (::recvmsg(control_.get(), &message, MSG_CMSG_CLOEXEC) != 1 ||
        CMSG_FIRSTHDR(&message) == nullptr)
      throw HarnessError("the fake gateway could not connect to " + path_);
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    socket_.reset(fd);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  void close_connection() { socket_.reset(); }

  void say(const keeper::Message& message, const std::vector<int>& fds = {}) const {
    const auto sent = keeper::send_packet(socket_.get(), message, fds);
    if (!sent) throw HarnessError("to the keeper: " + sent.error().message);
    if (*sent == keeper::SendOutcome::kSent) return;
    pollfd entry{socket_.get(), POLLOUT, 0};
    if (::poll(&entry, 1, 10'000) != 1) throw HarnessError("the keeper takes no packet");
    say(message, fds);
  }
  void hello(std::uint32_t handoff_wait_ms = 60'000, std::uint32_t close_rate = 1000,
             bool serving = false) const {
    say(keeper::Hello{keeper::kWireVersion, "1111", handoff_wait_ms, close_rate, serving},
        {pidfd_.get()});
  }

  /// The next packet; kEnd when the keeper has closed.
  [[nodiscard]] keeper::Received hear(Millis wait = 10s) const {
    const Deadline deadline = Deadline::in(wait);
    for (;;) {
      auto received = keeper::receive_packet(socket_.get());
      if (!received) throw HarnessError("from the keeper: " + received.error().message);
      if (received->what != keeper::Received::What::kNothing) return std::move(*received);
      pollfd entry{socket_.get(), POLLIN, 0};
      if (::poll(&entry, 1, deadline.left_ms()) == 0) throw HarnessError("the keeper is silent");
    }
  }
  template <typename T>
  [[nodiscard]] T hear_a(std::vector<UniqueFd>* fds = nullptr) const {
    keeper::Received received = hear();
    const auto* message = std::get_if<T>(&received.message);
    if (received.what != keeper::Received::What::kMessage || message == nullptr)
      throw HarnessError("the keeper says something else, type " +
                         std::to_string(received.message.index()));
    if (fds != nullptr) *fds = std::move(received.fds);
    return *message;
  }
  [[nodiscard]] HeldThings hear_held() const {
    HeldThings held;
    std::vector<UniqueFd> fds;
    held.welcome = hear_a<keeper::Welcome>(&fds);
    if (!fds.empty()) held.memory = std::move(fds.front());
    for (;;) {
      keeper::Received received = hear();
      if (const auto* m = std::get_if<keeper::HeldListener>(&received.message)) {
        held.listeners.emplace_back(m->name, std::move(received.fds.front()));
      } else if (const auto* m = std::get_if<keeper::HeldClients>(&received.message)) {
        for (std::size_t i = 0; i < m->clients.size(); ++i)
          held.clients.emplace_back(m->clients[i], std::move(received.fds[i]));
      } else if (const auto* m = std::get_if<keeper::HeldPending>(&received.message)) {
        held.pending.emplace_back(*m, std::move(received.fds.front()));
      } else if (std::holds_alternative<keeper::HeldEnd>(received.message) &&
                 received.what == keeper::Received::What::kMessage) {
        return held;
      } else {
        throw HarnessError("not between WELCOME and HELD_END");
      }
    }
  }

  void signal(int number) const { ::kill(pid_, number); }
  /// As the kernel ends a process: its connection goes with it.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
    socket_.reset();
  }

 private:
  /// System calls only: the test has threads. It keeps no descriptor of the test's open.
  [[noreturn]] void live(int control) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(control, 3);
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    char byte = 0;
    while (::recv(3, &byte, 1, 0) == 1) {
      const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
      const bool connected =
          ::connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0;
      iovec bytes{&byte, 1};
      alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
      msghdr message{};
      message.msg_iov = &bytes;
      message.msg_iovlen = 1;
      if (connected) {
        message.msg_control = room;
        message.msg_controllen = sizeof room;
        cmsghdr* part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
      }
      ::sendmsg(3, &message, MSG_NOSIGNAL);
      ::close(fd);
    }
    ::_exit(0);
  }

  std::string path_;
  sockaddr_un address_{};
  pid_t pid_ = -1;
  UniqueFd control_;
  UniqueFd pidfd_;
  UniqueFd socket_;
};

}  // namespace sluice::test
