// Frame surgery on pieces that begin with a whole short text frame; others pass.
#include "tests/soak/lie.h"

namespace sluice::soak {
namespace {

constexpr std::size_t kTruthsPerLie = 10;
constexpr char kFinalText = '\x81';
constexpr std::size_t kLongestShortFrame = 125;
/// "1111:s C SENDER NUMBER …": behind the frame's head and the tag.
constexpr std::size_t kHead = 2;
constexpr std::size_t kChannelAt = kHead + 7;
constexpr std::size_t kSenderAt = kHead + 9;

/// Size of the numbered message's frame at `at`; 0 when none is there whole.
std::size_t numbered_frame(const std::string& bytes, std::size_t at) {
  if (bytes.size() < at + kSenderAt + 1 || bytes[at] != kFinalText) return 0;
  const auto size = static_cast<unsigned char>(bytes[at + 1]);
  if (size > kLongestShortFrame || bytes.size() < at + kHead + size) return 0;
  return bytes.compare(at + kHead + 4, 3, ":s ") == 0 ? kHead + size : 0;
}

}  // namespace

void Liar::change(std::string& bytes) {
  const std::size_t first = numbered_frame(bytes, 0);
  if (first == 0 || ++seen_ % kTruthsPerLie != 0) return;
  const std::size_t second = numbered_frame(bytes, first);
  switch (lie_) {
    case Lie::kDuplicate:
      bytes.insert(0, bytes.substr(0, first));
      return;
    case Lie::kLose:
      bytes.erase(0, first);
      return;
    case Lie::kSwap:
      if (second == 0) {
        --seen_;  // at the next opportunity
        return;
      }
      bytes = bytes.substr(first, second) + bytes.substr(0, first) + bytes.substr(first + second);
      return;
    case Lie::kForeign:
      bytes[kChannelAt] = bytes[kChannelAt] == '0' ? '1' : '0';
      return;
    case Lie::kInvent: {  // a sender that is not there; once, so that it does not repeat itself
      if (seen_ > kTruthsPerLie) return;
      const std::size_t end = bytes.find(' ', kSenderAt);
      for (std::size_t i = kSenderAt; i < end; ++i) bytes[i] = '9';
      return;
    }
    case Lie::kNone:
    case Lie::kCut:
      return;
  }
}

}  // namespace sluice::soak
