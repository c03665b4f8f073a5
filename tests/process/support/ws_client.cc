// Blocking WebSocket client.
#include "tests/process/support/ws_client.h"

namespace sluice::test {

std::string describe(const WsEvent& event) {
  static constexpr const char* kNames[] = {"text", "binary", "close", "ping",
                                           "pong", "eof",    "reset", "time-out"};
  std::string text = kNames[static_cast<int>(event.kind)];
  if (event.kind == WsEvent::Kind::kClose) text += " " + std::to_string(event.code);
  return text + " '" + event.data.substr(0, 80) + "'";
}

WsClient WsClient::dial(const Endpoint& to, const UpgradeRequest& request, int receive_buffer) {
  WsClient client;
  client.socket_ = Socket::connect(to, 5s, receive_buffer);
  (void)client.socket_.try_send(upgrade_bytes(request));
  std::string rest;
  client.response_ = read_head(client.socket_, rest);
  if (!client.open()) {
    client.response_.body = rest + client.socket_.read_all(2s);
    return client;
  }
  const auto& headers = client.response_.headers;
  const auto accept = headers.find("sec-websocket-accept");
  if (accept == headers.end() || accept->second != accept_of(kUpgradeKey)) {
    throw HarnessError("101 with a wrong Sec-WebSocket-Accept");
  }
  if (headers.contains("sec-websocket-extensions")) throw HarnessError("extension unasked for");
  client.reader_.feed(rest);
  return client;
}

WsClient WsClient::connect(const Endpoint& to, const std::string& path) {
  UpgradeRequest request;
  request.path = path;
  WsClient client = dial(to, request);
  if (!client.open()) {
    throw HarnessError("upgrade refused: " + std::to_string(client.response_.status));
  }
  return client;
}

void WsClient::send_frame(WsOpcode opcode, std::string_view payload, bool fin) {
  socket_.send_all(client_frame(opcode, payload, fin));
}

void WsClient::send_close(std::uint16_t code, std::string_view reason) {
  send_frame(WsOpcode::kClose, close_payload(code, reason));
}

WsEvent WsClient::on_frame(WsFrame frame, bool& complete) {
  complete = true;
  WsEvent event;
  event.data = std::move(frame.payload);
  switch (frame.opcode) {
    case WsOpcode::kPing:
      ++pings_;
      event.kind = WsEvent::Kind::kPing;
      if (answer_pings_) {
        (void)socket_.try_send(client_frame(WsOpcode::kPong, event.data));
        complete = false;
      }
      return event;
    case WsOpcode::kPong:
      event.kind = WsEvent::Kind::kPong;
      return event;
    case WsOpcode::kClose:
      event.kind = WsEvent::Kind::kClose;
      event.code = 1005;
      if (answer_close_) (void)socket_.try_send(client_frame(WsOpcode::kClose, event.data));
      if (event.data.size() >= 2) {
        event.code = static_cast<unsigned char>(event.data[0]) << 8 |
                     static_cast<unsigned char>(event.data[1]);
        event.data.erase(0, 2);
      }
      return event;
    default:
      break;
  }
  if (frame.opcode != WsOpcode::kContinuation) partial_opcode_ = frame.opcode;
  partial_ += event.data;
  complete = frame.fin;
  if (!complete) return event;
  event.data = std::exchange(partial_, {});
  event.kind = partial_opcode_ == WsOpcode::kText ? WsEvent::Kind::kText : WsEvent::Kind::kBinary;
  if (event.kind == WsEvent::Kind::kText && !is_utf8(event.data)) {
    throw HarnessError("server sent text that is not UTF-8");
  }
  return event;
}

WsEvent WsClient::next(Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  while (true) {
    while (auto frame = reader_.next()) {
      bool complete = false;
      WsEvent event = on_frame(std::move(*frame), complete);
      if (complete) return event;
    }
    const ReadResult part = socket_.read_some(Millis(deadline.left_ms()));
    if (part.end == ReadEnd::kData) {
      reader_.feed(part.data);
      continue;
    }
    WsEvent event;
    if (part.end == ReadEnd::kEof) event.kind = WsEvent::Kind::kEof;
    if (part.end == ReadEnd::kReset) event.kind = WsEvent::Kind::kReset;
    return event;
  }
}

std::string WsClient::message(Millis wait) {
  WsEvent event = next(wait);
  if (event.kind != WsEvent::Kind::kText && event.kind != WsEvent::Kind::kBinary) {
    throw HarnessError("expected a message, got " + describe(event));
  }
  return std::move(event.data);
}

std::string WsClient::text(Millis wait) {
  WsEvent event = next(wait);
  if (event.kind != WsEvent::Kind::kText) {
    throw HarnessError("expected text, got " + describe(event));
  }
  return std::move(event.data);
}

std::string WsClient::binary(Millis wait) {
  WsEvent event = next(wait);
  if (event.kind != WsEvent::Kind::kBinary) {
    throw HarnessError("expected binary, got " + describe(event));
  }
  return std::move(event.data);
}

WsEvent WsClient::wait_close(Millis wait) {
  const Deadline deadline = Deadline::in(wait);
  while (true) {
    WsEvent event = next(Millis(deadline.left_ms()));
    if (event.kind == WsEvent::Kind::kTimeout) {
      throw HarnessError("the server has not closed in time");
    }
    if (event.kind == WsEvent::Kind::kClose || event.kind == WsEvent::Kind::kEof ||
        event.kind == WsEvent::Kind::kReset) {
      return event;
    }
  }
}

bool WsClient::quiet(Millis span) {
  return next(span).kind == WsEvent::Kind::kTimeout;
}

}  // namespace sluice::test
