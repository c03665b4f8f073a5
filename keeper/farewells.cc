#include "keeper/farewells.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/log.h"
#include "keeper/parting.h"
#include "keeper/recovery.h"
#include "keeper/stream_position.h"

namespace sluice::keeper {
namespace {

/// A turn that comes late is made up for, but no more than so many at once.
constexpr Duration kLateMax = std::chrono::milliseconds(100);
constexpr std::size_t kDiscardBytes = 64U << 10U;

std::optional<SharedState> open_state(const UniqueFd& memory) {
  if (!memory.valid()) return std::nullopt;
  Result<SharedState> state =
      SharedState::open(UniqueFd(::fcntl(memory.get(), F_DUPFD_CLOEXEC, 3)));
  if (state) return std::move(*state);
  log_warn("the state of the clients to be released can't be read: {}", state.error().message);
  return std::nullopt;
}

Parting parting_for(const SharedState& state, std::uint32_t slot, const HeldClient& client) {
  if (slot >= state.slots().size() || state.slots()[slot].generation != client.generation)
    return {};
  const Recovery recovery =
      recover(state.slots()[slot], state.views(), state.arena(), state.header().quiescent != 0,
              stream_position(client.socket.get()));
  return parting_of(recovery, state.arena());
}

/// Sends what the socket takes of both; gives what it did not take. Nothing: the client is gone.
std::optional<std::vector<std::byte>> send_now(int socket, const Parting& parting) {
  const auto io = [](std::span<const std::byte> bytes) {
    return iovec{const_cast<std::byte*>(bytes.data()), bytes.size()};
  };
  std::array<iovec, 2> parts{io(parting.rest), io(parting.close)};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  ssize_t sent = ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return std::nullopt;
  std::vector<std::byte> bytes(parting.rest.begin(), parting.rest.end());
  bytes.insert(bytes.end(), parting.close.begin(), parting.close.end());
  bytes.erase(bytes.begin(), bytes.begin() + std::max<ssize_t>(sent, 0));
  return bytes;
}

}  // namespace

void Farewells::add(Batch batch, TimePoint now) {
  if (batch.clients.empty()) return;
  log_info("releasing {} clients, {} per second: {}", batch.clients.size(), batch.close_rate,
           batch.reason);
  if (!has_waiting()) next_turn_ = now;
  std::optional<SharedState> state = open_state(batch.memory);
  batches_.push_back({.batch = std::move(batch), .state = std::move(state)});
}

std::optional<Batch> Farewells::reclaim() {
  const auto found = std::find_if(batches_.begin(), batches_.end(), [](const Running& running) {
    return running.batch.reclaimable && !running.batch.clients.empty();
  });
  if (found == batches_.end()) return std::nullopt;
  Batch batch{.reason = found->batch.reason,
              .memory = std::move(found->batch.memory),
              .clients = std::exchange(found->batch.clients, {}),
              .close_rate = found->batch.close_rate,
              .reclaimable = true};
  end_if_done(*found);
  return batch;
}

bool Farewells::has_waiting() const {
  return std::any_of(batches_.begin(), batches_.end(),
                     [](const Running& running) { return !running.batch.clients.empty(); });
}

void Farewells::tick(TimePoint now) {
  for (auto entry = farewells_.begin(); entry != farewells_.end();) {
    const int fd = entry->first;
    Farewell& farewell = (entry++)->second;
    if (farewell.deadline > now) continue;
    if (!farewell.unsent.empty()) ++farewell.of->failed;
    end(fd);
  }
  next_turn_ = std::max(next_turn_, now - kLateMax);
  while (has_waiting() && next_turn_ <= now && farewells_.size() < kFarewellsMax) {
    const auto of = std::find_if(batches_.begin(), batches_.end(), [](const Running& running) {
      return !running.batch.clients.empty();
    });
    auto node = of->batch.clients.extract(of->batch.clients.begin());
    next_turn_ += Duration(std::chrono::seconds(1)) / of->batch.close_rate;
    begin(*of, node.key(), std::move(node.mapped()), now);
  }
}

std::optional<TimePoint> Farewells::next_due() const {
  std::optional<TimePoint> due;
  if (has_waiting() && farewells_.size() < kFarewellsMax) due = next_turn_;
  for (const auto& [fd, farewell] : farewells_)
    due = due ? std::min(*due, farewell.deadline) : farewell.deadline;
  return due;
}

std::size_t Farewells::clients() const {
  std::size_t count = farewells_.size();
  for (const Running& running : batches_) count += running.batch.clients.size();
  return count;
}

void Farewells::begin(Running& of, std::uint32_t slot, HeldClient client, TimePoint now) {
  const Parting parting = of.state ? parting_for(*of.state, slot, client) : Parting{};
  if (!parting.can_speak) {
    ++of.cut;
    client.socket.reset();
    return end_if_done(of);
  }
  std::optional<std::vector<std::byte>> unsent = send_now(client.socket.get(), parting);
  const int fd = client.socket.get();
  if (!unsent || !poller_.add(fd, unsent->empty() ? EPOLLIN : EPOLLOUT)) {
    ++of.failed;
    client.socket.reset();
    return end_if_done(of);
  }
  ++of.under_way;
  Farewell& farewell = farewells_
                           .emplace(fd, Farewell{&of, std::move(client.socket), std::move(*unsent),
                                                 now + kFarewellWait})
                           .first->second;
  if (farewell.unsent.empty()) half_close(farewell);
}

bool Farewells::on_ready(int fd) {
  const auto found = farewells_.find(fd);
  if (found == farewells_.end()) return false;
  if (found->second.unsent.empty()) {
    on_readable(found->second);
  } else {
    on_writable(found->second);
  }
  return true;
}

void Farewells::on_writable(Farewell& farewell) {
  const int fd = farewell.socket.get();
  const ssize_t sent =
      ::send(fd, farewell.unsent.data(), farewell.unsent.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return;
    ++farewell.of->failed;
    return end(fd);
  }
  farewell.unsent.erase(farewell.unsent.begin(), farewell.unsent.begin() + sent);
  if (!farewell.unsent.empty()) return;
  half_close(farewell);
  poller_.change(fd, EPOLLIN);
}

/// A close with unread bytes would reset the connection, and the client might never see what was
/// sent to it: what it still says is read and forgotten until it closes in turn.
void Farewells::half_close(Farewell& farewell) {
  ++farewell.of->told;
  ::shutdown(farewell.socket.get(), SHUT_WR);
}

void Farewells::on_readable(Farewell& farewell) {
  const int fd = farewell.socket.get();
  std::array<std::byte, kDiscardBytes> forgotten;
  const ssize_t size = ::recv(fd, forgotten.data(), forgotten.size(), MSG_DONTWAIT);
  const bool later = size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  if (size > 0 || later) return;
  end(fd);
}

void Farewells::end(int fd) {
  const auto found = farewells_.find(fd);
  Running& of = *found->second.of;
  poller_.remove(fd);
  farewells_.erase(found);
  --of.under_way;
  end_if_done(of);
}

void Farewells::end_if_done(Running& running) {
  if (!running.batch.clients.empty() || running.under_way > 0) return;
  const auto found = std::find_if(batches_.begin(), batches_.end(),
                                  [&](const Running& other) { return &other == &running; });
  std::list<Running> done;
  done.splice(done.begin(), batches_, found);
  done.front().state.reset();
  done.front().batch.memory.reset();
  log_info("released: {} told with 1012, {} cut without, {} did not take it: {}", running.told,
           running.cut, running.failed, running.batch.reason);
}

}  // namespace sluice::keeper
