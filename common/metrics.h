// A page of metrics in the Prometheus text format. Counters live as plain numbers where they are
// counted; the page is built when it is asked for, through prometheus-cpp's own families and
// serializer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sluice {

/// Counts per bucket; what a histogram metric is made from.
class HistogramData {
 public:
  /// Upper bounds, ascending; the last bucket (infinity) is implied.
  explicit HistogramData(std::vector<double> bounds)
      : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}
  void observe(double value);

  [[nodiscard]] const std::vector<double>& bounds() const { return bounds_; }
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  [[nodiscard]] double sum() const { return sum_; }

 private:
  std::vector<double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

using MetricLabels = std::map<std::string, std::string>;

class MetricsPage {
 public:
  MetricsPage();
  ~MetricsPage();
  MetricsPage(const MetricsPage&) = delete;
  MetricsPage& operator=(const MetricsPage&) = delete;

  /// The same name again with other labels joins the family.
  void counter(const std::string& name, const std::string& help, const MetricLabels& labels,
               const std::function<double()>& value);
  void gauge(const std::string& name, const std::string& help, const MetricLabels& labels,
             const std::function<double()>& value);
  void histogram(const std::string& name, const std::string& help, const HistogramData& data);
  [[nodiscard]] std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// sluice_build_info{program, version} 1
void add_build_info(MetricsPage& page, const std::string& program);
/// CPU seconds, resident and virtual bytes, descriptors open and allowed, start time, under
/// `prefix` + "process_…".
void add_process_metrics(MetricsPage& page, const std::string& prefix);

}  // namespace sluice
