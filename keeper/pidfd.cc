#include "keeper/pidfd.h"

#include <poll.h>

#include <fstream>
#include <string>

namespace sluice::keeper {

bool process_ended(int pidfd) {
  pollfd entry{pidfd, POLLIN, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & POLLIN) != 0;
}

std::optional<pid_t> process_of(int pidfd) {
  // The kernel says so nowhere else.
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(pidfd));
  std::string word;
  while (info >> word) {
    pid_t pid = 0;
    if (word == "Pid:" && info >> pid) return pid;
  }
  return std::nullopt;
}

}  // namespace sluice::keeper
