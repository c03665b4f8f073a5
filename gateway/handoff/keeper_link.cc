#include "gateway/handoff/keeper_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "common/log.h"
#include "gateway/limits.h"

namespace sluice::gateway {
namespace {

using std::chrono::milliseconds;

[[nodiscard]] UniqueFd own_pidfd() {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
}

[[nodiscard]] bool wait_for(int fd, short events, Duration at_most) {
  pollfd wanted{fd, events, 0};
  const auto ms = std::chrono::duration_cast<milliseconds>(at_most).count();
  return ::poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(ms, 0))) > 0;
}

/// Descriptors over the process's limit would be lost on their way. Where --max-connections was
/// lowered there may be more to come than it allows for.
void make_room(std::size_t descriptors) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t needed = std::min<rlim_t>(descriptors + kReservedDescriptors, limit.rlim_max);
  if (needed <= limit.rlim_cur) return;
  limit.rlim_cur = needed;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
}

}  // namespace

UniqueFd Held::take_listener(const std::string& name) {
  for (auto& [held, fd] : listeners)
    if (held == name && fd.valid()) return std::move(fd);
  return UniqueFd();
}

KeeperLink::KeeperLink(EventLoop& loop, KeeperLinkOptions options, KeeperLinkEvents& events)
    : loop_(loop),
      options_(std::move(options)),
      events_(events),
      retry_(loop, [this] { retry(); }) {
}

// ---- greeting

Result<void> KeeperLink::dial() {
  auto connected = connect_unix(options_.path, true);
  if (!connected) return tl::make_unexpected(connected.error());
  const UniqueFd self = own_pidfd();
  if (!self.valid())
    return fail(ErrorCode::kSystem, std::string("pidfd_open: ") + std::strerror(errno));
  const int fds[] = {self.get()};
  const keeper::Hello hello{
      .gateway_id = options_.gateway_id,
      .handoff_wait_ms = static_cast<std::uint32_t>(
          std::chrono::duration_cast<milliseconds>(options_.handoff_wait).count()),
      .close_rate =
          static_cast<std::uint32_t>(std::clamp(options_.close_rate_per_second, 1.0, 1e6)),
      .serving = serving_};
  const auto sent = keeper::send_packet(connected->get(), hello, fds);
  if (!sent) return tl::make_unexpected(sent.error());
  if (*sent != keeper::SendOutcome::kSent)
    return fail(ErrorCode::kUnavailable, "the keeper does not read");
  fd_ = std::move(*connected);
  held_ = Held{};
  welcomed_ = false;
  phase_ = Phase::kGreeting;
  return {};
}

Result<Held> KeeperLink::open() {
  Result<Held> held = ask();
  serving_ = true;
  if (held) {
    phase_ = Phase::kServing;
    watch();
    return held;
  }
  phase_ = Phase::kDown;
  fd_.reset();
  held_ = Held{};
  retry_.start_once(kKeeperRetry);
  return held;
}

Result<Held> KeeperLink::ask() {
  auto give_up_at = std::chrono::steady_clock::now() + kKeeperWait;
  while (true) {
    auto dialled = dial();
    if (dialled) {
      auto held = hear();
      // One that ends, or becomes another program, while we wait for our turn, is looked for again.
      if (held || welcomed_ || held.error().code != ErrorCode::kUnavailable) return held;
      dialled = tl::make_unexpected(held.error());
      give_up_at = std::chrono::steady_clock::now() + kKeeperWait;
    }
    if (std::chrono::steady_clock::now() >= give_up_at) return tl::make_unexpected(dialled.error());
    std::this_thread::sleep_for(kKeeperDialEvery);
  }
}

/// A keeper that is stopped keeps us waiting here: without its word we must not serve.
Result<Held> KeeperLink::hear() {
  while (true) {
    auto received = keeper::receive_packet(fd_.get());
    if (!received) return tl::make_unexpected(received.error());
    if (received->what == keeper::Received::What::kNothing) {
      static_cast<void>(wait_for(fd_.get(), POLLIN, std::chrono::seconds(1)));
      continue;
    }
    auto whole = handle(std::move(*received));
    if (!whole) return tl::make_unexpected(whole.error());
    if (*whole) return std::exchange(held_, Held{});
  }
}

