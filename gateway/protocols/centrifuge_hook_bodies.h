// What the application is asked over HTTP and what it answers, in the shapes of Centrifugo's proxy
// (docs/HOOKS.md). Pure; an answer is judged like any peer's bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/tokens/tokens.h"
#include "gateway/protocols/centrifuge.pb.h"

namespace sluice::gateway {

/// Of whom the application is asked.
struct HookSubject {
  std::string_view client;    ///< UUID
  std::string_view protocol;  ///< "json" or "protobuf"
  std::string_view user;
  std::string_view meta;  ///< JSON; empty: none
};

[[nodiscard]] std::string connect_body(const HookSubject& subject,
                                       const centrifuge::ConnectRequest& request);
[[nodiscard]] std::string refresh_body(const HookSubject& subject);
[[nodiscard]] std::string subscribe_body(const HookSubject& subject,
                                         const centrifuge::SubscribeRequest& request);
[[nodiscard]] std::string publish_body(const HookSubject& subject,
                                       const centrifuge::PublishRequest& request);
[[nodiscard]] std::string rpc_body(const HookSubject& subject,
                                   const centrifuge::RPCRequest& request);
[[nodiscard]] std::string disconnected_body(const HookSubject& subject);

/// What an answer is.
struct HookWord {
  enum class Kind { kResult, kError, kDisconnect, kMalformed } kind = Kind::kMalformed;
  std::uint32_t code = 0;
  std::string text;
};

struct HookConnect {
  std::string user;
  std::int64_t expire_at = 0;  ///< Unix seconds; 0: never
  std::string info;
  std::string meta;
  std::string data;
  std::map<std::string, TokenSubscription> subscriptions;
};
struct HookRefresh {
  bool expired = false;
  std::int64_t expire_at = 0;
  std::optional<std::string> info;  ///< set: in place of what it was
  std::optional<std::string> meta;
};
struct HookSubscribe {
  std::int64_t expire_at = 0;
  std::string info;
  std::string data;
  TokenOverride override;
};
struct HookPublish {
  std::optional<std::string> data;  ///< set: in place of the client's
};
struct HookRpc {
  std::string data;
};

// With kResult `out` is filled.
[[nodiscard]] HookWord read_answer(std::string_view body, HookConnect& out);
[[nodiscard]] HookWord read_answer(std::string_view body, HookRefresh& out);
[[nodiscard]] HookWord read_answer(std::string_view body, HookSubscribe& out);
[[nodiscard]] HookWord read_answer(std::string_view body, HookPublish& out);
[[nodiscard]] HookWord read_answer(std::string_view body, HookRpc& out);

}  // namespace sluice::gateway
