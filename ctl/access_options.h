// What the command line says to `check` and `token`: commands about files, which need no relay.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/tokens/algorithm.h"
#include "common/tokens/tokens.h"

namespace sluice::ctl {

struct CheckOptions {
  std::string rules_file;
  TokenKeyOptions keys;
  bool json = false;
};

struct TokenMakeOptions {
  std::string key_file;
  std::string key_id;  ///< of the file's key; empty: the first that fits
  std::optional<TokenAlgorithm> algorithm;
  std::string user;
  std::string channel;                ///< a subscription token; empty: a connection token
  std::vector<std::string> channels;  ///< that the server subscribes it to
  Duration expires = std::chrono::hours(1);
  bool never_expires = false;
  std::string info;    ///< JSON, checked; empty: none
  std::string claims;  ///< a JSON object, checked: more of them; empty: none
  std::string audience;
  std::string issuer;
  bool json = false;
};

struct TokenInspectOptions {
  std::optional<std::string> token;  ///< none: standard input
  TokenKeyOptions keys;
  bool json = false;
};

// As those of ctl/options.h.
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, CheckOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, TokenMakeOptions& options);
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, TokenInspectOptions& options);

/// What `sluice token --help` says.
[[nodiscard]] const char* token_help_text();

}  // namespace sluice::ctl
