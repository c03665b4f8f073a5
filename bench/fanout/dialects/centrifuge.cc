// A frame holds one message or several: lines in JSON, behind their lengths in Protobuf. Neither is
// parsed further than to the data, so that the load generator is not what is measured.
#include "bench/fanout/dialects/centrifuge.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "bench/fanout/dialects/json_text.h"
#include "bench/fanout/ws_frame.h"

namespace sluice::fanout {
namespace {

class CentrifugeJson final : public Dialect {
 public:
  CentrifugeJson() { append_masked(pong_, kText, "{}"); }

  [[nodiscard]] std::string request(std::string_view path) const override {
    return upgrade_request(path, "centrifuge-json");
  }

  [[nodiscard]] std::string greet(std::string_view channel,
                                  std::uint64_t /*client*/) const override {
    std::string out;
    append_masked(out, kText,
                  "{\"id\":1,\"connect\":{}}\n{\"id\":2,\"subscribe\":{\"channel\":\"" +
                      std::string(channel) + "\"}}");
    return out;
  }

  [[nodiscard]] bool ready_at_upgrade() const override { return false; }

  [[nodiscard]] Heard on_frame(std::uint8_t opcode, std::string_view payload) override {
    const std::string_view line = payload.substr(0, payload.find('\n'));
    Heard heard;
    heard.consumed = std::min(payload.size(), line.size() + 1);
    if (opcode != kText) {
      heard.kind = Heard::Kind::kBroken;
    } else if (line.starts_with(kPush)) {
      hear_push(line, heard);
    } else if (line == "{}") {
      heard.reply = pong_;
    } else if (line.starts_with(R"({"id":2,"subscribe":)")) {
      heard.kind = Heard::Kind::kReady;
    } else if (!line.starts_with(R"({"id":1,"connect":)")) {
      heard.kind = Heard::Kind::kBroken;
    }
    return heard;
  }

 private:
  static constexpr std::string_view kPush = R"({"push":)";
  static constexpr std::string_view kData = R"("pub":{"data":")";

  void hear_push(std::string_view line, Heard& heard) {
    heard.kind = Heard::Kind::kBroken;
    const std::size_t at = line.find(kData);
    if (at == std::string_view::npos) return;
    const std::string_view rest = line.substr(at + kData.size());
    std::size_t end = 0;
    while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) return;
    const auto text = json_text(rest.substr(0, end), text_);
    if (!text) return;
    heard.kind = Heard::Kind::kMessage;
    heard.message = *text;
  }

  std::string pong_;
  std::string text_;
};

// Protobuf's wire format, as much as there is of it here: varints and what has a length.

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> take_block(std::string_view& bytes) {
  const auto length = take_varint(bytes);
  if (!length || *length > bytes.size()) return std::nullopt;
  const std::string_view block = bytes.substr(0, *length);
  bytes.remove_prefix(*length);
  return block;
}

/// The first field of that number with a length.
std::optional<std::string_view> find_block(std::string_view message, std::uint64_t number) {
  while (!message.empty()) {
    const auto tag = take_varint(message);
    if (!tag) return std::nullopt;
    if ((*tag & 7U) == 0) {
      if (!take_varint(message)) return std::nullopt;
      continue;
    }
    if ((*tag & 7U) != 2) return std::nullopt;
    const auto block = take_block(message);
    if (!block || *tag >> 3U == number) return block;
  }
  return std::nullopt;
}

// Field numbers of the protocol.
constexpr std::uint64_t kReplyPush = 4;
constexpr std::uint64_t kReplyConnect = 5;
constexpr std::uint64_t kReplySubscribe = 6;
constexpr std::uint64_t kPushPub = 4;
constexpr std::uint64_t kPubData = 4;

/// Nothing: it is no publication's push. A publication without data has an empty one.
std::optional<std::string_view> published(std::string_view reply) {
  const auto push = find_block(reply, kReplyPush);
  const auto pub = push ? find_block(*push, kPushPub) : std::nullopt;
  if (!pub) return std::nullopt;
  return find_block(*pub, kPubData).value_or(std::string_view());
}

void append_block(std::string& out, std::uint8_t tag, std::string_view block) {
  out += static_cast<char>(tag);
  out += static_cast<char>(block.size());
  out += block;
}

class CentrifugeProtobuf final : public Dialect {
 public:
  CentrifugeProtobuf() { append_masked(pong_, kBinary, {"\0", 1}); }

  [[nodiscard]] std::string request(std::string_view path) const override {
    return upgrade_request(path, "centrifuge-protobuf");
  }

  [[nodiscard]] std::string greet(std::string_view channel,
                                  std::uint64_t /*client*/) const override {
    // Command{id 1, connect 4 {}} and Command{id 2, subscribe 5 {channel 1}}; names are short.
    std::string subscribe;
    append_block(subscribe, 1 << 3 | 2, channel);
    std::string second = "\x08\x02";
    append_block(second, 5 << 3 | 2, subscribe);
    std::string frame("\x04\x08\x01\x22\x00", 5);
    frame += static_cast<char>(second.size());
    frame += second;
    std::string out;
    append_masked(out, kBinary, frame);
    return out;
  }

  [[nodiscard]] bool ready_at_upgrade() const override { return false; }

  [[nodiscard]] Heard on_frame(std::uint8_t opcode, std::string_view payload) override {
    Heard heard;
    heard.kind = Heard::Kind::kBroken;
    std::string_view left = payload;
    const auto reply = opcode == kBinary ? take_block(left) : std::nullopt;
    if (!reply) return heard;
    heard.consumed = payload.size() - left.size();
    if (reply->empty()) {
      heard.kind = Heard::Kind::kNothing;
      heard.reply = pong_;
    } else if (const auto message = published(*reply)) {
      heard.kind = Heard::Kind::kMessage;
      heard.message = *message;
    } else if (find_block(*reply, kReplySubscribe)) {
      heard.kind = Heard::Kind::kReady;
    } else if (find_block(*reply, kReplyConnect)) {
      heard.kind = Heard::Kind::kNothing;
    }
    return heard;
  }

 private:
  std::string pong_;
};

}  // namespace

std::unique_ptr<Dialect> make_centrifuge_json_dialect() {
  return std::make_unique<CentrifugeJson>();
}

std::unique_ptr<Dialect> make_centrifuge_protobuf_dialect() {
  return std::make_unique<CentrifugeProtobuf>();
}

}  // namespace sluice::fanout
