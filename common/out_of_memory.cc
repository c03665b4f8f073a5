#include "common/out_of_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <new>

namespace sluice {
namespace {

constexpr int kExitFailure = 1;
constexpr const char* kText =
    ": out of memory: ended at once; give it more, or lower the bounds that --help shows\n";

const char* program_name = "sluice";

iovec piece(const char* text) {
  return {const_cast<char*>(text), std::strlen(text)};
}

/// Allocates nothing.
void on_out_of_memory() {
  const std::array<iovec, 2> line = {piece(program_name), piece(kText)};
  const ssize_t written = ::writev(STDERR_FILENO, line.data(), line.size());
  static_cast<void>(written);
  ::_exit(kExitFailure);
}

}  // namespace

void end_when_out_of_memory(const char* program) {
  program_name = program;
  std::set_new_handler(on_out_of_memory);
}

}  // namespace sluice