Result<bool> KeeperLink::handle(keeper::Received received) {
  if (received.what == keeper::Received::What::kEnd)
    return fail(ErrorCode::kUnavailable, "the keeper closed the connection");
  auto& fds = received.fds;
  if (const auto* refused = std::get_if<keeper::Refused>(&received.message))
    return fail(ErrorCode::kPermission, "the keeper refuses: " + refused->text);
  if (phase_ != Phase::kGreeting) return fail(ErrorCode::kInvalid, "the keeper speaks out of turn");
  if (const auto* in_use = std::get_if<keeper::InUse>(&received.message)) {
    log_info("waiting for the end of process {}, which serves as this gateway", in_use->pid);
  } else if (auto* welcome = std::get_if<keeper::Welcome>(&received.message)) {
    welcomed_ = true;
    held_.welcome = *welcome;
    clients_max_ = welcome->clients_max;
    make_room(std::size_t{welcome->clients} + welcome->listeners + welcome->pending);
    if (welcome->has_state) held_.state = std::move(fds.front());
  } else if (auto* listener = std::get_if<keeper::HeldListener>(&received.message)) {
    held_.listeners.emplace_back(std::move(listener->name), std::move(fds.front()));
  } else if (auto* clients = std::get_if<keeper::HeldClients>(&received.message)) {
    for (std::size_t i = 0; i < fds.size(); ++i)
      held_.clients.push_back({clients->clients[i], std::move(fds[i])});
  } else if (auto* pending = std::get_if<keeper::HeldPending>(&received.message)) {
    held_.handshakes.push_back({std::move(pending->bytes), std::move(fds.front())});
  } else if (std::holds_alternative<keeper::HeldEnd>(received.message)) {
    return true;
  } else {
    return fail(ErrorCode::kInvalid, "the keeper sent what only a gateway sends");
  }
  return false;
}

// ---- while the loop runs

void KeeperLink::on_ready(IoEvents events) {
  if ((events & kIoRead) != 0) read_some();
  if (fd_.valid() && (events & kIoWrite) != 0) send_waiting();
}

void KeeperLink::read_some() {
  while (fd_.valid()) {
    auto received = keeper::receive_packet(fd_.get());
    if (!received) return lose(received.error().message);
    if (received->what == keeper::Received::What::kNothing) return;
    auto whole = handle(std::move(*received));
    if (!whole) return lose(whole.error().message);
    if (!*whole) continue;
    phase_ = Phase::kServing;
    last_complaint_.clear();
    events_.keeper_back();
  }
}

void KeeperLink::lose(const std::string& why) {
  const bool served = phase_ == Phase::kServing;
  phase_ = Phase::kDown;
  watcher_.reset();
  fd_.reset();
  held_ = Held{};
  queue_.clear();
  if (served) events_.keeper_lost(why);
  if (!served && why != last_complaint_) {
    last_complaint_ = why;
    log_warn("no keeper: {}", why);
  }
  retry_.start_once(kKeeperRetry);
}

void KeeperLink::retry() {
  if (phase_ == Phase::kServing) return send_waiting();
  if (auto dialled = dial(); !dialled) return lose(dialled.error().message);
  watch();
}

void KeeperLink::watch() {
  watcher_.emplace(loop_, fd_.get(), [this](IoEvents ready) { on_ready(ready); });
  watcher_->watch(kIoRead);
}

// ---- telling

void KeeperLink::send(const keeper::Message& message, int fd) {
  if (phase_ != Phase::kServing) return;
  if (queue_.empty() && try_send(message, fd)) return;
  if (phase_ != Phase::kServing) return;
  // Its connection may have been closed by then; the order says so in time.
  UniqueFd copy(fd >= 0 ? ::fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1);
  if (queue_.size() >= kKeeperQueueMax || (fd >= 0 && !copy.valid()))
    return lose("the keeper does not keep up");
  queue_.push_back({message, std::move(copy)});
}

bool KeeperLink::try_send(const keeper::Message& message, int fd) {
  const int fds[] = {fd};
  const auto sent = keeper::send_packet(
      fd_.get(), message, fd >= 0 ? std::span<const int>(fds) : std::span<const int>());
  if (!sent) {
    lose(sent.error().message);
    return false;
  }
  if (*sent == keeper::SendOutcome::kSent) return true;
  // Crowded, the socket is writable and takes nothing.
  if (*sent == keeper::SendOutcome::kFull) {
    watcher_->watch(kIoRead | kIoWrite);
  } else {
    watcher_->watch(kIoRead);
    retry_.start_once(kKeeperCrowdedRetry);
  }
  return false;
}

void KeeperLink::send_waiting() {
  while (!queue_.empty()) {
    if (!try_send(queue_.front().message, queue_.front().fd.get())) return;
    queue_.pop_front();
  }
  if (fd_.valid()) watcher_->watch(kIoRead);
}

bool KeeperLink::flush(Duration wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  while (up() && !queue_.empty()) {
    send_waiting();
    if (queue_.empty() || !up()) break;
    const Duration left = until - std::chrono::steady_clock::now();
    if (left <= Duration::zero()) return false;
    static_cast<void>(wait_for(fd_.get(), POLLOUT, std::min<Duration>(left, kKeeperCrowdedRetry)));
  }
  return up();
}

}  // namespace sluice::gateway
