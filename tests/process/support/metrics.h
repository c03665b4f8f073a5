// Reads the Prometheus text format: what a scrape of a daemon says.
#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/process/support/socket.h"

namespace sluice::test {

class Metrics {
 public:
  static Metrics parse(const std::string& text);
  static Metrics scrape(const Endpoint& admin);

  /// Sum over all label sets of `name`; with `label` (such as `reason="slow"`) over those that have
  /// it. 0 when absent.
  [[nodiscard]] double value(const std::string& name, const std::string& label = "") const;
  [[nodiscard]] bool has(const std::string& name) const;
  /// Family names of `# TYPE` lines.
  [[nodiscard]] const std::map<std::string, std::string>& types() const { return types_; }
  /// Family names of `# HELP` lines.
  [[nodiscard]] const std::set<std::string>& helps() const { return helps_; }
  /// Sample name with labels → value.
  [[nodiscard]] const std::map<std::string, double>& samples() const { return samples_; }

 private:
  std::map<std::string, double> samples_;
  std::map<std::string, std::string> types_;
  std::set<std::string> helps_;
};

}  // namespace sluice::test
