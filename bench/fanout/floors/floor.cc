// See floor.h. No logs, no metrics, no limits: that is the point of it.
#include "bench/fanout/floors/floor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "bench/fanout/floors/push_parser.h"
#include "bench/fanout/ws_frame.h"
#include "tests/process/support/ws_wire.h"

namespace sluice::fanout {
namespace {

constexpr int kEventsMax = 512;
constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kHeadBytesMax = 4096;
constexpr auto kPingTick = std::chrono::milliseconds(100);
constexpr std::string_view kChannelPath = "/channel/";

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

UniqueFd open_listener(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = address_of("127.0.0.1", port);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("bind");
  if (::listen(fd.get(), SOMAXCONN) != 0) fail("listen");
  return fd;
}

UniqueFd connect_redis(const std::string& host, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = address_of(host, port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("redis");
  return fd;
}

/// The value of a header, its name in lower case as clients of the bench need not write it.
std::string_view header_value(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos;
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    const bool same = std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
      return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b);
    });
    if (!same) continue;
    const std::size_t value = line.find_first_not_of(' ', name.size() + 1);
    return value == std::string_view::npos ? std::string_view() : line.substr(value);
  }
  return {};
}

}  // namespace

Floor::Floor(const FloorOptions& options)
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      listener_(open_listener(options.port)),
      redis_(connect_redis(options.redis_host, options.redis_port)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  clients_.resize(limit.rlim_max);
  pings_per_tick_share_ = std::chrono::duration<double>(kPingTick) / options.ping_interval;
  const timespec tick{0, std::chrono::nanoseconds(kPingTick).count()};
  const itimerspec period{tick, tick};
  // Who never pings has no tick either.
  if (options.ping_interval < std::chrono::minutes(10))
    ::timerfd_settime(timer_.get(), 0, &period, nullptr);
  for (const int fd : {listener_.get(), redis_.get(), timer_.get()}) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }
}

void Floor::run() {
  std::array<epoll_event, kEventsMax> events;
  while (true) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == redis_.get()) {
        on_redis();
      } else if (event.data.fd == listener_.get()) {
        accept_clients();
      } else if (event.data.fd == timer_.get()) {
        ping_some();
      } else {
        on_client(event.data.fd, event.events);
      }
    }
    close_broken();
  }
}

void Floor::accept_clients() {
  while (true) {
    const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client(fd) = Client{};
    epoll_event event{EPOLLIN, {.fd = fd}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }
}

void Floor::on_client(int fd, std::uint32_t events) {
  static std::array<char, kHeadBytesMax> buffer;
  if ((events & EPOLLOUT) != 0) write_tail(fd);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    close_client(fd);
    return;
  }
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (!client(fd).open) {
    on_request(fd, bytes);
  } else if ((static_cast<std::uint8_t>(bytes[0]) & 0x0FU) == kClose) {
    // Clients of the bench send pongs and closes, each in a segment of its own.
    static constexpr std::string_view kGoodbye("\x88\x02\x03\xe8", 4);
    send_direct(fd, kGoodbye);
    close_client(fd);
  }
}

void Floor::on_request(int fd, std::string_view bytes) {
  const auto known = pending_.find(fd);
  if (known == pending_.end() && bytes.ends_with("\r\n\r\n")) {
    upgrade(fd, bytes);
    return;
  }
  std::string& head = pending_[fd];
  head += bytes;
  if (head.size() > kHeadBytesMax) {
    broken_.push_back(fd);
  } else if (head.ends_with("\r\n\r\n")) {
    const std::string whole = std::move(head);
    pending_.erase(fd);
    upgrade(fd, whole);
  }
}

void Floor::upgrade(int fd, std::string_view head) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::string_view key = header_value(head, "sec-websocket-key");
  const std::size_t path = line.find(kChannelPath);
  if (path == std::string_view::npos || key.empty()) {
    broken_.push_back(fd);
    return;
  }
  const std::string_view rest = line.substr(path + kChannelPath.size());
  client(fd).open = true;
  ++open_;
  on_open(fd);
  send_direct(fd,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: " +
                  test::accept_of(key) + "\r\n\r\n");
  join(fd, rest.substr(0, rest.find(' ')));
}

