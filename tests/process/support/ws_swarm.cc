// Many WebSocket clients over epoll.
#include "tests/process/support/ws_swarm.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ostream>
#include <utility>

namespace sluice::test {
namespace {

constexpr std::size_t kConnectBatch = 200;
constexpr std::size_t kReadsPerTurn = 16;

std::uint64_t now_us() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now().time_since_epoch())
          .count());
}

/// Small, and the socket takes it; a client whose socket does not is behind anyway.
void reply(SwarmClient& client, WsOpcode opcode, std::string_view payload) {
  if (!client.unsent.empty()) return;
  const std::string frame = client_frame(opcode, payload);
  (void)::send(client.fd.get(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::string numbered(std::size_t sender, std::uint64_t number, std::size_t fill) {
  return "n " + std::to_string(sender) + " " + std::to_string(number) + " " +
         std::to_string(now_us()) + " " + std::string(fill, 'x');
}

std::ostream& operator<<(std::ostream& out, const SwarmFaults& faults) {
  return out << "missing " << faults.missing << ", repeated or misplaced " << faults.repeated
             << ", mistagged " << faults.mistagged << ", foreign " << faults.foreign;
}

WsSwarm::WsSwarm()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wall_to_steady_(SteadyClock::now().time_since_epoch() -
                      std::chrono::system_clock::now().time_since_epoch()) {
  if (!epoll_.valid()) throw_errno("epoll_create1");
  raise_descriptor_limit();
}

WsSwarm::~WsSwarm() = default;

std::size_t WsSwarm::connect(const Endpoint& to, std::size_t count, const std::string& path,
                             Millis wait, int receive_buffer) {
  const std::size_t first = clients_.size();
  UpgradeRequest request;
  request.path = path;
  const std::string bytes = upgrade_bytes(request);
  const Deadline deadline = Deadline::in(wait);
  while (clients_.size() < first + count) {
    open_batch(to, bytes, std::min(kConnectBatch, first + count - clients_.size()), receive_buffer);
    const bool all = run_until(Millis(deadline.left_ms()), [this, first] {
      return std::all_of(clients_.begin() + static_cast<std::ptrdiff_t>(first), clients_.end(),
                         [](const auto& client) { return client->open; });
    });
    if (!all) throw HarnessError("not every client was let in");
  }
  return first;
}

void WsSwarm::open_batch(const Endpoint& to, const std::string& request, std::size_t count,
                         int receive_buffer) {
  for (std::size_t i = 0; i < count; ++i) add(to, request, receive_buffer, clients_.size());
}

void WsSwarm::add(const Endpoint& to, const std::string& bytes, int receive_buffer,
                  std::size_t index) {
  auto client = std::make_unique<SwarmClient>();
  client->fd = open_socket(to, !to.path.empty(), receive_buffer);
  client->unsent = bytes;
  const int on = 1;
  ::setsockopt(client->fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client->fd.get(), &event) != 0) {
    throw_errno("epoll_ctl");
  }
  if (index == clients_.size()) clients_.emplace_back();
  clients_[index] = std::move(client);
}

std::size_t WsSwarm::dial(const Endpoint& to, const std::string& bytes, int receive_buffer) {
  const std::size_t index = free_.empty() ? clients_.size() : free_.back();
  add(to, bytes, receive_buffer, index);
  if (!free_.empty()) free_.pop_back();
  return index;
}

void WsSwarm::watch(std::size_t index) {
  const SwarmClient& client = *clients_[index];
  if (client.closed) return;
  epoll_event event{};
  event.events = (client.paused ? 0U : static_cast<unsigned>(EPOLLIN)) |
                 (client.unsent.empty() ? 0U : static_cast<unsigned>(EPOLLOUT));
  event.data.u64 = index;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.fd.get(), &event);
}

void WsSwarm::publish(std::size_t index, std::size_t fill) {
  send_text(index, numbered(index, ++sent_[index], fill));
}

void WsSwarm::send_text(std::size_t index, const std::string& text) {
  send_raw(index, client_frame(WsOpcode::kText, text));
}

void WsSwarm::send_raw(std::size_t index, const std::string& bytes) {
  SwarmClient& client = *clients_[index];
  if (client.closed) return;
  const bool idle = client.unsent.empty();
  client.unsent += bytes;
  if (idle) flush(index);
}

void WsSwarm::send_close(std::size_t index, std::uint16_t code) {
  send_raw(index, client_frame(WsOpcode::kClose, close_payload(code, "")));
  clients_[index]->close_sent = true;
}

void WsSwarm::flush(std::size_t index) {
  SwarmClient& client = *clients_[index];
  const bool had = !client.unsent.empty();
  while (!client.unsent.empty()) {
    const ssize_t sent = ::send(client.fd.get(), client.unsent.data(), client.unsent.size(),
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) break;
    client.unsent.erase(0, static_cast<std::size_t>(sent));
  }
  if (had) watch(index);
}

void WsSwarm::pause(std::size_t index, bool on) {
  clients_[index]->paused = on;
  watch(index);
}

void WsSwarm::drop(std::size_t index) {
  on_end(*clients_[index]);
}

void WsSwarm::on_end(SwarmClient& client) {
  if (client.closed) return;
  if (client.open) --open_;
  client.closed = true;
  client.fd.reset();
}

/// recv(2) that notes when the bytes came: the kernel's stamp of the last segment that it gives
/// out.
ssize_t WsSwarm::receive(SwarmClient& client, char* buffer, std::size_t size) const {
  iovec part{buffer, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec)) + 64];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t got = ::recvmsg(client.fd.get(), &header, MSG_DONTWAIT);
  if (got <= 0) return got;
  client.reached = SteadyClock::now();
  for (cmsghdr* said = CMSG_FIRSTHDR(&header); said != nullptr; said = CMSG_NXTHDR(&header, said)) {
    if (said->cmsg_level != SOL_SOCKET || said->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(said), sizeof stamp);
    client.reached =
        SteadyClock::time_point(std::chrono::seconds(stamp.tv_sec) +
                                std::chrono::nanoseconds(stamp.tv_nsec) + wall_to_steady_);
  }
  return got;
}

