#include "tests/process/support/fault_control.h"

#include <sys/mman.h>

#include <fcntl.h>

#include "common/unique_fd.h"
#include "tests/process/support/build.h"
#include "tests/process/support/deadline.h"

namespace sluice::test {

FaultControl::FaultControl(const TempDir& directory, const std::string& name)
    : path_(directory.file(name)) {
  const UniqueFd fd(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid() || ::ftruncate(fd.get(), sizeof(FaultPage)) != 0) throw_errno(path_);
  void* page = ::mmap(nullptr, sizeof(FaultPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) throw_errno("mmap");
  page_ = static_cast<FaultPage*>(page);  // all zero: every rule is off
}

FaultControl::~FaultControl() {
  ::munmap(page_, sizeof(FaultPage));
}

std::string FaultControl::unavailable() {
  if (sanitizer().name == "thread")
    return "no shim can stand between libc and the thread sanitizer";
  if (sanitized() && sanitizer().runtime.empty())
    return "the runtime of the address sanitizer was not found";
  return {};
}

std::map<std::string, std::string> FaultControl::environment() const {
  // A sanitizer's runtime has to come before everything else that is preloaded; the shim is then
  // what it calls.
  const std::string& runtime = sanitizer().runtime;
  const std::string shim = SLUICE_FAULT_SHIM;
  return {{"LD_PRELOAD", runtime.empty() ? shim : runtime + ":" + shim},
          {kFaultFileVariable, path_}};
}

void FaultControl::fail(FaultCall call, int error, std::uint32_t every, int family) {
  FaultRule& one = rule(call);
  one.error = 0;
  one.family = family;
  one.every = every;
  one.calls = 0;
  one.failed = 0;
  one.error = error;
}

}  // namespace sluice::test
