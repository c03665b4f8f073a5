#include "gateway/session_input.h"

namespace sluice::gateway {

Input add_fragment(InboundMessage& state, const Fragment& fragment) {
  if (fragment.first || !state.open) {
    state.open = true;
    state.text = fragment.text;
    state.bytes.clear();
    state.recorded = 0;
  }
  if (!fragment.final) {
    state.bytes.append(proto::as_text(fragment.bytes));
    return {};
  }
  state.open = false;
  if (state.bytes.empty()) return {InputVerdict::kMessage, fragment.bytes};
  state.bytes.append(proto::as_text(fragment.bytes));
  return {InputVerdict::kMessage, proto::as_bytes(state.bytes)};
}

void release_message(InboundMessage& state) {
  state.recorded = 0;
  if (state.bytes.capacity() > 64) {
    std::string().swap(state.bytes);
  } else {
    state.bytes.clear();
  }
}

}  // namespace sluice::gateway
