#include "ctl/console.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ctl/text.h"

namespace sluice::ctl {
namespace {

/// What a pipe that is ready takes without standing still (PIPE_BUF).
constexpr std::size_t kWriteBytesMax = 4096;

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
/// Terminals that know it show a frame only when it is whole; the others ignore it.
constexpr std::string_view kFrameBegin = "\x1b[?2026h\x1b[H";
constexpr std::string_view kFrameEnd = "\x1b[J\x1b[?2026l";

bool wants_colours() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

}  // namespace

Console::Console(bool watch_output)
    : interrupts_(watch_output ? STDOUT_FILENO : -1),
      terminal_(::isatty(STDOUT_FILENO) == 1),
      colours_(terminal_ && wants_colours()) {
}

Console::Size Console::size() {
  Size size;
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0) return size;
  if (window.ws_col > 0) size.columns = window.ws_col;
  if (window.ws_row > 0) size.rows = window.ws_row;
  return size;
}

bool Console::write(std::string_view text) {
  while (!text.empty()) {
    // A reader that stands still must not keep us from ending.
    switch (interrupts_.wait(STDOUT_FILENO, POLLOUT, kForEver)) {
      case Wake::kEnded:
      case Wake::kOutputGone:
        exit_code_ = ExitCode::kOk;
        return false;
      case Wake::kReady:
        break;
      default:
        continue;
    }
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), std::min(text.size(), kWriteBytesMax));
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EPIPE) {
      exit_code_ = ExitCode::kOk;
      return false;
    } else if (errno != EINTR && errno != EAGAIN) {
      complain(std::string("can't write to standard output: ") + std::strerror(errno));
      exit_code_ = ExitCode::kFailed;
      return false;
    }
  }
  return true;
}

void complain(std::string_view message) {
  std::fprintf(stderr, "sluice: %s\n", visible(message).c_str());
}

FullScreen::FullScreen(Console& console) : console_(console) {
  (void)console_.write(kEnter);
}

FullScreen::~FullScreen() {
  // Also after a signal, when the console takes nothing any more.
  [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, kLeave.data(), kLeave.size());
}

bool FullScreen::draw(const std::vector<std::string>& lines) {
  const std::size_t rows = Console::size().rows;
  const std::size_t shown = std::min(lines.size(), rows);
  std::string frame(kFrameBegin);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) frame += "\r\n";
    frame.append(lines[i]).append("\x1b[K");
  }
  frame.append(kFrameEnd);
  return console_.write(frame);
}

}  // namespace sluice::ctl
