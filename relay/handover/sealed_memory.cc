#include "relay/handover/sealed_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace sluice::relay {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

bool write_at(int fd, std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

}  // namespace

Result<StateMemory> StateMemory::create() {
  UniqueFd fd(::memfd_create("sluice-relay-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return fail(ErrorCode::kSystem, std::string("memfd: ") + std::strerror(errno));
  return StateMemory(std::move(fd));
}

bool StateMemory::append(std::string_view bytes) {
  if (!write_at(fd_.get(), bytes, bytes_)) return false;
  bytes_ += bytes.size();
  return true;
}

bool StateMemory::overwrite_front(std::string_view bytes) {
  return write_at(fd_.get(), bytes, 0);
}

bool StateMemory::seal() {
  return ::fcntl(fd_.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) == 0;
}

Result<MappedState> MappedState::open(UniqueFd fd) {
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals)
    return fail(ErrorCode::kInvalid, "it is not sealed memory");
  struct stat what {};
  if (::fstat(fd.get(), &what) != 0 || what.st_size <= 0)
    return fail(ErrorCode::kInvalid, "it is empty");
  const auto bytes = static_cast<std::size_t>(what.st_size);
  void* data = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return fail(ErrorCode::kSystem, std::strerror(errno));
  return MappedState(data, bytes);
}

MappedState::~MappedState() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace sluice::relay
