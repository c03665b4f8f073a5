// What a message's `meta` (envelope.proto, MessageMeta) tells clients of its publisher, and what
// travels on members channels. Pure.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/protocols/centrifuge.pb.h"
#include "proto/envelope.pb.h"
#include "proto/frame.h"

namespace sluice::gateway {

/// Without a word of the library's on stderr: the bytes are not of our own making.
[[nodiscard]] bool parse_quietly(proto::Bytes bytes, google::protobuf::MessageLite& message);

/// Nothing: there is none, or it is not readable, which makes the message no worse. Lives until the
/// next call on this thread.
[[nodiscard]] const envelope::MessageMeta* read_meta(proto::Bytes meta);

/// In the order of their keys: a protobuf map's own differs between processes, and frames must not.
using SortedTags = std::vector<std::pair<std::string_view, std::string_view>>;
[[nodiscard]] SortedTags sorted_tags(const google::protobuf::Map<std::string, std::string>& tags);

void fill_client_info(const envelope::Client& from, centrifuge::ClientInfo& to);

/// The join or leave of a members channel's message as a push of `channel`. What is neither (no
/// relay says so) becomes a push without content, which clients pass over.
[[nodiscard]] centrifuge::Reply members_push(std::string_view channel, proto::Bytes membership);

}  // namespace sluice::gateway
