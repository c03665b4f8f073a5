// `sluice token make` and `inspect`: tokens as the gateways take them. No secret and no signature
// is ever shown, but for the token that is asked for.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "common/tokens/keys.h"
#include "common/tokens/signature.h"
#include "common/tokens/strict_json.h"
#include "common/tokens/token_text.h"
#include "common/wall_clock.h"
#include "ctl/commands.h"
#include "ctl/text.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t unix_now() {
  return unix_ms() / 1000;
}

// ---- make

Json claims_of(const TokenMakeOptions& options, std::int64_t now) {
  Json claims = Json::object();
  if (!options.user.empty()) claims["sub"] = options.user;
  if (!options.channel.empty()) claims["channel"] = options.channel;
  if (!options.channels.empty()) claims["channels"] = options.channels;
  if (!options.info.empty()) claims["info"] = *parse_strict_json(options.info);
  if (!options.audience.empty()) claims["aud"] = options.audience;
  if (!options.issuer.empty()) claims["iss"] = options.issuer;
  claims["iat"] = now;
  if (!options.never_expires) {
    claims["exp"] = now + std::chrono::duration_cast<std::chrono::seconds>(options.expires).count();
  }
  // What is written out wins.
  if (!options.claims.empty()) claims.update(*parse_strict_json(options.claims));
  return claims;
}

Outcome<const TokenKey*> choose_key(const TokenKeys& keys, const TokenMakeOptions& options) {
  bool only_public = false;
  for (const TokenKey& key : keys.all()) {
    if (!options.key_id.empty() && key.id != options.key_id) continue;
    if (options.algorithm && key.algorithm != *options.algorithm) continue;
    if (key.can_sign()) return &key;
    only_public = true;
  }
  if (only_public) {
    return failure(ExitCode::kFailed, options.key_file + " has only the public key for that",
                   "Name the file of the private key in its place");
  }
  return failure(ExitCode::kFailed, options.key_file + " has no such key");
}

/// Why no gateway with this key file would ever take it; null: it would. One that has expired is
/// what somebody may want to try out.
const char* objection(const std::string& token, const TokenMakeOptions& options, std::int64_t now) {
  TokenVerifier verifier;
  TokenKeyOptions keys;
  keys.key_file = options.key_file;
  if (!verifier.load(keys)) return "the key file has changed";
  const auto reason = [](const auto& claims) {
    return claims || claims.error().fault == TokenFault::kExpired ? nullptr : claims.error().reason;
  };
  return options.channel.empty() ? reason(verifier.connection(token, now))
                                 : reason(verifier.subscription(token, now));
}

// ---- inspect

