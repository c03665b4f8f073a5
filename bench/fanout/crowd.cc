#include "bench/fanout/crowd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "bench/fanout/ws_frame.h"
#include "tests/process/support/ws_wire.h"

namespace sluice::fanout {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kPartialBytesMax = 1 << 20;
constexpr std::size_t kClientsPerAddress = 500;  ///< so that ports never run short
constexpr std::size_t kAttempts = 3;
constexpr std::string_view kCloseNormal("\x03\xe8", 2);

sockaddr_in loopback(std::uint32_t address, std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(address);
  return to;
}

/// A connection under way to 127.0.0.1:port from 127.0.N.1.
int open_from(std::size_t index, std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) test::throw_errno("socket");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto net = static_cast<std::uint32_t>(1 + index / kClientsPerAddress % 200);
  const sockaddr_in from = loopback(INADDR_LOOPBACK | net << 8U, 0);
  const sockaddr_in to = loopback(INADDR_LOOPBACK, port);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
      (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
       errno != EINPROGRESS)) {
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

bool is_upgraded(std::string_view head) {
  static const std::string accept = test::accept_of(test::kUpgradeKey);
  return head.starts_with("HTTP/1.1 101") && head.find(accept) != std::string_view::npos;
}

}  // namespace

Crowd::Crowd(Load& load, const ServerPlan& server, const std::vector<std::string>& channels,
             std::size_t clients)
    : load_(load),
      verifier_(load.verifier()),
      dialect_(*server.dialect),
      plain_(server.dialect->is_plain()),
      channels_(channels),
      port_(server.endpoint.port),
      clients_(clients),
      buffer_(kReadBytes) {
  channel_of = [this](std::size_t index) { return index % channels_.size(); };
  for (const auto& channel : channels) requests_.push_back(dialect_.request(server.path(channel)));
  load.set_receivers(*this);
}

/// By RST: a run's thousands of connections leave nothing in TIME_WAIT for the next.
Crowd::~Crowd() {
  const linger now{1, 0};
  for (const Client& client : clients_) {
    if (client.fd < 0) continue;
    ::setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(client.fd);
  }
}

void Crowd::dial(std::size_t index) {
  Client& client = clients_[index];
  client.place.channel = static_cast<std::uint32_t>(channel_of(index));
  client.fd = open_from(index, port_);
  if (client.fd < 0) {
    ++verifier_.faults().refused;
    if (on_gone) on_gone(index, false);
    return;
  }
  client.state = State::kConnecting;
  ++dialing_;
  epoll_event event{EPOLLIN | EPOLLOUT, {.u64 = index}};
  if (::epoll_ctl(load_.epoll(), EPOLL_CTL_ADD, client.fd, &event) != 0)
    test::throw_errno("epoll_ctl");
}

void Crowd::watch(std::size_t index, std::uint32_t events) {
  epoll_event event{events, {.u64 = index}};
  ::epoll_ctl(load_.epoll(), EPOLL_CTL_MOD, clients_[index].fd, &event);
}

bool Crowd::connect_all(std::uint64_t deadline_ns, std::size_t in_flight) {
  std::vector<std::uint8_t> attempts(clients_.size(), 0);
  std::vector<std::size_t> waiting;
  for (std::size_t i = clients_.size(); i > 0; --i) waiting.push_back(i - 1);
  bool possible = true;
  on_gone = [&](std::size_t index, bool) {
    possible = possible && attempts[index] < kAttempts;
    waiting.push_back(index);
  };
  const bool all = load_.turn_until(deadline_ns, [&] {
    while (possible && dialing_ < in_flight && !waiting.empty()) {
      const std::size_t index = waiting.back();
      waiting.pop_back();
      ++attempts[index];
      dial(index);
    }
    return !possible || ready_ == clients_.size();
  });
  on_gone = nullptr;
  return all && possible;
}

void Crowd::on_event(std::uint64_t index, std::uint32_t events) {
  Client& client = clients_[index];
  if (client.state == State::kGone) return;  // ended earlier in this turn
  if (client.state == State::kConnecting) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
      end(index);
      return;
    }
    send_request(index);
    return;
  }
  // A short read has emptied the socket, and what comes behind it is a new edge. An end that came
  // together with the data is none.
  const bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  while (read(index) == buffer_.size() || (ended && client.state != State::kGone)) {
  }
}

void Crowd::send_request(std::size_t index) {
  Client& client = clients_[index];
  client.state = State::kUpgrading;
  // Edge-triggered: else the kernel looks at each socket twice per delivery.
  watch(index, EPOLLIN | EPOLLRDHUP | static_cast<std::uint32_t>(EPOLLET));
  send(index, requests_[client.place.channel]);
}

/// Requests, pongs and closes are small: a socket that does not take one is broken.
void Crowd::send(std::size_t index, std::string_view bytes) {
  const ssize_t sent =
      ::send(clients_[index].fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes.size()) && clients_[index].state != State::kClosing)
    end(index);
}

