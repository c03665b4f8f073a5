// How the tool ends: exit codes, and what went wrong in one line for a person.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace sluice::ctl {

/// Part of the interface: scripts tell outcomes apart by them. `sluice --help` lists them.
enum class ExitCode {
  kOk = 0,
  kFailed = 1,  ///< this side: output can't be written, input can't be read
  kUsage = 2,
  kNoRelay = 3,       ///< nobody there, no answer, link lost
  kNoPermission = 4,  ///< by the socket's mode or by the relay's --allow-uid
  kLinkRefused = 5,   ///< too old or too new for each other, too many tools, no relay at all
  kRefused = 6,       ///< publish, tail: the relay says no, and why
  kUnknownFate = 7,   ///< publish: sent, and nobody knows what became of it

  kFindings = 1,    ///< haproxy-lint, check, token inspect: there is something to mend
  kUnreadable = 2,  ///< the same: a file can't be read, or the gateway not be asked
};

struct Failure {
  ExitCode code = ExitCode::kFailed;
  std::string message;
  std::string remedy;  ///< what the user can do, a sentence; may be empty

  /// One line for who has to act on it.
  [[nodiscard]] std::string text() const {
    return remedy.empty() ? message : message + ". " + remedy;
  }
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

[[nodiscard]] inline tl::unexpected<Failure> failure(ExitCode code, std::string message,
                                                     std::string remedy = {}) {
  return tl::make_unexpected(Failure{code, std::move(message), std::move(remedy)});
}

}  // namespace sluice::ctl
