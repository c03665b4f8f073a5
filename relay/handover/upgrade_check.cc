#include "relay/handover/upgrade_check.h"

#include <utility>

#include "common/units.h"
#include "relay/limits.h"

namespace sluice::relay {

UpgradeCheck::UpgradeCheck(event_base* base, const Program& program, Done done)
    : base_(base),
      program_(program),
      done_(std::move(done)),
      late_event_(make_event<&UpgradeCheck::on_late>(base, -1, 0, this)) {
}

Result<void> UpgradeCheck::start() {
  auto child = ProgramCheck::start(program_);
  if (!child) return tl::make_unexpected(child.error());
  child_.emplace(std::move(*child));
  ended_event_ = make_event<&UpgradeCheck::on_ended>(base_, child_->fd(), EV_READ, this);
  event_add(ended_event_.get(), nullptr);
  const timeval wait = to_timeval(kProgramCheckWait);
  event_add(late_event_.get(), &wait);
  return {};
}

void UpgradeCheck::cancel() {
  event_del(late_event_.get());
  ended_event_.reset();
  child_.reset();
}

void UpgradeCheck::on_ended() {
  ended_event_.reset();  // before the descriptor that it watches is closed
  const Result<void> result = child_->result();
  cancel();
  done_(result);
}

void UpgradeCheck::on_late() {
  cancel();
  done_(fail(ErrorCode::kUnavailable,
             program_.path() + " --check took longer than " + format_duration(kProgramCheckWait)));
}

}  // namespace sluice::relay