/// Bytes read; 0 when nothing was there or the client is gone.
std::size_t Crowd::read(std::size_t index) {
  Client& client = clients_[index];
  const ssize_t got = ::recv(client.fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) {
    end(index);
    return 0;
  }
  read_at_ns_ = now_ns();
  std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
  std::string joined;
  if (client.partial) {
    joined = std::move(*client.partial);
    client.partial.reset();
    bytes = joined.append(bytes);
  }
  if (client.state == State::kUpgrading && !take_head(index, bytes))
    return client.state == State::kGone ? 0 : static_cast<std::size_t>(got);
  if (!bytes.empty()) take_frames(index, bytes);
  return client.state == State::kGone ? 0 : static_cast<std::size_t>(got);
}

bool Crowd::take_head(std::size_t index, std::string_view& bytes) {
  Client& client = clients_[index];
  const std::size_t blank = bytes.find("\r\n\r\n");
  if (blank == std::string_view::npos) {
    if (bytes.size() > kPartialBytesMax) {
      end(index);
    } else {
      client.partial = std::make_unique<std::string>(bytes);
    }
    return false;
  }
  if (!is_upgraded(bytes.substr(0, blank + 4))) {
    end(index);
    return false;
  }
  bytes.remove_prefix(blank + 4);
  client.state = State::kGreeting;
  const std::string greeting = dialect_.greet(channels_[client.place.channel], ++greeted_);
  if (dialect_.ready_at_upgrade()) begin(index);
  if (!greeting.empty()) send(index, greeting);
  return client.state == State::kGreeting || client.state == State::kReady;
}

void Crowd::begin(std::size_t index) {
  clients_[index].state = State::kReady;
  --dialing_;
  ++ready_;
  verifier_.join(clients_[index].place);
  if (on_ready) on_ready(index);
}

void Crowd::take_frames(std::size_t index, std::string_view bytes) {
  Client& client = clients_[index];
  while (!bytes.empty()) {
    const ServerFrame frame = next_frame(bytes);
    if (frame.state == ServerFrame::State::kPartial) {
      if (bytes.size() > kPartialBytesMax) {
        end(index);
      } else {
        client.partial = std::make_unique<std::string>(bytes);
      }
      return;
    }
    if (frame.state == ServerFrame::State::kBroken) {
      if (client.state != State::kClosing) ++verifier_.faults().corrupt;
      end(index);
      return;
    }
    if (!take_frame(index, frame.opcode, frame.payload)) return;
    bytes.remove_prefix(frame.size);
  }
}

/// False: the client is gone.
bool Crowd::take_frame(std::size_t index, std::uint8_t opcode, std::string_view payload) {
  Client& client = clients_[index];
  if (opcode == kText || opcode == kBinary) {
    if (client.state == State::kClosing) return true;
    if (!plain_) return take_data(index, opcode, payload);
    const std::uint64_t sent_ns = verifier_.receive(client.place, payload, index);
    if (sent_ns != 0) load_.received(client.place.channel, read_at_ns_ - sent_ns);
    return true;
  }
  if (opcode == kPing) {
    ++pings_;
    scratch_.clear();
    append_masked(scratch_, kPong, payload);
    send(index, scratch_);
  } else if (opcode == kClose) {
    end(index);
  }
  return client.state != State::kGone;
}

bool Crowd::take_data(std::size_t index, std::uint8_t opcode, std::string_view payload) {
  Client& client = clients_[index];
  while (!payload.empty()) {
    const Heard heard = dialect_.on_frame(opcode, payload);
    if (heard.kind == Heard::Kind::kBroken || heard.consumed == 0 ||
        heard.consumed > payload.size()) {
      end(index);
      return false;
    }
    if (heard.kind == Heard::Kind::kMessage) {
      const std::uint64_t sent_ns = verifier_.receive(client.place, heard.message, index);
      if (sent_ns != 0) load_.received(client.place.channel, read_at_ns_ - sent_ns);
    } else if (heard.kind == Heard::Kind::kReady && client.state == State::kGreeting) {
      begin(index);
    }
    if (!heard.reply.empty()) {
      ++pings_;  // nothing else is answered
      send(index, heard.reply);
    }
    if (client.state == State::kGone) return false;
    payload.remove_prefix(heard.consumed);
  }
  return true;
}

void Crowd::close(std::size_t index) {
  Client& client = clients_[index];
  if (client.state != State::kReady) return;
  --ready_;
  verifier_.leave(client.place);
  client.state = State::kClosing;
  scratch_.clear();
  append_masked(scratch_, kClose, kCloseNormal);
  send(index, scratch_);
}

/// The connection has ended, whoever wanted it.
void Crowd::end(std::size_t index) {
  Client& client = clients_[index];
  if (client.state == State::kGone) return;
  const State was = client.state;
  client.state = State::kGone;
  ::close(client.fd);
  client.fd = -1;
  client.partial.reset();
  if (was == State::kReady) {
    --ready_;
    ++verifier_.faults().disconnected;
    verifier_.leave(client.place);
  } else if (was != State::kClosing) {
    --dialing_;
    ++verifier_.faults().refused;
  }
  if (on_gone) on_gone(index, was == State::kReady || was == State::kClosing);
}

std::size_t Crowd::behind() const {
  return static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(), [this](const Client& client) {
        return client.state == State::kReady && !verifier_.has_latest(client.place);
      }));
}

void Crowd::give_up() {
  for (Client& client : clients_) verifier_.give_up(client.place);
}

}  // namespace sluice::fanout
