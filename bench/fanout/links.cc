#include "bench/fanout/links.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "proto/encoder.h"

namespace sluice::fanout {

Links::Links(Load& load, const test::Endpoint& relay, std::string channel, std::size_t count)
    : load_(load), verifier_(load.verifier()), channel_(std::move(channel)) {
  load.set_receivers(*this);
  for (std::size_t i = 0; i < count; ++i) {
    auto link = std::make_unique<Link>();
    link->fd = test::open_socket(relay, false, 0);
    epoll_event event{EPOLLIN, {.u64 = i}};
    if (::epoll_ctl(load.epoll(), EPOLL_CTL_ADD, link->fd.get(), &event) != 0)
      test::throw_errno("epoll_ctl");
    const std::string id = "bench" + std::to_string(i);
    proto::Hello hello;
    hello.gateway_id = id;
    hello.software = "bench";
    std::string bytes;
    proto::encode(bytes, hello);
    send(*link, bytes);
    links_.push_back(std::move(link));
  }
}

bool Links::subscribe_all(std::uint64_t deadline_ns) {
  return load_.turn_until(deadline_ns, [this] { return subscribed_ == links_.size(); });
}

void Links::on_event(std::uint64_t index, std::uint32_t /*events*/) {
  Link& link = *links_[index];
  if (!link.open) return;
  const auto room = link.decoder.prepare();
  const ssize_t got = ::recv(link.fd.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    end(link);
    return;
  }
  read_at_ns_ = now_ns();
  link.decoder.commit(static_cast<std::size_t>(got));
  while (link.open) {
    const auto frame = link.decoder.next();
    if (!frame) {
      ++verifier_.faults().corrupt;
      end(link);
      return;
    }
    if (!frame->has_value()) return;
    take(link, index, **frame);
  }
}

void Links::take(Link& link, std::uint64_t index, const proto::FrameView& frame) {
  switch (frame.header.type) {
    case proto::FrameType::kMessage: {
      const auto message = proto::decode_message(frame);
      if (!message || message->sequence != ++link.sequence) {
        ++verifier_.faults().misordered;
        if (message) link.sequence = message->sequence;
      }
      if (!message) return;
      const std::uint64_t sent_ns =
          verifier_.receive(link.place, proto::as_text(message->payload), index);
      if (sent_ns != 0) load_.latencies().add(read_at_ns_ - sent_ns);
      return;
    }
    case proto::FrameType::kGap:
      // The verifier sees by itself what is missing; only the link's numbers go on.
      link.sequence = frame.header.sequence;
      return;
    case proto::FrameType::kWelcome: {
      proto::Subscribe subscribe;
      subscribe.request = 1;
      subscribe.channel = channel_;
      std::string bytes;
      proto::encode(bytes, subscribe);
      send(link, bytes);
      return;
    }
    case proto::FrameType::kSubscribed:
      verifier_.join(link.place);
      ++subscribed_;
      return;
    case proto::FrameType::kPing: {
      std::string bytes;
      proto::encode_pong(bytes, frame.header.sequence);
      send(link, bytes);
      return;
    }
    case proto::FrameType::kError:
    case proto::FrameType::kGoodbye:
      end(link);
      return;
    default:
      return;
  }
}

void Links::send(Link& link, const std::string& bytes) {
  const ssize_t sent =
      ::send(link.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(bytes.size())) end(link);
}

void Links::end(Link& link) {
  if (!link.open) return;
  link.open = false;
  link.fd.reset();
  ++verifier_.faults().disconnected;
  verifier_.leave(link.place);
}

bool Links::any() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& link) { return link->open; });
}

std::size_t Links::behind() const {
  std::size_t count = 0;
  for (const auto& link : links_) count += verifier_.has_latest(link->place) ? 0U : 1U;
  return count;
}

void Links::give_up() {
  for (const auto& link : links_) verifier_.give_up(link->place);
}

}  // namespace sluice::fanout
