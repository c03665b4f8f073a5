// The relay's status (docs/STATUS.md) as lines for a person. Pure. Takes what another release's
// relay leaves out, or adds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/failure.h"

namespace sluice::ctl {

struct ViewOptions {
  std::string address;    ///< of the relay
  std::size_t width = 0;  ///< 0: no bound
  bool colours = false;
};

/// Fails on what is not JSON, or of a format that we do not know.
[[nodiscard]] Outcome<std::vector<std::string>> status_lines(std::string_view json,
                                                             const ViewOptions& options);
/// The same for programs, with the relay's address; `indent` -1: on one line. ASCII alone, so that
/// no name does anything to a terminal.
[[nodiscard]] Outcome<std::string> status_json(std::string_view json, const std::string& address,
                                               int indent);

}  // namespace sluice::ctl
