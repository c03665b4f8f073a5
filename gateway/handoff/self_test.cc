#include "gateway/handoff/self_test.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/random.h"
#include "common/unique_fd.h"
#include "gateway/event_loop.h"
#include "gateway/sender.h"
#include "gateway/session_input.h"
#include "gateway/session_table.h"
#include "gateway/ws_endpoint.h"

namespace sluice::gateway {
namespace {

constexpr Duration kPatience = std::chrono::seconds(2);
constexpr std::size_t kMessageBytes = 1024;
constexpr std::string_view kPing = "still there?";

/// A client's frame, shorter than 126 bytes.
std::string frame(std::uint8_t first, std::string_view payload) {
  constexpr std::string_view kMask = "\x21\xC3\x5A\x9F";
  std::string out{static_cast<char>(first), static_cast<char>(0x80U | payload.size())};
  out += kMask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    out.push_back(static_cast<char>(payload[i] ^ kMask[i & 3U]));
  return out;
}

/// A stream of two messages, cut inside the first.
struct Case {
  const char* name;
  std::string before;   ///< read by the process that was
  std::string message;  ///< so much of the message it has
  std::string after;    ///< comes in this one
  std::vector<std::string> messages;
};

std::vector<Case> cases() {
  const std::string whole = frame(0x81, "in one frame") + frame(0x82, "next");
  const std::string parts = frame(0x01, "in ") + frame(0x00, "three ") + frame(0x89, kPing) +
                            frame(0x80, "frames") + frame(0x82, "next");
  const std::size_t header = 6;
  const std::size_t in_second = 2 * header + 3 + 4;
  return {{"inside a frame",
           whole.substr(0, header + 7),
           "in one ",
           whole.substr(header + 7) + frame(0x89, kPing),
           {"in one frame", "next"}},
          {"inside a fragmented message",
           parts.substr(0, in_second),
           "in thre",
           parts.substr(in_second),
           {"in three frames", "next"}}};
}

/// What the old process knew when it had read `stream`.
ResumedSession session_after(const Case& tried) {
  struct Nobody final : ScanEvents {
    void ping(std::span<const std::uint8_t> /*payload*/) override {}
    void pong() override {}
    void close(std::uint16_t /*code*/) override {}
  } nobody;
  ResumedSession session;
  std::string stream = tried.before;
  static_cast<void>(session.state.scanner.feed(
      {reinterpret_cast<std::uint8_t*>(stream.data()), stream.size()}, kMessageBytes, nobody));
  session.state.inbound.bytes = tried.message;
  session.state.inbound.open = true;
  session.state.inbound.text = true;
  return session;
}

/// A gateway's client side, as far as it takes part.
class Trial final : public EndpointEvents {
 public:
  Trial()
      : sender_({.client_queue_bytes = kMessageBytes * 4}, sessions_, time_),
        endpoint_({.message_bytes_max = kMessageBytes}, loop_.raw(), sessions_, sender_, *this,
                  time_, random_),
        patience_(loop_, [this] { out_of_patience_ = true; }) {}

  [[nodiscard]] Result<void> run();

  // EndpointEvents.
  void opened(ClientSession& /*session*/, const UpgradeRequest& /*request*/) override {}
  void fragment(ClientSession& session, const Fragment& fragment) override {
    const Input input = add_fragment(session.state.inbound, fragment);
    if (input.verdict == InputVerdict::kMore) return;
    messages_.emplace_back(proto::as_text(input.message));
    release_message(session.state.inbound);
  }
  void ping(ClientSession& session, proto::Bytes payload) override {
    sender_.deliver(session, FrameRun::make(Opcode::kPong, {}, payload));
  }
  void pong(ClientSession& /*session*/) override {}
  void closed(ClientSession& /*session*/) override { closed_ = true; }
  void never_opened(ClientRef /*ref*/, const ClientAddress& /*address*/) override {}

 private:
  [[nodiscard]] Result<void> try_one(const Case& tried);
  [[nodiscard]] const char* end(UniqueFd client);
  void turn();
  /// Adds what the client has got.
  void receive(const UniqueFd& client);

  EventLoop loop_;
  SteadyTime time_;
  SystemRandom random_;
  SessionTable sessions_;
  Sender sender_;
  WsEndpoint endpoint_;
  Timer patience_;
  bool out_of_patience_ = false;
  bool closed_ = false;
  std::vector<std::string> messages_;
  std::string received_;
};

void Trial::turn() {
  loop_.run_once();
  endpoint_.settle();
  static_cast<void>(sender_.flush(1));
}

void Trial::receive(const UniqueFd& client) {
  std::array<char, 1024> buffer;
  // Not by recv(2): that is for who receives from clients.
  const ssize_t n = ::read(client.get(), buffer.data(), buffer.size());
  if (n > 0) received_.append(buffer.data(), static_cast<std::size_t>(n));
}

Result<void> Trial::try_one(const Case& tried) {
  const auto wrong = [&](const std::string& what) {
    return fail(ErrorCode::kSystem, std::string(tried.name) + ": " + what);
  };
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return wrong(std::string("socketpair: ") + std::strerror(errno));
  UniqueFd client(ends[1]);
  messages_.clear();
  received_.clear();
  if (endpoint_.resume(UniqueFd(ends[0]), {0, 1}, session_after(tried)) == nullptr)
    return wrong("libwebsockets did not take the connection");
  const std::string pong =
      std::string("\x8A") + static_cast<char>(kPing.size()) + std::string(kPing);
  if (::send(client.get(), tried.after.data(), tried.after.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(tried.after.size()))
    return wrong(std::string("send: ") + std::strerror(errno));
  patience_.start_once(kPatience);
  while (!out_of_patience_ && !closed_ &&
         (messages_.size() < tried.messages.size() || received_.size() < pong.size())) {
    turn();
    receive(client);
  }
  if (messages_ != tried.messages) return wrong("the messages did not arrive whole and once");
  if (received_ != pong)
    return wrong("the client was sent something else than the answer to its ping");
  if (const char* why = end(std::move(client))) return wrong(why);
  return {};
}

const char* Trial::end(UniqueFd client) {
  client.reset();
  while (!out_of_patience_ && !closed_) turn();
  if (!std::exchange(closed_, false)) return "the connection did not end";
  return nullptr;
}

Result<void> Trial::run() {
  if (auto started = endpoint_.start(); !started) return started;
  for (const Case& tried : cases())
    if (auto good = try_one(tried); !good) return good;
  return {};
}

}  // namespace

Result<void> test_resuming() {
  return Trial().run();
}

}  // namespace sluice::gateway
