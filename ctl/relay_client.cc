#include "ctl/relay_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/address.h"
#include "common/try_again.h"
#include "proto/encoder.h"

namespace sluice::ctl {

using proto::ErrorReason;
using proto::FrameType;

namespace {

bool is_link_error(const proto::FrameView& frame) {
  return frame.header.type == FrameType::kError && frame.header.sequence == 0;
}

Duration left_until(TimePoint deadline) {
  return std::max(deadline - SteadyTime().now(), Duration::zero());
}

}  // namespace

RelayClient::RelayClient(std::string path, UniqueFd fd, Interrupts& interrupts)
    : path_(std::move(path)), fd_(std::move(fd)), interrupts_(&interrupts) {
}

Outcome<RelayClient> RelayClient::dial(const std::string& path, Interrupts& interrupts) {
  Result<UniqueFd> fd = connect_unix(path);
  if (!fd) {
    const bool permission = fd.error().code == ErrorCode::kPermission;
    return failure(permission ? ExitCode::kNoPermission : ExitCode::kNoRelay,
                   "no relay at unix:" + path + ": " + fd.error().message,
                   permission ? ""
                              : "Does sluice-relay run, and is --relay (or SLUICE_RELAY) the "
                                "address of its --listen?");
  }
  RelayClient client(path, *std::move(fd), interrupts);
  if (auto greeted = client.greet(); !greeted) return tl::make_unexpected(greeted.error());
  return client;
}

Outcome<void> RelayClient::greet() {
  std::string hello;
  proto::encode(hello,
                proto::Hello{.tool = true, .gateway_id = "", .software = "sluice " SLUICE_VERSION});
  // One that refuses us by our uid closes at once, and has said why before.
  if (auto sent = send(hello); !sent && sent.error().code == ExitCode::kOk) return sent;
  const TimePoint deadline = SteadyTime().now() + kAnswerWait;
  for (;;) {
    const auto received = next(left_until(deadline));
    if (!received) return tl::make_unexpected(received.error());
    switch (received->wake) {
      case Wake::kReady:
        break;
      case Wake::kResized:
        continue;
      case Wake::kTimeout:
        return failure(ExitCode::kNoRelay,
                       where() + " does not answer: it hangs, or it is no sluice-relay");
      default:
        return failure(ExitCode::kOk, "");
    }
    if (received->frame.header.type != FrameType::kWelcome) {
      return failure(ExitCode::kLinkRefused, where() + " spoke before its WELCOME");
    }
    const auto welcome = proto::decode_welcome(received->frame);
    if (!welcome) {
      return failure(ExitCode::kLinkRefused, where() + ": " + welcome.error().message,
                     "Use the sluice of its release");
    }
    relay_ = {std::string(welcome->software), welcome->relay_instance, welcome->payload_bytes_max,
              welcome->features};
    return {};
  }
}

tl::unexpected<Failure> RelayClient::link_refused(const proto::ErrorFrame& error) const {
  const std::string text(error.text);
  switch (error.reason) {
    case ErrorReason::kBadId:
      return failure(
          ExitCode::kLinkRefused,
          where() + " is too old for this tool (" SLUICE_VERSION "): it knows gateways alone",
          "Update sluice-relay");
    case ErrorReason::kUnsupportedVersion:
      return failure(ExitCode::kLinkRefused,
                     where() + " speaks another version of the link: " + text,
                     "Use the sluice of its release");
    case ErrorReason::kNotPermitted:
      return failure(ExitCode::kNoPermission, where() + " refuses us: " + text,
                     "Run as its user or as root, or start it with --allow-uid " +
                         std::to_string(::geteuid()));
    case ErrorReason::kTooManyTools:
      return failure(ExitCode::kLinkRefused, where() + " serves no more tools: " + text,
                     "End one of them");
    default:
      return failure(ExitCode::kNoRelay,
                     where() + " ended the link: " + std::string(proto::to_string(error.reason)) +
                         ", " + text);
  }
}

// ---- bytes

Outcome<void> RelayClient::send(std::string_view frames) {
  const TimePoint deadline = SteadyTime().now() + kAnswerWait;
  while (!frames.empty()) {
    const ssize_t n = ::send(fd_.get(), frames.data(), frames.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      frames.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != ENOBUFS) {
      return failure(ExitCode::kNoRelay, where() + " closed the link");
    }
    const Wake wake = interrupts_->wait(fd_.get(), POLLOUT, left_until(deadline));
    if (wake == Wake::kTimeout) return failure(ExitCode::kNoRelay, where() + " reads nothing");
    if (wake == Wake::kEnded || wake == Wake::kOutputGone) return failure(ExitCode::kOk, "");
  }
  return {};
}

Outcome<void> RelayClient::read_some() {
  const std::span<std::uint8_t> room = decoder_->prepare();
  const ssize_t n = ::recv(fd_.get(), room.data(), room.size(), MSG_DONTWAIT);
  if (n > 0) {
    decoder_->commit(static_cast<std::size_t>(n));
    return {};
  }
  if (n < 0 && try_again(errno)) return {};
  const bool welcomed = relay_.instance != 0;
  return failure(
      welcomed ? ExitCode::kNoRelay : ExitCode::kLinkRefused,
      where() + (welcomed ? " closed the link" : " closed the link without a word: is it one?"));
}

Outcome<std::optional<proto::FrameView>> RelayClient::buffered() {
  const auto frame = decoder_->next();
  if (!frame) {
    return failure(ExitCode::kLinkRefused,
                   "what listens at unix:" + path_ +
                       " does not speak the relay link: " + frame.error().message);
  }
  return *frame;
}

Outcome<Received> RelayClient::next(Duration wait) {
  const TimePoint deadline = SteadyTime().now() + wait;
  for (;;) {
    const auto frame = buffered();
    if (!frame) return tl::make_unexpected(frame.error());
    if (!*frame) {
      const Wake wake = interrupts_->wait(
          fd_.get(), POLLIN, wait < Duration::zero() ? kForEver : left_until(deadline));
      if (wake != Wake::kReady) return Received{wake, {}};
      if (auto read = read_some(); !read) return tl::make_unexpected(read.error());
      continue;
    }
    const proto::FrameView& view = **frame;
    if (view.header.type == FrameType::kPing) {
      std::string pong;
      proto::encode_pong(pong, view.header.sequence);
      if (auto sent = send(pong); !sent) return tl::make_unexpected(sent.error());
      continue;
    }
    if (is_link_error(view)) {
      const auto error = proto::decode_error(view);
      if (error) return link_refused(*error);
    }
    if (view.header.type == FrameType::kGoodbye) {
      const auto bye = proto::decode_goodbye(view);
      return failure(ExitCode::kNoRelay,
                     where() + " says goodbye" + (bye ? ": " + std::string(bye->text) : ""));
    }
    return Received{Wake::kReady, view};
  }
}

Outcome<Received> RelayClient::ask(std::uint64_t id, std::string_view request, FrameType answer) {
  std::string out(request);
  proto::encode_ping(out, id);
  if (auto sent = send(out); !sent) return tl::make_unexpected(sent.error());
  const TimePoint deadline = SteadyTime().now() + kAnswerWait;
  for (;;) {
    auto received = next(left_until(deadline));
    if (!received) return received;
    if (received->wake == Wake::kResized) continue;
    if (received->wake == Wake::kTimeout) {
      return failure(ExitCode::kNoRelay, where() + " does not answer");
    }
    if (received->wake != Wake::kReady) return received;
    const proto::Header& header = received->frame.header;
    // The PONG behind an earlier answer is no news.
    if (header.sequence != id) continue;
    if (header.type == answer) return received;
    if (header.type == FrameType::kError) {
      const auto error = proto::decode_error(received->frame);
      if (!error) return failure(ExitCode::kRefused, error.error().message);
      const bool unknown = error->reason == proto::ErrorReason::kUnknownFate;
      return failure(unknown ? ExitCode::kUnknownFate : ExitCode::kRefused,
                     std::string(error->text));
    }
    // What the broker has to answer comes behind the PONG, and each relay knows it.
    const bool of_broker = answer == FrameType::kPublished || answer == FrameType::kSubscribed;
    if (header.type == FrameType::kPong && !of_broker) {
      return failure(ExitCode::kLinkRefused,
                     where() + " (" + relay_.software + ") does not know this request",
                     "Update it");
    }
  }
}

Outcome<void> RelayClient::query(std::uint64_t id, std::string_view request, FrameType end,
                                 const std::function<void(const proto::FrameView&)>& take,
                                 const Failure& interrupted) {
  if ((relay_.features & proto::kFeatureHistory) == 0)
    return failure(ExitCode::kLinkRefused,
                   where() + " (" + relay_.software + ") does not know this request", "Update it");
  if (auto sent = send(request); !sent) return sent;
  const TimePoint deadline = SteadyTime().now() + kAnswerWait;
  for (;;) {
    const auto received = next(left_until(deadline));
    if (!received) return tl::make_unexpected(received.error());
    if (received->wake == Wake::kResized) continue;
    if (received->wake == Wake::kTimeout)
      return failure(ExitCode::kNoRelay, where() + " does not answer");
    if (received->wake != Wake::kReady) return tl::make_unexpected(interrupted);
    const proto::Header& header = received->frame.header;
    if (header.sequence != id) continue;
    if (header.type == FrameType::kError) {
      const auto error = proto::decode_error(received->frame);
      return failure(ExitCode::kRefused, error ? std::string(error->text) : error.error().message);
    }
    take(received->frame);
    if (header.type == end) return {};
  }
}

Outcome<void> RelayClient::publish(proto::Publish publish, const Failure& interrupted) {
  publish.request = new_request();
  publish.acknowledge = true;
  std::string request;
  proto::encode(request, publish);
  const auto received = ask(publish.request, request, FrameType::kPublished);
  if (!received) return tl::make_unexpected(received.error());
  if (received->wake != Wake::kReady) return tl::make_unexpected(interrupted);
  return {};
}

Outcome<std::string> RelayClient::ask_status(std::uint32_t channels_max,
                                             const Failure& interrupted) {
  std::string request;
  const std::uint64_t id = new_request();
  proto::encode(request, proto::Status{.request = id, .channels_max = channels_max});
  const auto received = ask(id, request, FrameType::kStatusReply);
  if (!received) return tl::make_unexpected(received.error());
  if (received->wake != Wake::kReady) return tl::make_unexpected(interrupted);
  return std::string(proto::decode_status_reply(received->frame)->json);
}

Outcome<void> RelayClient::ask_control(proto::Control control, const Failure& interrupted) {
  std::string request;
  control.request = new_request();
  proto::encode(request, control);
  const auto received = ask(control.request, request, FrameType::kControlled);
  if (!received) return tl::make_unexpected(received.error());
  if (received->wake != Wake::kReady) return tl::make_unexpected(interrupted);
  return {};
}

}  // namespace sluice::ctl
