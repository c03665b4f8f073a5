#include "gateway/publish_hold.h"

#include <utility>

namespace sluice::gateway {
namespace {

/// What one entry costs beside its bytes, so that empty messages are bounded too.
constexpr std::size_t kEntryBytes = sizeof(HeldPublish);

std::size_t cost(const HeldPublish& p) {
  return kEntryBytes + p.channel.size() + p.payload.size() + p.meta.size();
}

}  // namespace

Enqueue PublishHold::push(HeldPublish publish) {
  const std::size_t more = cost(publish);
  if (bytes_ + more > bytes_max_) return Enqueue::kFull;
  bytes_ += more;
  queue_.push_back(std::move(publish));
  return Enqueue::kOk;
}

HeldPublish PublishHold::pop() {
  HeldPublish publish = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= cost(publish);
  return publish;
}

}  // namespace sluice::gateway
