// The Centrifuge protocol in JSON (gateway/protocols/centrifuge_json, json_content). The input's
// first byte says what is tried. Promises:
//  - a frame's commands have one method at most, and what they carry as JSON is one value without
//    line breaks, which comes out again as it was;
//  - the grammar is simdjson's, but for numbers and strings that simdjson can't hold;
//  - whatever a message is, its push is one line of JSON, for simdjson too.
#include <simdjson.h>

#include "gateway/protocols/json_content.h"
#include "tests/fuzz/centrifuge_input.h"

namespace sluice::gateway {
namespace {

simdjson::error_code judge(std::string_view text) {
  static simdjson::dom::parser parser;
  simdjson::dom::element element;
  return parser.parse(text.data(), text.size()).get(element);
}

/// JSON, but with something in it that simdjson has no room for.
bool beyond_simdjson(simdjson::error_code error) {
  return error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
}

bool is_value(JsonContent content) {
  return content == JsonContent::kValue || content == JsonContent::kBrokenLines;
}

void check_line(std::string_view line) {
  CHECK(line.find('\n') == std::string_view::npos);
  CHECK(json_content(proto::as_bytes(line)) == JsonContent::kValue);
  const auto error = judge(line);
  CHECK(error == simdjson::SUCCESS || beyond_simdjson(error));
}

void check_value(const std::string& data) {
  if (data.empty()) return;
  CHECK(json_content(proto::as_bytes(data)) == JsonContent::kValue);
  centrifuge::Reply reply;
  reply.mutable_rpc()->set_data(data);
  std::string frame;
  centrifuge_json().append(reply, frame);
  CHECK(frame == R"({"rpc":{"data":)" + data + "}}");
}

void check_frame(std::span<const std::uint8_t> frame) {
  std::vector<centrifuge::Command> commands;
  if (!centrifuge_json().decode(frame, commands)) return;
  CHECK(!commands.empty() && commands.size() <= kCommandsPerFrameMax);
  for (const centrifuge::Command& command : commands) {
    CHECK(methods_of(command) <= 1);
    check_value(command.connect().data());
    check_value(command.subscribe().data());
    check_value(command.publish().data());
    check_value(command.send().data());
    check_value(command.rpc().data());
    for (const auto& [channel, subscribe] : command.connect().subs()) check_value(subscribe.data());
    // What one encoding has taken the other can carry: strings are UTF-8.
    centrifuge::Command again;
    CHECK(again.ParseFromString(command.SerializeAsString()));
  }
}

void check_grammar(std::span<const std::uint8_t> bytes) {
  const JsonContent content = json_content(bytes);
  const auto error = judge(proto::as_text(bytes));
  if (is_value(content)) {
    CHECK(error == simdjson::SUCCESS || beyond_simdjson(error));
  } else if (bytes.size() <= kJsonDepthMax) {
    CHECK(error != simdjson::SUCCESS);
  }
  std::string out;
  append_json_value(out, bytes);
  check_line(out);
  if (content == JsonContent::kValue) CHECK(out == proto::as_text(bytes));
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  switch (input.below(3)) {
    case 0:
      gateway::check_frame(input.rest());
      break;
    case 1:
      gateway::check_grammar(input.rest());
      break;
    default:
      gateway::check_line(fuzz::EncodedInput(input).by(gateway::centrifuge_json()));
  }
  return 0;
}
