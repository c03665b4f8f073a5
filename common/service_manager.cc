#include "common/service_manager.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const char* end = text + std::strlen(text);
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

/// The manager may watch the process of another id, a wrapper's for example.
Duration wanted_watchdog() {
  constexpr std::uint64_t kLongest = std::uint64_t{24} * 3600 * 1'000'000;
  const auto micros = number_from_environment("WATCHDOG_USEC");
  if (!micros || *micros == 0 || *micros > kLongest) return {};
  const auto pid = number_from_environment("WATCHDOG_PID");
  if (pid && *pid != static_cast<std::uint64_t>(::getpid())) return {};
  return std::chrono::microseconds(*micros);
}

}  // namespace

ServiceManager::ServiceManager() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  const std::size_t length = std::strlen(path);
  if (length < 2 || length >= sizeof address_.sun_path) return;
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  address_.sun_family = AF_UNIX;
  std::memcpy(address_.sun_path, path, length);
  // An abstract name begins with a zero and ends with its last byte; a path ends with a zero.
  const bool abstract = path[0] == '@';
  if (abstract) address_.sun_path[0] = '\0';
  address_size_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  watchdog_interval_ = wanted_watchdog();
}

bool ServiceManager::send(std::string_view lines) const {
  return ::sendto(socket_.get(), lines.data(), lines.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address_),
                  address_size_) == static_cast<ssize_t>(lines.size());
}

void ServiceManager::ready() {
  if (!present() || std::exchange(ready_, true)) return;
  tell_state("READY=1\n");
}

void ServiceManager::stopping() {
  if (present()) tell_state("STOPPING=1\n");
}

void ServiceManager::tell_state(const char* line) {
  untold_ = send(line) ? nullptr : line;
  status_changed();
}

void ServiceManager::tick(TimePoint now, const std::function<std::string()>& status) {
  if (!present()) return;
  if (untold_ != nullptr) tell_state(untold_);
  if (!status_due_ || now >= *status_due_) tell_status(now, status());
  if (watchdog_interval_ == Duration::zero()) return;
  // Twice per interval, as systemd advises.
  if (watchdog_due_ && now < *watchdog_due_) return;
  if (send("WATCHDOG=1\n")) watchdog_due_ = now + watchdog_interval_ / 2;
}

void ServiceManager::tell_status(TimePoint now, std::string status) {
  // One line whatever it says: a line more would be a message more.
  std::replace_if(
      status.begin(), status.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  status.resize(std::min(status.size(), kStatusBytesMax));
  if (status != told_status_) {
    if (!send("STATUS=" + status + "\n")) return;  // the queue is full: again at the next tick
    told_status_ = std::move(status);
  }
  status_due_ = now + kStatusInterval;
}

}  // namespace sluice
