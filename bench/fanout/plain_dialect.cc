#include "bench/fanout/dialect.h"

namespace sluice::fanout {
namespace {

class PlainDialect : public Dialect {
 public:
  [[nodiscard]] std::string request(std::string_view path) const override {
    return upgrade_request(path);
  }
  [[nodiscard]] std::string greet(std::string_view /*channel*/,
                                  std::uint64_t /*client*/) const override {
    return {};
  }
  [[nodiscard]] bool ready_at_upgrade() const override { return true; }
  [[nodiscard]] Heard on_frame(std::uint8_t /*opcode*/, std::string_view payload) override {
    return {Heard::Kind::kMessage, payload.size(), payload, {}};
  }
  [[nodiscard]] bool is_plain() const override { return true; }
};

}  // namespace

std::unique_ptr<Dialect> make_plain_dialect() {
  return std::make_unique<PlainDialect>();
}

std::string upgrade_request(std::string_view path, std::string_view protocol) {
  std::string request = "GET ";
  request.append(path).append(
      " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n");
  if (!protocol.empty()) request.append("Sec-WebSocket-Protocol: ").append(protocol).append("\r\n");
  return request.append("\r\n");
}

}  // namespace sluice::fanout
