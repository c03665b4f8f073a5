#include "gateway/admin_listener.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/try_again.h"
#include "gateway/balancer_peer.h"
#include "gateway/http_reply.h"

namespace sluice::gateway {
namespace {

[[nodiscard]] std::string text_reply(int status, std::string_view text) {
  Reply reply;
  reply.status = status;
  reply.body = text;
  return build_reply(reply);
}

}  // namespace

struct AdminListener::Connection {
  Connection(EventLoop& loop, AdminListener& listener, UniqueFd socket, const ClientAddress& from)
      : fd(std::move(socket)),
        peer(from),
        owner(listener),
        io(loop, fd.get(), [this](IoEvents) { owner.on_readable(*this); }) {}

  UniqueFd fd;
  ClientAddress peer;
  std::string bytes;
  HeadScanner scanner;
  TimePoint deadline{};
  std::list<Connection>::iterator place{};
  AdminListener& owner;
  IoWatcher io;
};

AdminListener::AdminListener(EventLoop& loop, UniqueFd listening, const AdminPages& pages,
                             const TimeSource& time)
    : loop_(loop),
      pages_(pages),
      time_(time),
      closing_(
          loop,
          LingeringOptions{.connections_max = 2 * kAdminConnectionsMax, .time_max = kAdminTimeout},
          time),
      expiry_(loop, [this] { expire(); }),
      listener_(loop, std::move(listening), time, stats_,
                [this](UniqueFd fd, const ClientAddress& peer) { take(std::move(fd), peer); }) {
}

AdminListener::~AdminListener() = default;

void AdminListener::take(UniqueFd fd, const ClientAddress& peer) {
  if (connections() >= kAdminConnectionsMax) {
    closing_.close(std::move(fd), text_reply(503, "too many admin connections\n"));
    return;
  }
  reading_.emplace_back(loop_, *this, std::move(fd), peer);
  Connection& connection = reading_.back();
  connection.place = std::prev(reading_.end());
  connection.deadline = time_.now() + kAdminTimeout;
  if (!expiry_.active()) expiry_.start_once(kAdminTimeout);
  connection.io.watch(kIoRead);
}

void AdminListener::on_readable(Connection& connection) {
  std::array<char, 4096> buffer;
  const ssize_t n = ::recv(connection.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && try_again(errno)) return;
  if (n <= 0) {
    reading_.erase(connection.place);
    return;
  }
  connection.bytes.append(buffer.data(), static_cast<std::size_t>(n));
  switch (connection.scanner.scan(connection.bytes, kHeadBytesMax)) {
    case HeadScanner::Verdict::kMore:
      return;
    case HeadScanner::Verdict::kMalformed:
      return finish(connection, text_reply(400, "malformed request\n"));
    case HeadScanner::Verdict::kTooLarge:
      return finish(connection, text_reply(431, "the request head is too large\n"));
    case HeadScanner::Verdict::kWhole:
      return answer(connection);
  }
}

void AdminListener::answer(Connection& connection) {
  HttpHead head;
  const char* problem = "";
  const std::string_view bytes(connection.bytes);
  switch (parse_head(bytes.substr(0, connection.scanner.end()), head, problem)) {
    case HeadStatus::kOk:
      break;
    case HeadStatus::kMalformed:
      return finish(connection, text_reply(400, std::string(problem) + "\n"));
    case HeadStatus::kTooManyHeaders:
      return finish(connection, text_reply(431, std::string(problem) + "\n"));
    case HeadStatus::kUnsupportedVersion:
      return finish(connection, text_reply(505, std::string(problem) + "\n"));
  }
  AdminPeer peer{.address = balancer_name(connection.peer)};
  if (const auto state = head.find(kBalancerStateHeader);
      state && !has_hung_up(connection.fd.get()))
    peer.balancer_state = *state;
  const HttpReply page = pages_.handle(head.method, head.target, peer);
  Reply reply;
  reply.status = page.status;
  reply.content_type = page.content_type;
  reply.body = page.body;
  reply.omit_body = head.method == "HEAD";
  if (page.status == 405) reply.headers.push_back({"Allow", "GET"});
  finish(connection, build_reply(reply));
}

void AdminListener::finish(Connection& connection, std::string reply) {
  connection.io.watch(kIoNone);
  UniqueFd fd = std::move(connection.fd);
  reading_.erase(connection.place);
  closing_.close(std::move(fd), std::move(reply));
}

void AdminListener::expire() {
  const TimePoint now = time_.now();
  while (!reading_.empty() && reading_.front().deadline <= now) {
    finish(reading_.front(), text_reply(408, "the request took too long\n"));
  }
  if (!reading_.empty()) expiry_.start_once(reading_.front().deadline - now);
}

}  // namespace sluice::gateway
