#include "relay/handover/descriptors.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

namespace sluice::relay {

Descriptors::Descriptors(const std::vector<int>& numbers) {
  for (const int number : numbers) {
    struct stat what {};
    if (::fstat(number, &what) != 0 || !S_ISSOCK(what.st_mode)) continue;
    set_inherited(number, false);
    owned_.emplace(number, UniqueFd(number));
  }
}

UniqueFd Descriptors::take(int number) {
  const auto found = owned_.find(number);
  if (found == owned_.end()) return UniqueFd();
  UniqueFd fd = std::move(found->second);
  owned_.erase(found);
  return fd;
}

void set_inherited(int fd, bool on) {
  // Can't fail for a descriptor that is open.
  (void)::fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

}  // namespace sluice::relay