void WsSwarm::on_event(std::size_t index, std::uint32_t events) {
  SwarmClient& client = *clients_[index];
  if (client.closed) return;
  if ((events & EPOLLOUT) != 0) flush(index);
  if (client.paused && (events & (EPOLLERR | EPOLLHUP)) == 0) return;
  static char buffer[65536];
  for (std::size_t i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = receive(client, buffer, sizeof buffer);
    if (got > 0) {
      on_bytes(index, {buffer, static_cast<std::size_t>(got)});
      if (static_cast<std::size_t>(got) < sizeof buffer || client.closed) return;
      continue;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      client.end_error = got == 0 ? 0 : errno;
      on_end(client);
      if (observer_ != nullptr) observer_->ended(index);
    }
    return;
  }
}

void WsSwarm::on_bytes(std::size_t index, std::string_view bytes) {
  SwarmClient& client = *clients_[index];
  if (client.open) {
    client.reader.feed(bytes);
  } else {
    client.head += bytes;
    const std::size_t end = client.head.find("\r\n\r\n");
    if (end == std::string::npos) return;
    if (client.head.rfind("HTTP/1.1 101", 0) != 0) {
      if (observer_ != nullptr) return;  // its end comes
      throw HarnessError("refused: " + client.head.substr(0, client.head.find('\r')));
    }
    client.open = true;
    ++open_;
    client.reader.feed(std::string_view(client.head).substr(end + 4));
    client.head = {};
    if (observer_ != nullptr) observer_->opened(index);
  }
  while (auto frame = client.reader.next()) on_frame(index, *frame);
}