Outcome<std::string> read_token() {
  std::string text;
  std::array<char, 4096> chunk;
  while (text.size() <= kTokenBytesMax + 1) {
    const ssize_t n = ::read(STDIN_FILENO, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      return failure(ExitCode::kUnreadable,
                     std::string("standard input can't be read: ") + std::strerror(errno));
    }
    if (n == 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(n));
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

struct Inspection {
  Json header;
  Json claims;
  bool subscription = false;
  bool checked = false;
  const char* objection = nullptr;  ///< null: it is right
};

std::string expiry_text(const Json& claims, std::int64_t now) {
  const auto found = claims.find("exp");
  if (found == claims.end()) return "never";
  if (!found->is_number()) return "its exp is no time";
  const double left = found->get<double>() - static_cast<double>(now);
  return left > 0 ? "in " + seconds_text(left) : seconds_text(-left) + " ago";
}

std::string user_text(const Json& claims) {
  const auto found = claims.find("sub");
  if (found == claims.end() || !found->is_string() || found->get_ref<const std::string&>().empty())
    return "an anonymous client";
  return "user " + visible(found->get_ref<const std::string&>());
}

std::string inspection_text(const Inspection& of, std::int64_t now, bool colours) {
  std::string text = of.subscription ? "a subscription token of " : "a connection token of ";
  text += user_text(of.claims) + "\n";
  text += "header:    " + visible(to_text(of.header)) + "\n";
  text += "claims:    " + visible(to_text(of.claims)) + "\n";
  text += "expires:   " + expiry_text(of.claims, now) + "\n";
  text += "signature: ";
  if (!of.checked) {
    text +=
        styled("not checked: no keys were given (--key-file, --jwks-file)", Style::kWarn, colours);
  } else if (of.objection == nullptr) {
    text += styled("right, and so is the rest", Style::kGood, colours);
  } else {
    text += styled(std::string("a gateway refuses it: ") + of.objection, Style::kBad, colours);
  }
  return text + "\n";
}

std::string inspection_json(const Inspection& of) {
  Json json = {{"kind", of.subscription ? "subscription" : "connection"},
               {"header", of.header},
               {"claims", of.claims},
               {"checked", of.checked},
               {"right", of.checked ? Json(of.objection == nullptr) : Json()},
               {"reason", of.objection == nullptr ? Json() : Json(of.objection)}};
  return json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
}

/// With keys: as a gateway would.
Outcome<void> check_token(const std::string& token, const TokenKeyOptions& keys, std::int64_t now,
                          Inspection& of) {
  if (keys.key_file.empty() && keys.jwks_file.empty()) return {};
  TokenVerifier verifier;
  if (const auto loaded = verifier.load(keys); !loaded)
    return failure(ExitCode::kUnreadable, loaded.error().message);
  of.checked = true;
  if (of.subscription) {
    const auto claims = verifier.subscription(token, now);
    if (!claims) of.objection = claims.error().reason;
  } else {
    const auto claims = verifier.connection(token, now);
    if (!claims) of.objection = claims.error().reason;
  }
  return {};
}

Outcome<Inspection> inspect(const std::string& token, const TokenKeyOptions& keys,
                            std::int64_t now) {
  const auto malformed = [] {
    return failure(ExitCode::kUnreadable,
                   "it is no token: three parts in base64url with dots between, the first two JSON "
                   "objects");
  };
  if (token.size() > kTokenBytesMax)
    return failure(ExitCode::kUnreadable, "it is longer than a token may be: 16 KiB");
  const auto parts = split_token(token);
  if (!parts) return malformed();
  auto header = decode_token_part(parts->header);
  auto claims = decode_token_part(parts->payload);
  if (!header || !claims) return malformed();
  Inspection of{.header = std::move(*header), .claims = std::move(*claims)};
  of.subscription = of.claims.contains("channel");
  if (auto checked = check_token(token, keys, now, of); !checked)
    return tl::make_unexpected(checked.error());
  return of;
}

}  // namespace

ExitCode run_token_make(const TokenMakeOptions& options, Console& console) {
  TokenKeyOptions from;
  from.key_file = options.key_file;
  const auto keys = TokenKeys::read(from);
  if (!keys) return end_with({ExitCode::kFailed, keys.error().message, {}});
  const auto key = choose_key(*keys, options);
  if (!key) return end_with(key.error());
  const std::int64_t now = unix_now();
  const Json claims = claims_of(options, now);
  const auto token = sign_token(to_text(claims), **key);
  if (!token) return end_with({ExitCode::kFailed, token.error().message, {}});
  if (const char* why = objection(*token, options, now)) {
    return end_with(
        {ExitCode::kFailed, std::string("a gateway would refuse such a token: ") + why, {}});
  }
  if (!options.json) return console.write(*token + "\n") ? ExitCode::kOk : console.exit_code();
  Json json = {{"token", *token}, {"alg", to_string((*key)->algorithm)}, {"claims", claims}};
  const std::string text = json.dump(2, ' ', true, Json::error_handler_t::replace) + "\n";
  return console.write(text) ? ExitCode::kOk : console.exit_code();
}

ExitCode run_token_inspect(const TokenInspectOptions& options, Console& console) {
  const Outcome<std::string> token =
      options.token ? Outcome<std::string>(*options.token) : read_token();
  if (!token) return end_with(token.error());
  const std::int64_t now = unix_now();
  const auto of = inspect(*token, options.keys, now);
  if (!of) return end_with(of.error());
  const std::string text =
      options.json ? inspection_json(*of) : inspection_text(*of, now, console.colours());
  if (!console.write(text)) return console.exit_code();
  return of->objection == nullptr ? ExitCode::kOk : ExitCode::kFindings;
}

}  // namespace sluice::ctl
