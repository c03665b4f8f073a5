#include "common/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"

namespace sluice {
namespace {

constexpr std::size_t kMebibyte = 1U << 20U;

std::string bound_text(std::size_t bytes) {
  if (bytes % kMebibyte == 0) return std::to_string(bytes / kMebibyte) + " MiB";
  return std::to_string(bytes / 1024) + " KiB";
}

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail(ErrorCode::kSystem, std::strerror(errno));
  std::string text;
  std::array<char, 16384> chunk;
  while (text.size() <= bytes_max) {
    const ssize_t n = ::read(fd.get(), chunk.data(), chunk.size());
    if (n == 0) return text;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(ErrorCode::kSystem, std::strerror(errno));
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  return fail(ErrorCode::kTooLarge, "such a file has at most " + bound_text(bytes_max));
}

bool is_world_readable(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

}  // namespace sluice
