// Prometheus text format, reader.
#include "tests/process/support/metrics.h"

#include <sstream>

#include "tests/process/support/http.h"

namespace sluice::test {
namespace {

std::string name_of(const std::string& sample) {
  return sample.substr(0, sample.find('{'));
}

}  // namespace

Metrics Metrics::parse(const std::string& text) {
  Metrics metrics;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string hash;
    std::string kind;
    std::string name;
    std::string type;
    if (line.rfind("# ", 0) == 0) {
      words >> hash >> kind >> name >> type;
      if (kind == "TYPE" && !metrics.types_.emplace(name, type).second) {
        throw HarnessError("family twice in one scrape: " + name);
      }
      if (kind == "HELP") metrics.helps_.insert(name);
      continue;
    }
    if (line.empty()) continue;
    const std::size_t brace = line.rfind('}');
    const std::size_t space = line.find(' ', brace == std::string::npos ? 0 : brace);
    if (space == std::string::npos) throw HarnessError("not a sample: " + line);
    if (!metrics.samples_.emplace(line.substr(0, space), std::stod(line.substr(space + 1)))
             .second) {
      throw HarnessError("sample twice in one scrape: " + line);
    }
  }
  return metrics;
}

Metrics Metrics::scrape(const Endpoint& admin) {
  const HttpResponse response = http_get(admin, "/metrics");
  if (response.status != 200) throw HarnessError("/metrics: " + std::to_string(response.status));
  return parse(response.body);
}

double Metrics::value(const std::string& name, const std::string& label) const {
  double sum = 0;
  for (const auto& [sample, figure] : samples_) {
    if (name_of(sample) != name) continue;
    if (!label.empty() && sample.find(label) == std::string::npos) continue;
    sum += figure;
  }
  return sum;
}

bool Metrics::has(const std::string& name) const {
  for (const auto& entry : samples_) {
    if (name_of(entry.first) == name) return true;
  }
  return false;
}

}  // namespace sluice::test
