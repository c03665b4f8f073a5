// The text that Prometheus reads.
#include "common/metrics.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <sstream>

#include "common/unique_fd.h"

namespace sluice {
namespace {

bool has_line(const std::string& text, const std::string& wanted) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == wanted) return true;
  }
  return false;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

double value_of(const std::string& text, const std::string& name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  ADD_FAILURE() << "no " << name << " in\n" << text;
  return -1;
}

TEST(MetricsPage, WritesCountersAndGauges) {
  MetricsPage page;
  page.counter("x_messages_total", "Messages.", {}, [] { return 7.0; });
  page.gauge("x_clients", "Clients.", {}, [] { return 3.0; });
  const std::string text = page.text();
  EXPECT_TRUE(has_line(text, "# HELP x_messages_total Messages.")) << text;
  EXPECT_TRUE(has_line(text, "# TYPE x_messages_total counter")) << text;
  EXPECT_TRUE(has_line(text, "x_messages_total 7")) << text;
  EXPECT_TRUE(has_line(text, "# TYPE x_clients gauge")) << text;
  EXPECT_TRUE(has_line(text, "x_clients 3")) << text;
}

TEST(MetricsPage, JoinsOneNameIntoOneFamily) {
  MetricsPage page;
  page.counter("x_closes_total", "Closes.", {{"reason", "idle"}}, [] { return 1.0; });
  page.gauge("x_clients", "Clients.", {}, [] { return 3.0; });
  page.counter("x_closes_total", "Closes.", {{"reason", "too_big"}}, [] { return 2.0; });
  const std::string text = page.text();
  EXPECT_EQ(count_of(text, "# TYPE x_closes_total"), 1U) << text;
  EXPECT_TRUE(has_line(text, R"(x_closes_total{reason="idle"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(x_closes_total{reason="too_big"} 2)")) << text;
}

TEST(MetricsPage, EscapesLabelValues) {
  MetricsPage page;
  page.gauge("x", "X.", {{"v", "a\"b\\c\nd"}}, [] { return 1.0; });
  EXPECT_TRUE(has_line(page.text(), R"(x{v="a\"b\\c\nd"} 1)")) << page.text();
}

TEST(MetricsPage, KeepsLargeCountsExact) {
  MetricsPage page;
  page.counter("x_total", "X.", {}, [] { return 9007199254740991.0; });
  EXPECT_EQ(value_of(page.text(), "x_total"), 9007199254740991.0) << page.text();
}

TEST(MetricsPage, WritesHistogramsCumulatively) {
  HistogramData data({0.001, 0.01, 0.1});
  for (const double v : {0.0005, 0.001, 0.002, 0.05, 5.0}) data.observe(v);
  EXPECT_EQ(data.counts(), (std::vector<std::uint64_t>{2, 1, 1, 1}))
      << "a bound belongs to its bucket";
  EXPECT_DOUBLE_EQ(data.sum(), 5.0535);

  MetricsPage page;
  page.histogram("x_seconds", "X.", data);
  const std::string text = page.text();
  EXPECT_TRUE(has_line(text, "# TYPE x_seconds histogram")) << text;
  EXPECT_TRUE(has_line(text, R"(x_seconds_bucket{le="0.001"} 2)")) << text;
  EXPECT_TRUE(has_line(text, R"(x_seconds_bucket{le="0.01"} 3)")) << text;
  EXPECT_TRUE(has_line(text, R"(x_seconds_bucket{le="0.1"} 4)")) << text;
  EXPECT_TRUE(has_line(text, R"(x_seconds_bucket{le="+Inf"} 5)")) << text;
  EXPECT_TRUE(has_line(text, "x_seconds_count 5")) << text;
}

TEST(MetricsPage, SaysWhichBuildThisIs) {
  MetricsPage page;
  add_build_info(page, "gateway");
  EXPECT_TRUE(has_line(page.text(),
                       R"(sluice_build_info{program="gateway",version=")" SLUICE_VERSION R"("} 1)"))
      << page.text();
}

std::string process_text() {
  MetricsPage page;
  add_process_metrics(page, "x_");
  return page.text();
}

TEST(ProcessMetrics, AreOfThisProcess) {
  const std::string text = process_text();
  EXPECT_GE(value_of(text, "x_process_cpu_seconds_total"), 0);
  EXPECT_GT(value_of(text, "x_process_resident_memory_bytes"), 100'000);
  EXPECT_GE(value_of(text, "x_process_virtual_memory_bytes"),
            value_of(text, "x_process_resident_memory_bytes"));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(value_of(text, "x_process_max_fds"), static_cast<double>(limit.rlim_cur));
  const auto now = static_cast<double>(std::time(nullptr));
  EXPECT_LE(value_of(text, "x_process_start_time_seconds"), now + 2);
  EXPECT_GT(value_of(text, "x_process_start_time_seconds"), now - 3600);
}

TEST(ProcessMetrics, CountDescriptors) {
  const double before = value_of(process_text(), "x_process_open_fds");
  const UniqueFd one(::dup(2));
  const UniqueFd two(::dup(2));
  EXPECT_EQ(value_of(process_text(), "x_process_open_fds"), before + 2);
}

}  // namespace
}  // namespace sluice
