// The Centrifuge protocol in Protobuf (gateway/protocols/centrifuge_protobuf). The input's first
// byte says what is tried. Promises:
//  - a frame's commands have one method at most and, written again, are read as the same;
//  - whatever a message is, its push is one message that says the same as that in JSON.
#include "tests/fuzz/centrifuge_input.h"

namespace sluice::gateway {
namespace {

/// A command framed as a client does it.
std::string framed(const std::string& message) {
  std::string frame;
  std::size_t length = message.size();
  for (; length >= 0x80; length >>= 7U) frame += static_cast<char>(length | 0x80U);
  return frame.append(1, static_cast<char>(length)).append(message);
}

void check_frame(std::span<const std::uint8_t> frame) {
  std::vector<centrifuge::Command> commands;
  if (!centrifuge_protobuf().decode(frame, commands)) return;
  CHECK(!commands.empty() && commands.size() <= kCommandsPerFrameMax);
  for (const centrifuge::Command& command : commands) {
    CHECK(methods_of(command) <= 1);
    std::vector<centrifuge::Command> again;
    const std::string written = framed(command.SerializeAsString());
    CHECK(centrifuge_protobuf().decode(proto::as_bytes(written), again) && again.size() == 1);
    CHECK(again.front().SerializeAsString().size() == command.SerializeAsString().size());
  }
}

void check_push(const fuzz::EncodedInput& input) {
  const std::string frame = input.by(centrifuge_protobuf());
  // Its length is in front: a command is framed in the same way.
  std::size_t at = 0;
  while ((static_cast<unsigned char>(frame.at(at)) & 0x80U) != 0) ++at;
  const std::string message = frame.substr(at + 1);
  CHECK(framed(message) == frame);
  centrifuge::Reply reply;
  CHECK(reply.ParseFromString(message));
  CHECK(reply.has_push());
  std::string in_json;
  centrifuge_json().append(reply, in_json);
  CHECK(in_json == input.by(centrifuge_json()));
}

}  // namespace
}  // namespace sluice::gateway

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  if (input.below(3) < 2) {
    gateway::check_frame(input.rest());
  } else {
    gateway::check_push(fuzz::EncodedInput(input));
  }
  return 0;
}
