#include "gateway/protocols/centrifuge_protobuf.h"

#include <google/protobuf/io/coded_stream.h>

#include <algorithm>
#include <array>

#include "gateway/protocols/centrifuge_meta.h"
#include "proto/names.h"

namespace sluice::gateway {
namespace {

using google::protobuf::io::CodedOutputStream;

/// The longest varint of 32 bits.
constexpr std::size_t kLengthBytesMax = 5;

/// Field numbers of what encode() writes itself (centrifuge.proto): a publication is small and
/// comes often, objects for it would cost more than its delivery to a client.
enum Tag : std::uint8_t {  // NOLINT(cppcoreguidelines-use-enum-class): number << 3 | wire type
  kReplyPush = 4 << 3 | 2,
  kPushChannel = 2 << 3 | 2,
  kPushPub = 4 << 3 | 2,
  kPubData = 4 << 3 | 2,
  kPubInfo = 5 << 3 | 2,
  kPubOffset = 6 << 3 | 0,
  kPubTags = 7 << 3 | 2,
  kPubTime = 9 << 3 | 0,
  kInfoUser = 1 << 3 | 2,
  kInfoClient = 2 << 3 | 2,
  kInfoConnection = 3 << 3 | 2,
  kInfoChannel = 4 << 3 | 2,
  kEntryKey = 1 << 3 | 2,
  kEntryValue = 2 << 3 | 2,
};

std::size_t varint_bytes(std::uint64_t value) {
  return CodedOutputStream::VarintSize64(value);
}

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

std::size_t block_bytes(std::size_t size) {
  return 1 + varint_bytes(size) + size;
}

void append_block_head(std::string& out, Tag tag, std::size_t size) {
  out += static_cast<char>(tag);
  append_varint(out, size);
}

void append_text(std::string& out, Tag tag, std::string_view text) {
  if (text.empty()) return;
  append_block_head(out, tag, text.size());
  out.append(text);
}

std::size_t text_bytes(std::string_view text) {
  return text.empty() ? 0 : block_bytes(text.size());
}

void append_number(std::string& out, Tag tag, std::uint64_t number) {
  if (number == 0) return;
  out += static_cast<char>(tag);
  append_varint(out, number);
}

std::size_t number_bytes(std::uint64_t number) {
  return number == 0 ? 0 : 1 + varint_bytes(number);
}

std::size_t info_bytes(const envelope::Client& client) {
  return text_bytes(client.user()) + text_bytes(client.client()) + text_bytes(client.conn_info()) +
         text_bytes(client.chan_info());
}

void append_info(std::string& out, const envelope::Client& client) {
  append_block_head(out, kPubInfo, info_bytes(client));
  append_text(out, kInfoUser, client.user());
  append_text(out, kInfoClient, client.client());
  append_text(out, kInfoConnection, client.conn_info());
  append_text(out, kInfoChannel, client.chan_info());
}

std::size_t tag_bytes(const SortedTags::value_type& tag) {
  return text_bytes(tag.first) + text_bytes(tag.second);
}

/// A publication but for its data, which comes last: its size is known before it is written, as the
/// lengths in front of it need.
class PublicationFields {
 public:
  explicit PublicationFields(const ChannelMessage& message)
      : offset_(message.position.offset), meta_(read_meta(message.meta)) {
    if (meta_ != nullptr && !meta_->tags().empty()) tags_ = sorted_tags(meta_->tags());
  }

  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = number_bytes(offset_) + number_bytes(time());
    if (has_info()) bytes += block_bytes(info_bytes(meta_->publisher()));
    for (const auto& tag : tags_) bytes += block_bytes(tag_bytes(tag));
    return bytes;
  }
  void append(std::string& out) const {
    if (has_info()) append_info(out, meta_->publisher());
    append_number(out, kPubOffset, offset_);
    for (const auto& tag : tags_) {
      append_block_head(out, kPubTags, tag_bytes(tag));
      append_text(out, kEntryKey, tag.first);
      append_text(out, kEntryValue, tag.second);
    }
    append_number(out, kPubTime, time());
  }

 private:
  [[nodiscard]] bool has_info() const { return meta_ != nullptr && meta_->has_publisher(); }
  [[nodiscard]] std::uint64_t time() const {
    return meta_ == nullptr ? 0 : static_cast<std::uint64_t>(meta_->time_ms());
  }

  std::uint64_t offset_;
  const envelope::MessageMeta* meta_;
  SortedTags tags_;
};

/// All of a publication's push but the payload's own bytes.
void append_push_head(std::string& out, const ChannelMessage& message) {
  const PublicationFields fields(message);
  const std::size_t data = message.payload.size();
  const std::size_t publication = fields.bytes() + (data == 0 ? 0 : block_bytes(data));
  const std::size_t push = text_bytes(message.channel) + block_bytes(publication);
  append_varint(out, block_bytes(push));
  append_block_head(out, kReplyPush, push);
  append_text(out, kPushChannel, message.channel);
  append_block_head(out, kPushPub, publication);
  fields.append(out);
  if (data != 0) append_block_head(out, kPubData, data);
}

/// Takes a length off the front. False: none of at most 32 bits is there, or more than follows it.
bool take_length(proto::Bytes& left, std::size_t& length) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < std::min(kLengthBytesMax, left.size()); ++i) {
    value |= static_cast<std::uint64_t>(left[i] & 0x7FU) << (7 * i);
    if (left[i] >= 0x80) continue;
    left = left.subspan(i + 1);
    length = value;
    return value <= left.size();
  }
  return false;
}

}  // namespace

Result<void> CentrifugeProtobuf::decode(proto::Bytes frame,
                                        std::vector<centrifuge::Command>& commands) const {
  if (frame.empty()) return fail(ErrorCode::kInvalid, "empty frame");
  for (std::size_t count = 0; !frame.empty(); ++count) {
    if (count == kCommandsPerFrameMax) return fail(ErrorCode::kTooLarge, "too many commands");
    std::size_t length = 0;
    if (!take_length(frame, length)) return fail(ErrorCode::kInvalid, "not a command's length");
    centrifuge::Command& command = commands.emplace_back();
    if (!parse_quietly(frame.first(length), command) || methods_of(command) > 1)
      return fail(ErrorCode::kInvalid, "not a command in Protobuf");
    frame = frame.subspan(length);
  }
  return {};
}

void CentrifugeProtobuf::append(const centrifuge::Reply& reply, std::string& frame) const {
  append_varint(frame, reply.ByteSizeLong());
  reply.AppendToString(&frame);
}

EncodedMessage CentrifugeProtobuf::encode(const ChannelMessage& message,
                                          std::string& scratch) const {
  scratch.clear();
  const std::string_view members_of = proto::channel_of_members(message.channel);
  if (!members_of.empty()) {
    append(members_push(members_of, message.payload), scratch);
    return {Opcode::kBinary, scratch, {}};
  }
  append_push_head(scratch, message);
  return {Opcode::kBinary, scratch, message.payload};
}

}  // namespace sluice::gateway
