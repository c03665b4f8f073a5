#include "gateway/protocols/centrifuge_json.h"

#include "gateway/protocols/centrifuge_meta.h"
#include "proto/names.h"

namespace sluice::gateway {

Result<void> CentrifugeJson::decode(proto::Bytes frame,
                                    std::vector<centrifuge::Command>& commands) const {
  std::string_view left = proto::as_text(frame);
  // A line break behind the last command is allowed, and only there.
  if (!left.empty() && left.back() == '\n') left.remove_suffix(1);
  if (left.empty()) return fail(ErrorCode::kInvalid, "empty frame");
  for (std::size_t count = 1;; ++count) {
    if (count > kCommandsPerFrameMax) return fail(ErrorCode::kTooLarge, "too many commands");
    const std::size_t end = left.find('\n');
    if (!read_json_command(left.substr(0, end), commands.emplace_back()))
      return fail(ErrorCode::kInvalid, "not a command in JSON");
    if (end == std::string_view::npos) return {};
    left.remove_prefix(end + 1);
  }
}

void CentrifugeJson::append(const centrifuge::Reply& reply, std::string& frame) const {
  if (!frame.empty()) frame += '\n';
  write_json_reply(reply, frame);
}

EncodedMessage CentrifugeJson::encode(const ChannelMessage& message, std::string& scratch) const {
  scratch.clear();
  const std::string_view members_of = proto::channel_of_members(message.channel);
  if (members_of.empty()) {
    write_json_publication(message, scratch);
  } else {
    write_json_reply(members_push(members_of, message.payload), scratch);
  }
  return {Opcode::kText, scratch, {}};
}

}  // namespace sluice::gateway
