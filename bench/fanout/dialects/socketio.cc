// A text frame is one packet: Engine.IO's type, and in a "4" Socket.IO's type and JSON behind it.
#include "bench/fanout/dialects/socketio.h"

#include "bench/fanout/dialects/json_text.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

constexpr std::string_view kEventBegin = R"(42["m",")";
constexpr std::string_view kEventEnd = R"("])";
constexpr std::string_view kJoined = R"(42["joined"])";

/// What a server may say and nobody need answer: Engine.IO's open and noop, Socket.IO's CONNECT.
bool needs_nothing(std::string_view packet) {
  return packet.starts_with("0{") || packet == "6" || packet.starts_with("40");
}

class SocketioDialect final : public Dialect {
 public:
  SocketioDialect() { append_masked(pong_, kText, "3"); }

  [[nodiscard]] std::string request(std::string_view path) const override {
    return upgrade_request(path);
  }

  /// Said at once, not after the server's open packet: that is ahead of it in any case.
  [[nodiscard]] std::string greet(std::string_view channel,
                                  std::uint64_t /*client*/) const override {
    std::string out;
    append_masked(out, kText, R"(40{"room":")" + std::string(channel) + R"("})");
    return out;
  }

  [[nodiscard]] bool ready_at_upgrade() const override { return false; }

  [[nodiscard]] Heard on_frame(std::uint8_t opcode, std::string_view payload) override {
    Heard heard;
    heard.consumed = payload.size();
    if (opcode == kText && payload.starts_with(kEventBegin)) {
      hear_event(payload, heard);
    } else if (opcode == kText && payload == "2") {
      heard.reply = pong_;
    } else if (opcode == kText && payload == kJoined) {
      heard.kind = Heard::Kind::kReady;
    } else if (opcode != kText || !needs_nothing(payload)) {
      heard.kind = Heard::Kind::kBroken;
    }
    return heard;
  }

 private:
  void hear_event(std::string_view payload, Heard& heard) {
    heard.kind = Heard::Kind::kBroken;
    payload.remove_prefix(kEventBegin.size());
    if (!payload.ends_with(kEventEnd)) return;
    payload.remove_suffix(kEventEnd.size());
    const auto text = json_text(payload, text_);
    if (!text) return;
    heard.kind = Heard::Kind::kMessage;
    heard.message = *text;
  }

  std::string pong_;
  std::string text_;
};

}  // namespace

std::unique_ptr<Dialect> make_socketio_dialect() {
  return std::make_unique<SocketioDialect>();
}

}  // namespace sluice::fanout
