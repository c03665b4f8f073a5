#include "tests/process/support/baseline.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tests/process/support/metrics.h"

namespace sluice::test {

Baseline::Baseline(const Process& process, const Endpoint& admin, std::vector<std::string> gauges)
    : process_(process), admin_(admin) {
  const Metrics metrics = Metrics::scrape(admin_);
  for (std::string& name : gauges) {
    if (!metrics.has(name)) throw HarnessError("no gauge " + name);
    const double value = metrics.value(name);
    gauges_.emplace(std::move(name), value);
  }
  // The scrape's own connection is still being closed.
  descriptors_ = process_.fd_count();
  (void)eventually(200ms, [&] {
    descriptors_ = std::min(descriptors_, process_.fd_count());
    return false;
  });
  bytes_ = process_.anonymous_bytes();
}

std::string Baseline::difference() const {
  std::string text;
  const Metrics metrics = Metrics::scrape(admin_);
  for (const auto& [name, value] : gauges_) {
    if (metrics.value(name) != value) {
      text += " " + name + " is " + std::to_string(metrics.value(name)) + ", was " +
              std::to_string(value) + ";";
    }
  }
  const auto at_base = [&] { return process_.fd_count() <= descriptors_; };
  if (!eventually(200ms, at_base)) {
    text += " " + std::to_string(process_.fd_count()) + " descriptors, were " +
            std::to_string(descriptors_) + ";";
  }
  return text;
}

::testing::AssertionResult Baseline::returned(Millis wait) const {
  std::string left;
  if (eventually(wait, [&] { return (left = difference()).empty(); })) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << left;
}

::testing::AssertionResult Baseline::memory_within(std::uint64_t slack_bytes) const {
  if (sanitized()) return ::testing::AssertionSuccess();
  const std::uint64_t now = process_.anonymous_bytes();
  if (now <= bytes_ + slack_bytes) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << now << " bytes, were " << bytes_ << ", allowed beyond them " << slack_bytes;
}

void twice(const Process& process, const Endpoint& admin, const std::vector<std::string>& gauges,
           std::uint64_t slack_bytes, const std::function<void()>& round) {
  // Connections of what came before may still be ending.
  std::optional<Baseline> before;
  for (const Deadline deadline = Deadline::in(30s); !deadline.passed();) {
    before.emplace(process, admin, gauges);
    observe_for(700ms);
    if (before->difference().empty()) break;
  }
  round();
  ASSERT_TRUE(before->returned()) << "after the first round";
  const Baseline base(process, admin, gauges);
  round();
  EXPECT_TRUE(base.returned()) << "after the second round";
  EXPECT_TRUE(base.memory_within(slack_bytes)) << "after the second round";
}

}  // namespace sluice::test
