#include "keeper/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace sluice::keeper {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kTotalBytesMax = std::uint64_t{1} << 40U;

[[nodiscard]] std::uint64_t whole_pages(std::uint64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

[[nodiscard]] tl::unexpected<Error> system_error(const char* what) {
  return fail(ErrorCode::kSystem, std::string(what) + ": " + std::strerror(errno));
}

/// Lies inside, behind `from`, without an overflow.
[[nodiscard]] bool fits(std::uint64_t at, std::uint64_t count, std::uint64_t each,
                        std::uint64_t from, std::uint64_t total) {
  return at >= from && at <= total && at % kArenaUnit == 0 && count <= (total - at) / each;
}

[[nodiscard]] const char* fault_of(const StateHeader& header, std::uint64_t total) {
  if (header.magic != kStateMagic) return "no state of a gateway";
  if (header.version != kStateVersion) return "state of another version";
  if (header.slot_bytes != sizeof(Slot)) return "slots of another size";
  if (header.total_bytes != total) return "not as large as it says";
  if (!fits(header.slots_at, header.slots, sizeof(Slot), sizeof(StateHeader), total) ||
      !fits(header.views_at, header.views, sizeof(View), sizeof(StateHeader), total) ||
      !fits(header.arena_at, header.arena_bytes, 1, sizeof(StateHeader), total))
    return "a region outside of it";
  if (header.link_now > 1) return "a copy that does not exist";
  return nullptr;
}

}  // namespace

Result<SharedState> SharedState::create(const StateSize& size) {
  StateHeader header;
  header.version = kStateVersion;
  header.slots = size.slots;
  header.views = size.views;
  header.arena_bytes = size.arena_bytes / kArenaUnit * kArenaUnit;
  header.slots_at = whole_pages(sizeof(StateHeader));
  header.views_at = header.slots_at + whole_pages(std::uint64_t{size.slots} * sizeof(Slot));
  header.arena_at = header.views_at + whole_pages(std::uint64_t{size.views} * sizeof(View));
  header.total_bytes = header.arena_at + whole_pages(header.arena_bytes);
  UniqueFd memfd(::memfd_create("sluice-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd.valid()) return system_error("memfd_create");
  if (::ftruncate(memfd.get(), static_cast<off_t>(header.total_bytes)) != 0)
    return system_error("ftruncate of the state");
  if (::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0)
    return system_error("sealing the state");
  void* base = ::mmap(nullptr, header.total_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, memfd.get(), 0);
  if (base == MAP_FAILED) return system_error("mmap of the state");
  auto* made = new (base) StateHeader(header);
  publish(made->magic, kStateMagic);
  return SharedState(std::move(memfd), static_cast<std::byte*>(base), header.total_bytes);
}

Result<SharedState> SharedState::open(UniqueFd memfd) {
  struct stat status {};
  if (::fstat(memfd.get(), &status) != 0) return system_error("fstat of the state");
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes < sizeof(StateHeader) || bytes > kTotalBytesMax)
    return fail(ErrorCode::kInvalid, "no state of a gateway: " + std::to_string(bytes) + " bytes");
  // One that could shrink would end whoever looks at it.
  const int seals = ::fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
    return fail(ErrorCode::kInvalid, "no state of a gateway: not sealed");
  void* base =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd.get(), 0);
  if (base == MAP_FAILED) return system_error("mmap of the state");
  SharedState state(std::move(memfd), static_cast<std::byte*>(base), bytes);
  if (const char* fault = fault_of(state.header(), bytes); fault != nullptr)
    return fail(ErrorCode::kInvalid, fault);
  state.point();
  return state;
}

SharedState::SharedState(UniqueFd memfd, std::byte* base, std::size_t bytes)
    : memfd_(std::move(memfd)),
      base_(base),
      bytes_(bytes),
      header_(std::launder(reinterpret_cast<StateHeader*>(base))) {
  if (header_->magic == kStateMagic && header_->total_bytes == bytes) point();
}

void SharedState::point() {
  const StateHeader& header = *header_;
  if (fault_of(header, bytes_) != nullptr) return;
  slots_ = {std::launder(reinterpret_cast<Slot*>(base_ + header.slots_at)), header.slots};
  views_ = {std::launder(reinterpret_cast<View*>(base_ + header.views_at)), header.views};
  arena_ = {base_ + header.arena_at, header.arena_bytes};
}

SharedState::SharedState(SharedState&& other) noexcept {
  *this = std::move(other);
}

SharedState& SharedState::operator=(SharedState&& other) noexcept {
  if (this == &other) return *this;
  if (base_ != nullptr) ::munmap(base_, bytes_);
  memfd_ = std::move(other.memfd_);
  base_ = std::exchange(other.base_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  header_ = std::exchange(other.header_, nullptr);
  slots_ = std::exchange(other.slots_, {});
  views_ = std::exchange(other.views_, {});
  arena_ = std::exchange(other.arena_, {});
  return *this;
}

SharedState::~SharedState() {
  if (base_ != nullptr) ::munmap(base_, bytes_);
}

}  // namespace sluice::keeper
