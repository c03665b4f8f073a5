// Standard output as the commands see it: written without ever standing still for a signal, with
// or without colours, as wide as the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/failure.h"
#include "ctl/interrupts.h"

namespace sluice::ctl {

class Console {
 public:
  /// `watch_output`: the end of who reads our output ends waiting.
  explicit Console(bool watch_output);

  [[nodiscard]] Interrupts& interrupts() { return interrupts_; }
  [[nodiscard]] bool is_terminal() const { return terminal_; }
  /// On a terminal, unless NO_COLOR or TERM=dumb speak against it.
  [[nodiscard]] bool colours() const { return colours_; }
  struct Size {
    std::size_t columns = 80;
    std::size_t rows = 24;
  };
  /// Of the terminal now.
  [[nodiscard]] static Size size();

  /// All of it. False: end with exit_code(): the reader is gone, a signal came, or it can't be
  /// written (which has been said).
  [[nodiscard]] bool write(std::string_view text);
  [[nodiscard]] ExitCode exit_code() const { return exit_code_; }

 private:
  Interrupts interrupts_;
  bool terminal_;
  bool colours_;
  ExitCode exit_code_ = ExitCode::kOk;
};

/// One line on standard error, "sluice: …"; nothing in it reaches a terminal raw.
void complain(std::string_view message);

/// The other screen of the terminal without a cursor, for what is drawn again and again; the first
/// one is back when this ends.
class FullScreen {
 public:
  explicit FullScreen(Console& console);
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  /// Draws over what was there, so that nothing flickers. `lines` beyond the screen are left out.
  [[nodiscard]] bool draw(const std::vector<std::string>& lines);

 private:
  Console& console_;
};

}  // namespace sluice::ctl
