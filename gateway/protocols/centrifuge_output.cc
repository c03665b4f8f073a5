#include "gateway/protocols/centrifuge_output.h"

#include "gateway/protocols/centrifuge_limits.h"

namespace sluice::gateway {

void CentrifugeOutput::add(const centrifuge::Reply& reply) {
  codec_.append(reply, frame_);
  if (++replies_ >= kRepliesPerFrameMax || frame_.size() >= kReplyFrameBytes) flush();
}

void CentrifugeOutput::flush() {
  if (replies_ == 0) return;
  actions_.deliver(session_, FrameRun::make(codec_.opcode(), frame_, {}));
  frame_.clear();
  replies_ = 0;
}

}  // namespace sluice::gateway
