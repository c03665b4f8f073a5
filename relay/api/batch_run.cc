#include "relay/api/batch_run.h"

#include <utility>

#include "relay/api/answers.h"
#include "relay/api/gather.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

/// {"publish":{…}} or {"error":{…}}
std::string command_json(ApiMethod method, const ApiReply& reply) {
  if (reply.failed()) return error_json(reply.error);
  return "{\"" + std::string(name_of(method)) + "\":" + reply.result + "}";
}

}  // namespace

BatchRun::BatchRun(BatchParams params, Call call, Done done)
    : params_(std::move(params)),
      call_(std::move(call)),
      done_(std::move(done)),
      replies_(params_.commands.size()),
      missing_(params_.commands.size()) {
}

void BatchRun::start() {
  if (finished()) return done_({{}, "{\"replies\":[]}"});
  if (params_.parallel) {
    run_all();
  } else {
    run_next();
  }
}

void BatchRun::run_all() {
  for (std::size_t i = 0; i < params_.commands.size(); ++i) begin(i);
}

void BatchRun::run_next() {
  // A command that ends at once comes back here from ended(): a loop, or a thousand of them would
  // stand on the stack.
  if (std::exchange(running_, true)) return;
  const std::size_t count = params_.commands.size();
  while (next_ < count && count - next_ == missing_) begin(next_++);
  running_ = false;
}

void BatchRun::begin(std::size_t index) {
  const ApiResult<BatchCommand>& command = params_.commands[index];
  if (!command) return ended(index, {command.error(), {}});
  call_(command->method, command->params,
        [self = shared_from_this(), index](const ApiReply& reply) { self->ended(index, reply); });
}

void BatchRun::ended(std::size_t index, const ApiReply& reply) {
  const ApiResult<BatchCommand>& command = params_.commands[index];
  std::string text = command ? command_json(command->method, reply) : error_json(command.error());
  // A thousand histories do not fit one answer.
  if (bytes_ + text.size() > kBatchBytesMax)
    text = error_json({ErrorNumber::kTooManyRequests, "the batch's answer is too large"});
  bytes_ += text.size();
  replies_[index] = std::move(text);
  --missing_;
  if (finished()) return done_({{}, "{\"replies\":" + json_array(replies_) + "}"});
  if (!params_.parallel) run_next();
}

}  // namespace sluice::relay::api
