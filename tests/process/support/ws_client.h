// One WebSocket client, blocking, with deadlines. Pings and closes are answered unless told
// otherwise.
#pragma once

#include <string>

#include "tests/process/support/http.h"
#include "tests/process/support/ws_wire.h"

namespace sluice::test {

struct WsEvent {
  enum class Kind { kText, kBinary, kClose, kPing, kPong, kEof, kReset, kTimeout };
  Kind kind = Kind::kTimeout;
  std::string data;  ///< message, ping or pong bytes, close reason
  int code = 0;      ///< close code; 1005 when the frame had none
};

[[nodiscard]] std::string describe(const WsEvent& event);

class WsClient {
 public:
  /// Connects and upgrades. A refusal is no error here: look at response() and open().
  static WsClient dial(const Endpoint& to, const UpgradeRequest& request = {},
                       int receive_buffer = 0);
  /// Connects and upgrades; throws when refused.
  static WsClient connect(const Endpoint& to, const std::string& path = "/");

  [[nodiscard]] bool open() const { return response_.status == 101; }
  [[nodiscard]] const HttpResponse& response() const { return response_; }
  [[nodiscard]] int pings() const { return pings_; }
  void answer_pings(bool on) { answer_pings_ = on; }
  void answer_close(bool on) { answer_close_ = on; }

  void send_text(std::string_view text) { send_frame(WsOpcode::kText, text); }
  void send_binary(std::string_view bytes) { send_frame(WsOpcode::kBinary, bytes); }
  void send_frame(WsOpcode opcode, std::string_view payload, bool fin = true);
  void send_close(std::uint16_t code, std::string_view reason = "");
  void send_raw(std::string_view bytes) { socket_.send_all(bytes); }

  /// The next message or control frame; pings that were answered are passed over.
  WsEvent next(Millis wait = 10s);
  /// The next data message's bytes; throws on anything else, and when it does not come.
  std::string message(Millis wait = 10s);
  std::string text(Millis wait = 10s);
  std::string binary(Millis wait = 10s);
  /// Reads messages until the connection is closed by the server; the close event (kEof when it
  /// said nothing).
  WsEvent wait_close(Millis wait = 10s);
  /// True when nothing but pings comes for so long.
  bool quiet(Millis span);

  Socket& socket() { return socket_; }

 private:
  WsEvent on_frame(WsFrame frame, bool& complete);

  Socket socket_;
  HttpResponse response_;
  WsReader reader_;
  std::string partial_;
  WsOpcode partial_opcode_ = WsOpcode::kText;
  bool answer_pings_ = true;
  bool answer_close_ = true;
  int pings_ = 0;
};

}  // namespace sluice::test
