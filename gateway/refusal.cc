#include "gateway/refusal.h"

#include "common/check.h"

namespace sluice::gateway {

std::string_view to_string(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kProcessFull:
      return "process_full";
    case RefusalReason::kAddressFull:
      return "address_full";
    case RefusalReason::kAddressTooFast:
      return "address_too_fast";
    case RefusalReason::kHeadMalformed:
      return "head_malformed";
    case RefusalReason::kHeadTooLarge:
      return "head_too_large";
    case RefusalReason::kHeadTimeout:
      return "head_timeout";
    case RefusalReason::kHttpVersion:
      return "http_version";
    case RefusalReason::kMethod:
      return "method";
    case RefusalReason::kPath:
      return "path";
    case RefusalReason::kChannelName:
      return "channel_name";
    case RefusalReason::kNotUpgrade:
      return "not_upgrade";
    case RefusalReason::kWebSocketVersion:
      return "websocket_version";
    case RefusalReason::kWebSocketKey:
      return "websocket_key";
    case RefusalReason::kBody:
      return "body";
    case RefusalReason::kOrigin:
      return "origin";
    case RefusalReason::kDraining:
      return "draining";
    case RefusalReason::kAcceptRate:
      return "accept_rate";
    case RefusalReason::kProxyMissing:
      return "proxy_missing";
    case RefusalReason::kProxyMalformed:
      return "proxy_malformed";
    case RefusalReason::kProxyChecksum:
      return "proxy_checksum";
    case RefusalReason::kProxyUntrusted:
      return "proxy_untrusted";
    case RefusalReason::kProxyUnexpected:
      return "proxy_unexpected";
    case RefusalReason::kForwardedMalformed:
      return "forwarded_malformed";
    case RefusalReason::kNotAllowed:
      return "not_allowed";
  }
  CHECK(false);
}

std::string build_refusal(const Refusal& refusal, bool omit_body) {
  const std::string body = refusal.text + "\n";
  Reply reply;
  reply.status = refusal.status;
  reply.body = body;
  reply.omit_body = omit_body;
  switch (refusal.reason) {
    case RefusalReason::kMethod:
      reply.headers.push_back({"Allow", "GET"});
      break;
    case RefusalReason::kWebSocketVersion:
      reply.headers.push_back({"Sec-WebSocket-Version", "13"});
      [[fallthrough]];
    case RefusalReason::kNotUpgrade:
      reply.headers.push_back({"Upgrade", "websocket"});
      reply.offers_upgrade = true;
      break;
    case RefusalReason::kProcessFull:
    case RefusalReason::kAddressFull:
    case RefusalReason::kAddressTooFast:
    case RefusalReason::kDraining:
    case RefusalReason::kAcceptRate:
      reply.headers.push_back({"Retry-After", "1"});
      break;
    default:
      break;
  }
  return build_reply(reply);
}

}  // namespace sluice::gateway
