#include "relay/handover/takeover.h"

#include <utility>
#include <vector>

namespace sluice::relay {

Takeover::Takeover(int state_fd) {
  Result<MappedState> memory = MappedState::open(UniqueFd(state_fd));
  if (!memory) {
    problem = memory.error().message;
    return;
  }
  memory_.emplace(*std::move(memory));
  read_preamble();
}

void Takeover::read_preamble() {
  const std::optional<Preamble> preamble = decode_preamble(memory_->bytes());
  if (!preamble) {
    problem = "it is not the state of a relay";
    return;
  }
  std::vector<int> sockets{preamble->link_socket};
  if (preamble->admin_socket >= 0) sockets.push_back(preamble->admin_socket);
  Descriptors listening(sockets);
  link_socket = listening.take(preamble->link_socket);
  admin_socket = listening.take(preamble->admin_socket);
  descriptors.emplace(preamble->others);
  if (preamble->version != kStateVersion) {
    problem = "it is of version " + std::to_string(preamble->version) + ", this program reads " +
              std::to_string(kStateVersion);
    return;
  }
  state_ = memory_->bytes().subspan(preamble_bytes(*preamble));
}

}  // namespace sluice::relay
