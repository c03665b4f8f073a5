#include "common/tokens/claims.h"

#include <algorithm>
#include <cmath>

#include "common/base64.h"
#include "common/tokens/strict_json.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

/// What a double counts exactly; the year 285,428,751.
constexpr double kSecondsMax = 9007199254740992.0;

/// Reads members of the types that they must have; the first that has not stays as the fault. A
/// member that is null is one that is not there.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {}

  [[nodiscard]] const Json* find(const char* name) const {
    const auto found = json_.find(name);
    return found == json_.end() || found->is_null() ? nullptr : &*found;
  }

  std::string text(const char* name) {
    const Json* found = find(name);
    if (found == nullptr) return {};
    if (found->is_string()) return found->get<std::string>();
    wrong_ = true;
    return {};
  }

  /// Unix time; whole seconds, the rest cut off.
  std::optional<std::int64_t> seconds(const char* name) {
    const Json* found = find(name);
    if (found == nullptr) return std::nullopt;
    if (found->is_number()) {
      const double value = std::floor(found->get<double>());
      if (std::abs(value) < kSecondsMax) return static_cast<std::int64_t>(value);
    }
    wrong_ = true;
    return std::nullopt;
  }

  /// JSON as it stands under `name`, or the bytes of `name64`, which wins.
  std::string content(const char* name, const char* name64) {
    if (const std::string encoded = text(name64); !encoded.empty()) {
      auto bytes = decode_base64(encoded, Padding::kOptional);
      if (!bytes) wrong_ = true;
      return bytes.value_or("");
    }
    const Json* found = find(name);
    return found == nullptr ? std::string() : to_text(*found);
  }

  std::optional<bool> override_value(const char* name) {
    const Json* found = find(name);
    if (found == nullptr) return std::nullopt;
    if (found->is_object() && found->contains("value") && found->at("value").is_boolean())
      return found->at("value").get<bool>();
    wrong_ = true;
    return std::nullopt;
  }

  TokenOverride overrides(const char* name) {
    const Json* found = find(name);
    if (found == nullptr) return {};
    if (!found->is_object()) {
      wrong_ = true;
      return {};
    }
    Members in(*found);
    TokenOverride all;
    all.presence = in.override_value("presence");
    all.join_leave = in.override_value("join_leave");
    all.force_push_join_leave = in.override_value("force_push_join_leave");
    all.force_recovery = in.override_value("force_recovery");
    all.force_positioning = in.override_value("force_positioning");
    wrong_ = wrong_ || in.wrong();
    return all;
  }

  [[nodiscard]] bool wrong() const { return wrong_; }
  void set_wrong() { wrong_ = true; }

 private:
  const Json& json_;
  bool wrong_ = false;
};

tl::unexpected<TokenFailure> expired() {
  return tl::make_unexpected(TokenFailure{TokenFault::kExpired, "expired"});
}

bool names_audience(const Json* claim, const std::string& audience) {
  if (claim == nullptr) return false;
  if (claim->is_string()) return *claim == audience;
  return claim->is_array() && std::any_of(claim->begin(), claim->end(), [&](const Json& one) {
           return one.is_string() && one == audience;
         });
}

/// When the connection or subscription ends, which may be later than its token.
std::int64_t end_of(Members& in) {
  const auto of_token = in.seconds("exp");
  const auto of_connection = in.seconds("expire_at");
  if (of_connection && *of_connection < 0) in.set_wrong();
  return std::max<std::int64_t>(0, of_connection.value_or(of_token.value_or(0)));
}

std::string user_of(Members& in) {
  std::string user = in.text("sub");
  if (user.size() > kTokenUserBytesMax) in.set_wrong();
  return user;
}

void add_subscriptions(Members& in, std::map<std::string, TokenSubscription>& out) {
  if (const Json* names = in.find("channels")) {
    if (!names->is_array()) return in.set_wrong();
    for (const Json& name : *names) {
      if (!name.is_string() || name.get_ref<const std::string&>().empty()) return in.set_wrong();
      out.try_emplace(name.get<std::string>());
    }
  }
  const Json* subscriptions = in.find("subs");
  if (subscriptions == nullptr) return;
  if (!subscriptions->is_object()) return in.set_wrong();
  for (const auto& [name, options] : subscriptions->items()) {
    if (name.empty() || !options.is_object()) return in.set_wrong();
    Members of_one(options);
    TokenSubscription& one = out[name];
    one.info = of_one.content("info", "b64info");
    one.data = of_one.content("data", "b64data");
    one.override = of_one.overrides("override");
    if (of_one.wrong()) return in.set_wrong();
  }
}

}  // namespace

tl::expected<void, TokenFailure> check_validity(const Json& claims, const TokenKeyOptions& options,
                                                std::int64_t now) {
  Members in(claims);
  const auto expires = in.seconds("exp");
  const auto begins = in.seconds("nbf");
  static_cast<void>(in.seconds("iat"));
  const std::string issuer = in.text("iss");
  if (in.wrong()) return invalid_token("claims");
  // For whom before until when: who holds another audience's token is not told to fetch it anew.
  if (!options.audience.empty() && !names_audience(in.find("aud"), options.audience))
    return invalid_token("audience");
  if (!options.issuer.empty() && issuer != options.issuer) return invalid_token("issuer");
  if (begins && *begins > now + kClockSkewSeconds) return invalid_token("not valid yet");
  if (expires && *expires <= now) return expired();
  return {};
}

tl::expected<ConnectionClaims, TokenFailure> connection_claims(const Json& claims,
                                                               std::int64_t now) {
  Members in(claims);
  // One for a channel says nothing of who may connect, whoever has made it.
  if (in.find("channel") != nullptr) return invalid_token("a subscription token");
  ConnectionClaims out;
  out.user = user_of(in);
  out.expires_at = end_of(in);
  out.info = in.content("info", "b64info");
  if (const Json* meta = in.find("meta")) {
    if (!meta->is_object()) in.set_wrong();
    out.meta = to_text(*meta);
  }
  add_subscriptions(in, out.subscriptions);
  if (in.wrong()) return invalid_token("claims");
  if (out.expires_at != 0 && out.expires_at <= now) return expired();
  return out;
}

tl::expected<SubscriptionClaims, TokenFailure> subscription_claims(const Json& claims,
                                                                   std::int64_t now) {
  Members in(claims);
  SubscriptionClaims out;
  out.user = user_of(in);
  out.channel = in.text("channel");
  out.expires_at = end_of(in);
  out.info = in.content("info", "b64info");
  out.override = in.overrides("override");
  if (in.wrong()) return invalid_token("claims");
  if (out.channel.empty()) return invalid_token("no channel");
  if (out.expires_at != 0 && out.expires_at <= now) return expired();
  return out;
}

}  // namespace sluice
