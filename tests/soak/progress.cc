// Progress lines.
#include "tests/soak/progress.h"

#include <unistd.h>

#include <cstdio>

namespace sluice::soak {
namespace {

using namespace std::chrono_literals;

constexpr auto kEveryInPlace = 2s;
constexpr auto kEveryLine = 30s;

}  // namespace

Progress::Mode Progress::fitting() {
  return ::isatty(STDERR_FILENO) != 0 ? Mode::kInPlace : Mode::kLines;
}

void Progress::show(const std::function<std::string()>& text) {
  const auto now = test::SteadyClock::now();
  if (mode_ == Mode::kOff || now < next_) return;
  const bool in_place = mode_ == Mode::kInPlace;
  next_ = now + (in_place ? test::Millis(kEveryInPlace) : test::Millis(kEveryLine));
  std::fprintf(stderr, in_place ? "\r\033[K%s" : "%s\n", text().c_str());
  std::fflush(stderr);
  on_line_ = in_place;
}

void Progress::end() {
  if (on_line_) std::fputc('\n', stderr);
  on_line_ = false;
}

}  // namespace sluice::soak