void WsSwarm::on_frame(std::size_t index, const WsFrame& frame) {
  SwarmClient& client = *clients_[index];
  switch (frame.opcode) {
    case WsOpcode::kPing:
      reply(client, WsOpcode::kPong, frame.payload);
      return;
    case WsOpcode::kClose:
      client.close_code = 1005;
      if (frame.payload.size() >= 2) {
        client.close_code = static_cast<unsigned char>(frame.payload[0]) << 8 |
                            static_cast<unsigned char>(frame.payload[1]);
        client.close_reason = frame.payload.substr(2);
      }
      if (!std::exchange(client.close_sent, true))
        reply(client, WsOpcode::kClose, frame.payload.substr(0, 2));
      if (observer_ != nullptr) observer_->closing(index);
      return;
    case WsOpcode::kPong:
      return;
    default:
      if (observer_ != nullptr) {
        observer_->message(index, frame.payload);
      } else {
        on_message(client, frame.payload);
      }
  }
}

void WsSwarm::on_message(SwarmClient& client, const std::string& text) {
  std::size_t begin = 0;
  if (text.rfind("n ", 0) != 0) begin = text.find(":n ") + 1;
  std::size_t sender = 0;
  std::uint64_t number = 0;
  std::uint64_t at = 0;
  if ((begin == 0 && text.rfind("n ", 0) != 0) ||
      std::sscanf(text.c_str() + begin, "n %zu %" SCNu64 " %" SCNu64, &sender, &number, &at) != 3) {
    client.greeting = text;
    if (text.rfind("Connected", 0) != 0) ++faults_.foreign;
    return;
  }
  const std::string tag = begin == 0 ? "" : text.substr(0, begin - 1);
  if (client.received == 0) client.tag = tag;
  if (client.tag != tag) ++faults_.mistagged;
  ++client.received;
  ++received_;
  client.last_arrival = SteadyClock::now();
  latencies_.push_back(static_cast<std::uint32_t>(now_us() - at));
  if (client.last.size() <= sender) client.last.resize(sender + 1);
  const std::uint64_t last = std::exchange(client.last[sender], static_cast<std::uint32_t>(number));
  if (last == 0) return;  // where a client begins is for the test to check
  if (number <= last) ++faults_.repeated;
  if (number > last) faults_.missing += number - last - 1;
}

void WsSwarm::serve(int wait_ms) {
  epoll_event events[256];
  const int count = ::epoll_wait(epoll_.get(), events, 256, wait_ms);
  for (int i = 0; i < count; ++i) on_event(events[i].data.u64, events[i].events);
}

bool WsSwarm::run_until(Millis wait, const std::function<bool()>& done) {
  const Deadline deadline = Deadline::in(wait);
  while (!done()) {
    if (deadline.passed()) return false;
    serve(std::min(deadline.left_ms(), 20));
  }
  return true;
}

void WsSwarm::run_for(Millis span) {
  (void)run_until(span, [] { return false; });
}

void WsSwarm::run_paced(std::size_t times, std::chrono::microseconds every,
                        const std::function<void(std::size_t)>& tick) {
  auto due = SteadyClock::now();
  for (std::size_t i = 0; i < times; ++i, due += every) {
    do {
      const auto left = std::chrono::duration_cast<Millis>(due - SteadyClock::now()).count();
      serve(left > 0 ? static_cast<int>(left) : 0);
    } while (SteadyClock::now() < due);
    tick(i);
  }
}

std::uint64_t WsSwarm::sent(std::size_t index) const {
  const auto entry = sent_.find(index);
  return entry == sent_.end() ? 0 : entry->second;
}

std::uint64_t WsSwarm::latency_us(double quantile) const {
  if (latencies_.empty()) return 0;
  const auto at =
      static_cast<std::ptrdiff_t>(quantile * static_cast<double>(latencies_.size() - 1));
  std::nth_element(latencies_.begin(), latencies_.begin() + at, latencies_.end());
  return latencies_[static_cast<std::size_t>(at)];
}

bool WsSwarm::all_received(std::size_t from, std::size_t to, std::uint64_t count) const {
  for (std::size_t i = from; i < to; ++i) {
    if (clients_[i]->received < count) return false;
  }
  return true;
}

}  // namespace sluice::test
