// Names of channels: which clients may use, and which only we.
#include "proto/names.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/limits.h"

namespace sluice::proto {
namespace {

TEST(ChannelNames, MembersAndTheirChannel) {
  const std::string members = members_channel("chat:1");
  EXPECT_EQ(members, std::string(kMembersPrefix) + "chat:1");
  EXPECT_EQ(members.front(), kInternalMark);
  EXPECT_EQ(channel_of_members(members), "chat:1");
  EXPECT_EQ(channel_of_members("chat:1"), "");
  EXPECT_EQ(channel_of_members(kMembersPrefix), "");
  EXPECT_EQ(channel_of_members(kControlChannel), "");
}

TEST(ChannelNames, InternalOnesBeginWithTheMark) {
  for (const std::string& name : {std::string(kControlChannel), std::string(kNodesChannel),
                                  members_channel("c"), reply_channel("node-1")}) {
    EXPECT_TRUE(is_internal(name)) << name;
    EXPECT_FALSE(is_public_name(name)) << name;
    EXPECT_LE(name.size(), kChannelNameBytesMax);
  }
  EXPECT_EQ(reply_channel("node-1"), "\x01reply\x01node-1");
  EXPECT_FALSE(is_internal("control"));
  EXPECT_FALSE(is_internal(""));
}

TEST(ChannelNames, TheLongestPublicOneHasMembersToo) {
  const std::string longest(kPublicNameBytesMax, 'c');
  EXPECT_TRUE(is_public_name(longest));
  EXPECT_FALSE(is_public_name(longest + "c"));
  EXPECT_LE(members_channel(longest).size(), kChannelNameBytesMax);
  EXPECT_LE(reply_channel(std::string(kGatewayIdBytesMax, 'n')).size(), kChannelNameBytesMax);
}

TEST(ChannelNames, PublicOnesAreTextWithoutControlCharacters) {
  for (const char* name : {"a", "chat:room#1,2", "$private", "h\xC3\xA4user", "with space",
                           "sluice", "a\xF0\x9F\x98\x80"}) {
    EXPECT_TRUE(is_public_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("a\0b", 3), std::string("a\nb"), std::string("\x7F"),
        std::string("a\x1F"), std::string("\xC3"), std::string("\xED\xA0\x80"),
        std::string("\xFF\xFE"), std::string("sluice:x"), std::string("sluice:")}) {
    EXPECT_FALSE(is_public_name(name)) << name;
  }
}

}  // namespace
}  // namespace sluice::proto
