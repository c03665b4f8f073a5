#include "gateway/handoff/upgrade_check.h"

#include <utility>

#include "common/units.h"
#include "gateway/limits.h"

namespace sluice::gateway {

UpgradeCheck::UpgradeCheck(EventLoop& loop, const Program& program)
    : loop_(loop), program_(program), deadline_(loop, [this] {
        report(fail(ErrorCode::kUnavailable, program_.path() + " --check took longer than " +
                                                 format_duration(kProgramCheckWait)));
      }) {
}

Result<void> UpgradeCheck::start(OnChecked checked) {
  if (child_) return fail(ErrorCode::kInUse, "the program is being checked already");
  auto child = ProgramCheck::start(program_);
  if (!child) return tl::make_unexpected(child.error());
  child_.emplace(std::move(*child));
  checked_ = std::move(checked);
  ended_.emplace(loop_, child_->fd(), [this](IoEvents) {
    ended_.reset();  // before the descriptor that it watches is closed
    report(child_->result());
  });
  ended_->watch(kIoRead);
  deadline_.start_once(kProgramCheckWait);
  return {};
}

void UpgradeCheck::report(Result<void> result) {
  deadline_.stop();
  ended_.reset();
  child_.reset();
  const OnChecked checked = std::exchange(checked_, nullptr);
  checked(std::move(result));
}

}  // namespace sluice::gateway
