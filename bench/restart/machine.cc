#include "bench/restart/machine.h"

#include <sys/utsname.h>

#include <thread>

namespace sluice::restart {

std::map<std::string, std::string> this_machine() {
  utsname system{};
  ::uname(&system);
  return {{"kernel", system.release},
          {"cores", std::to_string(std::thread::hardware_concurrency())}};
}

}  // namespace sluice::restart
