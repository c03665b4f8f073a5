#include "gateway/protocols/centrifuge_meta.h"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <limits>

namespace sluice::gateway {
bool parse_quietly(proto::Bytes bytes, google::protobuf::MessageLite& message) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  const google::protobuf::LogSilencer silence;
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

const envelope::MessageMeta* read_meta(proto::Bytes meta) {
  if (meta.empty()) return nullptr;
  // One for all messages: its strings keep their memory.
  thread_local envelope::MessageMeta read;
  return parse_quietly(meta, read) ? &read : nullptr;
}

SortedTags sorted_tags(const google::protobuf::Map<std::string, std::string>& tags) {
  SortedTags sorted(tags.begin(), tags.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

void fill_client_info(const envelope::Client& from, centrifuge::ClientInfo& to) {
  to.set_user(from.user());
  to.set_client(from.client());
  to.set_conn_info(from.conn_info());
  to.set_chan_info(from.chan_info());
}

centrifuge::Reply members_push(std::string_view channel, proto::Bytes membership) {
  centrifuge::Reply reply;
  centrifuge::Push& push = *reply.mutable_push();
  push.set_channel(channel.data(), channel.size());
  envelope::Membership read;
  if (!parse_quietly(membership, read)) return reply;
  fill_client_info(read.who(), read.joined() ? *push.mutable_join()->mutable_info()
                                             : *push.mutable_leave()->mutable_info());
  return reply;
}

}  // namespace sluice::gateway
