#include "common/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace sluice {
namespace {

/// From /proc/self: 0 where it can't be read.
struct ProcessFigures {
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_descriptors = 0;
  double start_time_seconds = 0;
};

double boot_time_seconds() {
  std::ifstream stat("/proc/stat");
  for (std::string key; stat >> key;) {
    double value = 0;
    if (key == "btime" && stat >> value) return value;
    stat.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

ProcessFigures read_process() {
  ProcessFigures figures;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  double virtual_pages = 0;
  double resident_pages = 0;
  if (std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages) {
    figures.virtual_bytes = virtual_pages * page;
    figures.resident_bytes = resident_pages * page;
  }
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++figures.open_descriptors;
  }
  // Less the one that lists them.
  figures.open_descriptors = std::max(0.0, figures.open_descriptors - 1);
  std::string stat;
  std::getline(std::ifstream("/proc/self/stat"), stat);
  // The command's name in parentheses may hold anything; fields are counted behind it. Start time
  // is field 22.
  if (const auto behind = stat.rfind(')'); behind != std::string::npos) {
    std::istringstream fields(stat.substr(behind + 2));
    std::string field;
    for (int i = 3; i <= 22; ++i) fields >> field;
    figures.start_time_seconds =
        boot_time_seconds() +
        std::strtod(field.c_str(), nullptr) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  return figures;
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double descriptors_max() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

void HistogramData::observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
}

struct MetricsPage::Impl {
  std::vector<prometheus::MetricFamily> families;

  prometheus::ClientMetric& add(const std::string& name, const std::string& help,
                                prometheus::MetricType type, const MetricLabels& labels) {
    auto family = std::find_if(families.begin(), families.end(),
                               [&](const auto& f) { return f.name == name; });
    if (family == families.end()) {
      families.push_back({});
      family = std::prev(families.end());
      family->name = name;
      family->help = help;
      family->type = type;
    }
    family->metric.emplace_back();
    for (const auto& [key, value] : labels) family->metric.back().label.push_back({key, value});
    return family->metric.back();
  }
};

MetricsPage::MetricsPage() : impl_(std::make_unique<Impl>()) {
}
MetricsPage::~MetricsPage() = default;

void MetricsPage::counter(const std::string& name, const std::string& help,
                          const MetricLabels& labels, const std::function<double()>& value) {
  impl_->add(name, help, prometheus::MetricType::Counter, labels).counter.value = value();
}

void MetricsPage::gauge(const std::string& name, const std::string& help,
                        const MetricLabels& labels, const std::function<double()>& value) {
  impl_->add(name, help, prometheus::MetricType::Gauge, labels).gauge.value = value();
}

void MetricsPage::histogram(const std::string& name, const std::string& help,
                            const HistogramData& data) {
  auto& histogram = impl_->add(name, help, prometheus::MetricType::Histogram, {}).histogram;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < data.counts().size(); ++i) {
    cumulative += data.counts()[i];
    const double bound =
        i < data.bounds().size() ? data.bounds()[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({cumulative, bound});
  }
  histogram.sample_count = cumulative;
  histogram.sample_sum = data.sum();
}

std::string MetricsPage::text() const {
  return prometheus::TextSerializer().Serialize(impl_->families);
}

void add_build_info(MetricsPage& page, const std::string& program) {
  page.gauge("sluice_build_info", "Which program this is, in which version.",
             {{"program", program}, {"version", SLUICE_VERSION}}, [] { return 1.0; });
}

void add_process_metrics(MetricsPage& page, const std::string& prefix) {
  const ProcessFigures figures = read_process();
  page.counter(prefix + "process_cpu_seconds_total", "User and system CPU time.", {}, cpu_seconds);
  page.gauge(prefix + "process_resident_memory_bytes", "Resident memory.", {},
             [&] { return figures.resident_bytes; });
  page.gauge(prefix + "process_virtual_memory_bytes", "Virtual memory.", {},
             [&] { return figures.virtual_bytes; });
  page.gauge(prefix + "process_open_fds", "Descriptors open.", {},
             [&] { return figures.open_descriptors; });
  page.gauge(prefix + "process_max_fds", "Descriptors allowed.", {}, descriptors_max);
  page.gauge(prefix + "process_start_time_seconds", "Start, in seconds since 1970.", {},
             [&] { return figures.start_time_seconds; });
}

}  // namespace sluice