void Floor::join(int fd, std::string_view channel) {
  const auto [known, is_new] =
      channel_ids_.try_emplace(std::string(channel), static_cast<std::uint32_t>(channels_.size()));
  if (is_new) {
    channels_.emplace_back();
    const std::string length = std::to_string(channel.size());
    const std::string command =
        "*2\r\n$9\r\nSUBSCRIBE\r\n$" + length + "\r\n" + std::string(channel) + "\r\n";
    if (::send(redis_.get(), command.data(), command.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(command.size()))
      fail("redis");
  }
  auto& subscribers = channels_[known->second].subscribers;
  client(fd).channel = known->second;
  client(fd).place = static_cast<std::uint32_t>(subscribers.size());
  subscribers.push_back(fd);
}

void Floor::close_client(int fd) {
  Client& gone = client(fd);
  if (gone.open) {
    auto& subscribers = channels_[gone.channel].subscribers;
    client(subscribers.back()).place = gone.place;
    subscribers[gone.place] = subscribers.back();
    subscribers.pop_back();
    --open_;
    on_close(fd);
  }
  gone = Client{};
  pending_.erase(fd);
  std::erase(broken_, fd);
  ::close(fd);
}

void Floor::close_broken() {
  while (!broken_.empty()) close_client(broken_.back());
}

void Floor::send_direct(int fd, std::string_view frame) {
  if (client(fd).waiting) {
    pending_[fd] += frame;
    return;
  }
  const ssize_t sent = ::send(fd, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(frame.size())) after_send(fd, frame, sent < 0 ? -errno : sent);
}

void Floor::after_send(int fd, std::string_view frame, long result) {
  if (result < 0 && result != -EAGAIN) {
    if (std::find(broken_.begin(), broken_.end(), fd) == broken_.end()) broken_.push_back(fd);
    return;
  }
  pending_[fd] += frame.substr(result < 0 ? 0 : static_cast<std::size_t>(result));
  client(fd).waiting = true;
  watch(fd, true);
}

void Floor::write_tail(int fd) {
  if (!client(fd).waiting) return;
  std::string& tail = pending_[fd];
  const ssize_t sent = ::send(fd, tail.data(), tail.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return;  // EPOLLIN or EPOLLHUP tells what is wrong
  tail.erase(0, static_cast<std::size_t>(sent));
  if (!tail.empty()) return;
  pending_.erase(fd);
  client(fd).waiting = false;
  watch(fd, false);
}

void Floor::watch(int fd, bool writable) {
  epoll_event event{EPOLLIN | (writable ? static_cast<std::uint32_t>(EPOLLOUT) : 0U), {.fd = fd}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void Floor::on_redis() {
  static std::vector<char> buffer(kReadBytes);
  const ssize_t got = ::recv(redis_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("redis ended");
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (!redis_input_.empty()) bytes = redis_input_.append(bytes);
  Push push;
  while ((push = next_push(bytes)).state == Push::State::kWhole) {
    if (push.is_message) {
      name_.assign(push.channel);
      frame_.clear();
      append_unmasked(frame_, kText, push.payload);
      fan_out(channels_[channel_ids_[name_]].subscribers, frame_);
    }
    bytes.remove_prefix(push.size);
  }
  if (push.state == Push::State::kBroken) fail("redis said what nobody knows");
  wake_up_ends();
  redis_input_ = std::string(bytes);
}

void Floor::ping_some() {
  std::uint64_t ticks = 0;
  if (::read(timer_.get(), &ticks, sizeof ticks) != sizeof ticks) return;
  pings_due_ += static_cast<double>(open_) * pings_per_tick_share_ * static_cast<double>(ticks);
  pings_due_ = std::min(pings_due_, static_cast<double>(open_));
  static constexpr std::string_view kPingFrame("\x89\x00", 2);
  for (std::size_t looked = 0; pings_due_ >= 1 && looked < clients_.size(); ++looked) {
    ping_at_ = (ping_at_ + 1) % clients_.size();
    if (!clients_[ping_at_].open) continue;
    send_direct(static_cast<int>(ping_at_), kPingFrame);
    pings_due_ -= 1;
  }
}

FloorOptions parse_floor_options(int argc, char** argv) {
  FloorOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const long value = std::strtol(argv[i + 1], nullptr, 10);
    if (flag == "--port") {
      options.port = static_cast<std::uint16_t>(value);
    } else if (flag == "--redis-port") {
      options.redis_port = static_cast<std::uint16_t>(value);
    } else if (flag == "--ping-interval") {
      options.ping_interval = std::chrono::seconds(value);
    }
  }
  if (options.port == 0 || options.redis_port == 0 || options.ping_interval.count() <= 0) {
    std::fputs("usage: --port N --redis-port N [--ping-interval SECONDS]\n", stderr);
    std::exit(2);
  }
  return options;
}

}  // namespace sluice::fanout
