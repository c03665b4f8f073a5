// The commands of one batch, one after the other or all at once. Pure.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "relay/api/api_error.h"
#include "relay/api/requests.h"

namespace sluice::relay::api {

/// Owned by the requests that are under way.
class BatchRun : public std::enable_shared_from_this<BatchRun> {
 public:
  using Done = std::function<void(const ApiReply&)>;
  /// Does one command.
  using Call = std::function<void(ApiMethod, std::string_view params, Done)>;

  BatchRun(BatchParams params, Call call, Done done);
  void start();

 private:
  void run_all();
  /// As many as end at once, then until one that does not.
  void run_next();
  void begin(std::size_t index);
  void ended(std::size_t index, const ApiReply& reply);
  [[nodiscard]] bool finished() const { return missing_ == 0; }

  const BatchParams params_;
  const Call call_;
  const Done done_;
  std::vector<std::string> replies_;
  std::size_t missing_;
  std::size_t next_ = 0;
  std::size_t bytes_ = 0;
  bool running_ = false;
};

}  // namespace sluice::relay::api
