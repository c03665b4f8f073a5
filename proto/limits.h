// Bounds of the relay link. Each has a unit in its name; relations between them are asserted below.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sluice::proto {

inline constexpr std::size_t kHeaderBytes = 32;
/// Largest client message that any flag can allow, and so the largest payload of a PUBLISH or
/// MESSAGE.
inline constexpr std::size_t kPayloadBytesMax = 16U << 20U;
/// Opaque bytes beside a payload (publisher information of richer protocols).
inline constexpr std::size_t kMetaBytesMax = 4096;
/// A channel that a client may name.
inline constexpr std::size_t kPublicNameBytesMax = 255;
/// Any channel of the link: a public name behind the prefix of an internal one (names.h).
inline constexpr std::size_t kChannelNameBytesMax = kPublicNameBytesMax + 32;
/// What payload and meta of the largest PUBLISH stand beside: a string, its length in front.
inline constexpr std::size_t kNameFieldBytesMax = 2 + kChannelNameBytesMax;
/// A frame's body: payload plus meta plus a channel name, or the small body of a control frame.
inline constexpr std::size_t kBodyBytesMax = kPayloadBytesMax + kMetaBytesMax + kNameFieldBytesMax;
inline constexpr std::size_t kGatewayIdBytesMax = 64;
inline constexpr std::size_t kSoftwareBytesMax = 64;
inline constexpr std::size_t kReasonBytesMax = 512;
/// A balancer as a gateway knows it: an IP address.
inline constexpr std::size_t kBalancerBytesMax = 64;
/// Balancers that one gateway id may have marked.
inline constexpr std::size_t kDrainMarksMax = 16;
/// A client's id as presence has it (a UUID is 36), a user's name, and what is told of the client.
inline constexpr std::size_t kClientIdBytesMax = 64;
inline constexpr std::size_t kUserBytesMax = 255;
inline constexpr std::size_t kPresenceInfoBytesMax = 4096;
/// Bodies of PRESENCE_SET and PRESENCE_ITEM.
inline constexpr std::size_t kPresenceBodyBytesMax =
    kNameFieldBytesMax + 2 + kClientIdBytesMax + 2 + kUserBytesMax + kPresenceInfoBytesMax;
/// Bodies of frames other than PUBLISH, MESSAGE and HISTORY_ITEM, and those of presence.
inline constexpr std::size_t kControlBodyBytesMax = 2048;
/// The text of a STATUS_REPLY.
inline constexpr std::size_t kStatusBytesMax = 512U << 10U;

inline constexpr std::uint16_t kVersionMin = 1;
inline constexpr std::uint16_t kVersionMax = 1;

static_assert(kControlBodyBytesMax > kReasonBytesMax + 64);
static_assert(kControlBodyBytesMax > kChannelNameBytesMax + 64);
static_assert(kControlBodyBytesMax > kGatewayIdBytesMax + kSoftwareBytesMax + 64);
static_assert(kControlBodyBytesMax >
              kSoftwareBytesMax + 64 + kDrainMarksMax * (2 + kBalancerBytesMax));
static_assert(kBodyBytesMax < UINT32_MAX);

}  // namespace sluice::proto
