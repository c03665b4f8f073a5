#include "relay/api/node_registry.h"

#include <algorithm>

#include "common/utf8.h"
#include "proto/frame.h"
#include "relay/api/limits.h"

namespace sluice::relay::api {
namespace {

constexpr std::size_t kTextBytesMax = 255;

bool plausible(const envelope::NodeInfo& node) {
  const auto fits = [](const std::string& text) { return text.size() <= kTextBytesMax; };
  return !node.uid().empty() && fits(node.uid()) && fits(node.name()) && fits(node.version()) &&
         node.gateways_size() <= static_cast<int>(kNodeGatewaysMax) &&
         std::all_of(node.gateways().begin(), node.gateways().end(),
                     [](const auto& gateway) { return proto::valid_gateway_id(gateway.id()); });
}

}  // namespace

void NodeRegistry::heard(const envelope::NodeInfo& node) {
  if (!plausible(node)) return;
  if (node.leaving()) {
    nodes_.erase(node.uid());
    heard_at_.erase(node.uid());
    return;
  }
  if (nodes_.size() >= kNodesMax && !nodes_.contains(node.uid())) return;
  nodes_[node.uid()] = node;
  heard_at_[node.uid()] = time_.now();
}

void NodeRegistry::expire() {
  const TimePoint now = time_.now();
  for (auto it = heard_at_.begin(); it != heard_at_.end();) {
    if (now - it->second < kNodeForgottenAfter) {
      ++it;
      continue;
    }
    nodes_.erase(it->first);
    it = heard_at_.erase(it);
  }
}

std::size_t NodeRegistry::gateways() const {
  std::size_t count = 0;
  for (const auto& [uid, node] : nodes_) count += static_cast<std::size_t>(node.gateways_size());
  return count;
}

bool NodeRegistry::settled() const {
  return time_.now() - since_ > kNodeInfoInterval + kNodeInfoInterval / 2;
}

}  // namespace sluice::relay::api
