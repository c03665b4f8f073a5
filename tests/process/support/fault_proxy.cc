// Misbehaving proxy: one thread, poll.
#include "tests/process/support/fault_proxy.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace sluice::test {
namespace {

constexpr std::size_t kChunkBytes = 65536;

void end_hard(UniqueFd& fd) {
  const linger hard{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  fd.reset();
}

}  // namespace

/// Bytes on their way from one socket to the other.
struct FaultProxy::Half {
  std::string pending;
  bool ended = false;     ///< the source has sent its FIN
  bool end_told = false;  ///< and it was passed on

  /// False when a socket has failed.
  bool step(int from, int to, std::size_t most, const std::function<void(std::string&)>& change) {
    if (pending.empty() && !ended) {
      char buffer[kChunkBytes];
      const ssize_t got = ::recv(from, buffer, std::min(most, sizeof buffer), MSG_DONTWAIT);
      if (got > 0) pending.assign(buffer, static_cast<std::size_t>(got));
      if (got > 0 && change) change(pending);
      if (got == 0) ended = true;
      if (got < 0 && errno != EAGAIN) return false;
    }
    if (!pending.empty()) {
      const ssize_t sent =
          ::send(to, pending.data(), std::min(most, pending.size()), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0) pending.erase(0, static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) return false;
    }
    if (ended && pending.empty() && !end_told) {
      ::shutdown(to, SHUT_WR);
      end_told = true;
    }
    return true;
  }
};

struct FaultProxy::Pair {
  std::size_t number = 0;
  UniqueFd client;
  UniqueFd server;
  Half up;
  Half down;

  [[nodiscard]] bool over() const { return up.end_told && down.end_told; }
};

FaultProxy::FaultProxy(Endpoint target, const std::string& path)
    : target_(std::move(target)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (path.empty()) {
    listener_ = listen_tcp(0, &endpoint_.port);
  } else {
    listener_ = listen_unix(path);
    endpoint_.path = path;
  }
  thread_ = std::thread([this] { run(); });
}

FaultProxy::~FaultProxy() {
  stop_ = true;
  wake();
  thread_.join();
}

void FaultProxy::wake() {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void FaultProxy::pause(bool on) {
  paused_ = on;
  wake();
}

void FaultProxy::refuse(bool on) {
  refuse_ = on;
}

void FaultProxy::dribble(std::size_t bytes) {
  dribble_ = bytes;
  wake();
}

void FaultProxy::stall(std::size_t connection, bool on) {
  {
    const std::lock_guard lock(mutex_);
    std::erase(stalled_, connection);
    if (on) stalled_.push_back(connection);
  }
  wake();
}

void FaultProxy::cut() {
  cut_ = true;
  wake();
  (void)eventually(5s, [this] { return !cut_; });
}

bool FaultProxy::moves(const Pair& pair) const {
  if (paused_) return false;
  const std::lock_guard lock(mutex_);
  return std::find(stalled_.begin(), stalled_.end(), pair.number) == stalled_.end();
}

void FaultProxy::accept_one() {
  UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.valid() || refuse_) return;
  auto pair = std::make_unique<Pair>();
  try {
    pair->server = open_socket(target_, true, 0);
  } catch (const HarnessError&) {
    return;  // the target is away: the client sees its connection end
  }
  pair->client = std::move(client);
  pair->number = accepted_++;
  pairs_.push_back(std::move(pair));
}

void FaultProxy::apply_cut() {
  if (!cut_) return;
  for (auto& pair : pairs_) {
    end_hard(pair->client);
    end_hard(pair->server);
  }
  pairs_.clear();
  live_ = 0;
  cut_ = false;
}

void FaultProxy::run() {
  while (!stop_) {
    std::vector<pollfd> entries{{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    for (const auto& pair : pairs_) {
      if (!moves(*pair)) continue;
      const auto want = [](const Half& in, const Half& out) {
        return static_cast<short>((in.pending.empty() && !in.ended ? POLLIN : 0) |
                                  (out.pending.empty() ? 0 : POLLOUT));
      };
      entries.push_back({pair->client.get(), want(pair->up, pair->down), 0});
      entries.push_back({pair->server.get(), want(pair->down, pair->up), 0});
    }
    ::poll(entries.data(), entries.size(), 1000);
    std::uint64_t drained = 0;
    (void)!::read(wake_.get(), &drained, sizeof drained);
    if ((entries[1].revents & POLLIN) != 0) accept_one();
    apply_cut();
    const std::size_t most = dribble_ > 0 ? dribble_.load() : kChunkBytes;
    for (auto& pair : pairs_) {
      if (!moves(*pair)) continue;
      const bool fine = pair->up.step(pair->client.get(), pair->server.get(), most, {}) &&
                        pair->down.step(pair->server.get(), pair->client.get(), most, tamper_);
      if (!fine) {
        end_hard(pair->client);
        end_hard(pair->server);
      }
    }
    std::erase_if(pairs_, [](const auto& pair) { return !pair->client.valid() || pair->over(); });
    live_ = pairs_.size();
    if (dribble_ > 0) ::poll(nullptr, 0, 1);
  }
}

}  // namespace sluice::test
