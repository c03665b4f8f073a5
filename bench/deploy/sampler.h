// Looks at the whole once a second, on a thread of its own: HAProxy's and the gateways' own figures
// and everybody's CPU. Says on stderr how the run goes.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "bench/deploy/load.h"
#include "bench/deploy/stage.h"

namespace sluice::bench {

class Sampler {
 public:
  Sampler(Stage& stage, const LoadView& load, TimePoint began, std::string title);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

  /// What the progress line says is being done.
  void phase(const std::string& text);
  /// Ends the thread.
  [[nodiscard]] std::vector<Sample> take();

 private:
  void run();
  void look(Sample& sample);
  void look_at_balancer(Sample& sample);
  void look_at_cpu(Sample& sample);
  void look_at_others(Sample& sample, double us);
  void say(const Sample& sample);
  void end();

  Stage& stage_;
  const LoadView& load_;
  TimePoint began_;
  std::string title_;
  bool in_place_;
  std::mutex mutex_;
  std::string phase_;
  std::vector<Sample> samples_;
  std::map<std::pair<std::string, pid_t>, std::int64_t> cpu_us_;  ///< as of the last look
  TimePoint last_look_;
  std::int64_t busy_us_ = 0;  ///< the whole machine's, as of the last look
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sluice::bench
