#include "proto/names.h"

#include <algorithm>

#include "common/utf8.h"
#include "proto/frame.h"
#include "proto/limits.h"

namespace sluice::proto {

std::string members_channel(std::string_view channel) {
  return std::string(kMembersPrefix).append(channel);
}

std::string_view channel_of_members(std::string_view name) {
  if (!name.starts_with(kMembersPrefix)) return {};
  return name.substr(kMembersPrefix.size());
}

std::string reply_channel(std::string_view node) {
  return std::string(kReplyPrefix).append(node);
}

bool is_public_name(std::string_view name) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !name.empty() && name.size() <= kPublicNameBytesMax &&
         !name.starts_with(kReservedPrefix) && std::none_of(name.begin(), name.end(), control) &&
         valid_utf8(as_bytes(name));
}

}  // namespace sluice::proto
