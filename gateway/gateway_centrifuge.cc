// The gateway's part that serves the Centrifuge protocol: service, both encodings, and the channel
// on which commands for all gateways come.
#include "common/wall_clock.h"
#include "gateway/gateway.h"
#include "proto/names.h"

namespace sluice::gateway {

void Gateway::prepare_centrifuge() {
  const RulesStore* rules = access_.rules();
  if (rules == nullptr) return;
  centrifuge_.emplace(CentrifugeOptions{.gateway_id = config_.id,
                                        .version = "sluice " SLUICE_VERSION,
                                        .ping_interval = config_.ping_interval,
                                        .pong_timeout = config_.pong_timeout,
                                        .stale_after = config_.handshake_timeout,
                                        .answer_bytes_max = config_.client_queue_bytes / 2,
                                        .unix_ms = unix_ms},
                      *rules, token_judge_, hooks_.get(), sessions_, hub_, time_, random_);
  centrifuge_json_.emplace(gateway::centrifuge_json(), *centrifuge_);
  centrifuge_protobuf_.emplace(gateway::centrifuge_protobuf(), *centrifuge_);
  protocols_[static_cast<std::size_t>(ProtocolKind::kCentrifugeJson)] = &*centrifuge_json_;
  protocols_[static_cast<std::size_t>(ProtocolKind::kCentrifugeProtobuf)] = &*centrifuge_protobuf_;
  count_users_ = [this] { return static_cast<std::uint32_t>(centrifuge_->users()); };
  hook_answered_ = [this](const HookAnswer& answer) { centrifuge_->hook_answered(answer); };
  hub_.listen(proto::kControlChannel,
              [this](proto::Bytes payload, proto::Bytes /*meta*/) { centrifuge_->apply(payload); });
}

}  // namespace sluice::gateway
