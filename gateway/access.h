// What clients may do here: the channels' rules and the keys of their tokens, from the files that
// the flags name. Read at the start and again on SIGHUP, when a file that is wrong changes nothing.
// Pure but for reading them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/rules/rules.h"
#include "common/tokens/tokens.h"

namespace sluice::gateway {

struct AccessOptions {
  std::string rules_file;
  bool open_access = false;
  TokenKeyOptions tokens;

  /// There are rules: the Centrifuge protocol is served, and plain clients follow them.
  [[nodiscard]] bool governed() const { return open_access || !rules_file.empty(); }
  [[nodiscard]] bool has_key_files() const {
    return !tokens.key_file.empty() || !tokens.jwks_file.empty();
  }
};

/// Counters, never reset: readings after the first.
struct AccessStats {
  std::uint64_t rules_read = 0;
  std::uint64_t rules_refused = 0;
  std::uint64_t keys_read = 0;
  std::uint64_t keys_refused = 0;
};

class Access {
 public:
  explicit Access(AccessOptions options);

  /// Once, before anything is served. An error names the flag and the file.
  [[nodiscard]] Result<void> load();
  /// Again. A line for each file that is wrong, whose rules or keys of before stay.
  [[nodiscard]] std::vector<std::string> reload();
  /// For the log: what there is, and what somebody should look at.
  [[nodiscard]] std::vector<std::string> summary() const;
  [[nodiscard]] std::vector<std::string> warnings() const;

  /// Null: no rules, and plain clients alone, who may do anything.
  [[nodiscard]] const RulesStore* rules() const { return options_.governed() ? &rules_ : nullptr; }
  [[nodiscard]] const TokenVerifier& tokens() const { return tokens_; }
  [[nodiscard]] const AccessStats& stats() const { return stats_; }

 private:
  [[nodiscard]] Result<void> read_rules();
  [[nodiscard]] Result<void> read_keys();

  const AccessOptions options_;
  RulesStore rules_;
  TokenVerifier tokens_;
  AccessStats stats_;
};

}  // namespace sluice::gateway
