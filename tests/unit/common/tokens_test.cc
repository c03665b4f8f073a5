#include "common/tokens/tokens.h"

#include <gtest/gtest.h>

#include "common/tokens/keys.h"
#include "common/tokens/signature.h"
#include "tests/unit/common/token_world.h"

namespace sluice {
namespace {

constexpr std::int64_t kNow = 1'900'000'000;

/// What became of a token: "" (taken) or the reason.
template <typename T>
std::string outcome(const tl::expected<T, TokenFailure>& result) {
  if (result) return "";
  return (result.error().fault == TokenFault::kExpired ? "expired: " : "") +
         std::string(result.error().reason);
}

class Tokens : public testing::Test {
 protected:
  Tokens() {
    directory.write("rsa.pem", samples::kRsaPublic);
    directory.write("p256.pem", samples::kP256Public);
    directory.write("p384.pem", samples::kP384Public);
    directory.write("p521.pem", samples::kP521Public);
    directory.write("ed.pem", samples::kEd25519Public);
  }

  /// Of a key file with these lines.
  void load(const std::string& lines, TokenKeyOptions options = {}) {
    options.key_file = directory.write("keys", lines);
    const auto loaded = verifier.load(options);
    ASSERT_TRUE(loaded) << loaded.error().message;
  }
  void load_jwks(const std::string& text) {
    const auto loaded = verifier.load({.jwks_file = directory.write("jwks", text)});
    ASSERT_TRUE(loaded) << loaded.error().message;
  }
  [[nodiscard]] std::string connection(std::string_view token, std::int64_t now = kNow) const {
    return outcome(verifier.connection(token, now));
  }
  [[nodiscard]] std::string subscription(std::string_view token, std::int64_t now = kNow) const {
    return outcome(verifier.subscription(token, now));
  }

  KeyDirectory directory;
  TokenVerifier verifier;
  const std::string secret_line = std::string("HS256 ") + samples::kSecret + "\n";
  const std::string all_lines = secret_line + "HS384 " + samples::kSecret + "\nHS512 " +
                                samples::kSecret +
                                "\nRS256 rsa.pem\nRS384 rsa.pem\nRS512 rsa.pem\nES256 p256.pem\n"
                                "ES384 p384.pem\nES512 p521.pem\nEdDSA ed.pem\n";
};

const std::array<const char*, 10> kTokens = {
    samples::kHs256Token, samples::kHs384Token, samples::kHs512Token, samples::kRs256Token,
    samples::kRs384Token, samples::kRs512Token, samples::kEs256Token, samples::kEs384Token,
    samples::kEs512Token, samples::kEdDsaToken};
const std::array<const char*, 10> kNamedTokens = {
    samples::kHs256NamedToken, samples::kHs384NamedToken, samples::kHs512NamedToken,
    samples::kRs256NamedToken, samples::kRs384NamedToken, samples::kRs512NamedToken,
    samples::kEs256NamedToken, samples::kEs384NamedToken, samples::kEs512NamedToken,
    samples::kEdDsaNamedToken};

TEST_F(Tokens, OfAnotherImplementationInEveryAlgorithm) {
  load(all_lines);
  EXPECT_EQ(verifier.keys(), 10U);
  for (const char* token : kTokens) {
    const auto claims = verifier.connection(token, kNow);
    ASSERT_TRUE(claims) << token << claims.error().reason;
    EXPECT_EQ(claims->user, "42");
    EXPECT_EQ(claims->expires_at, 2'000'000'000);
    EXPECT_EQ(connection(token, 2'000'000'000), "expired: expired");
  }
  for (const char* token : kNamedTokens) EXPECT_EQ(connection(token), "unknown key");
}

TEST_F(Tokens, ByAKeySetInEveryAlgorithm) {
  load_jwks(samples::kJwks);
  EXPECT_EQ(verifier.keys(), 10U);
  for (const char* token : kNamedTokens) EXPECT_EQ(connection(token), "") << token;
  for (const char* token : kTokens) EXPECT_EQ(connection(token), "unknown key") << token;
}

TEST_F(Tokens, ATokenWithAnyByteChangedIsRefused) {
  load(all_lines);
  for (const char* token : kTokens) {
    const std::string good = token;
    // Each character of the signature, and some of the rest.
    const std::size_t signature = good.rfind('.') + 1;
    for (std::size_t i = 0; i < good.size(); i += i < signature || i > signature + 90 ? 7 : 1) {
      std::string bad = good;
      bad[i] = bad[i] == 'A' ? 'B' : 'A';
      EXPECT_NE(connection(bad), "") << i << " of " << good;
    }
    EXPECT_NE(connection(good.substr(0, good.size() - 1)), "");
    EXPECT_NE(connection(good.substr(0, good.size() - 4)), "");
    EXPECT_NE(connection(good + "A"), "");
    EXPECT_NE(connection(good.substr(0, good.rfind('.') + 1)), "");
    EXPECT_NE(connection(good.substr(0, good.rfind('.'))), "");
  }
}

TEST_F(Tokens, OfTheRfcs) {
  load_jwks(samples::kRfc7515Jwks);
  for (const char* token :
       {samples::kRfc7515HsToken, samples::kRfc7515RsToken, samples::kRfc7515EsToken}) {
    EXPECT_EQ(connection(token, 1'300'819'379), "");
    EXPECT_EQ(connection(token, 1'300'819'380), "expired: expired");
  }
}

TEST(Evp, Ed25519OfRfc8037) {
  const auto key = EvpKey::from_ed25519(*decode_base64url(samples::kRfc8037X));
  ASSERT_TRUE(key);
  const std::string signature = *decode_base64url(samples::kRfc8037Signature);
  EXPECT_TRUE(key->verify_ed25519(samples::kRfc8037Signed, signature));
  EXPECT_FALSE(key->verify_ed25519(std::string(samples::kRfc8037Signed) + "x", signature));
  EXPECT_FALSE(key->verify_ed25519(samples::kRfc8037Signed, signature.substr(1)));
  EXPECT_FALSE(key->verify_ed25519(samples::kRfc8037Signed, ""));
  EXPECT_FALSE(key->is_private());
  EXPECT_EQ(key->sign_ed25519("x"), "");
  EXPECT_EQ(key->private_pem(), "");
  // A.2: the same public key from the private one; A.4: EdDSA has one signature of one text.
  const auto private_key = EvpKey::from_pem(samples::kEd25519Private);
  ASSERT_TRUE(private_key);
  EXPECT_EQ(private_key->public_pem(), key->public_pem());
  EXPECT_EQ(private_key->sign_ed25519(samples::kRfc8037Signed), signature);
}

TEST(Evp, KeysThatAreNotTaken) {
  for (const char* pem : {samples::kSmallRsaPublic, samples::kSecp256k1Public,
                          samples::kX25519Public, samples::kLockedPrivate, "", "garbage",
                          "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}) {
    EXPECT_FALSE(EvpKey::from_pem(pem)) << pem;
  }
  EXPECT_TRUE(EvpKey::from_pem(samples::kRsaCertificate));
  EXPECT_FALSE(EvpKey::from_ed25519("short"));
  EXPECT_FALSE(EvpKey::from_point(EvpKind::kP256, std::string(32, '\1'), std::string(32, '\1')));
  EXPECT_FALSE(EvpKey::from_point(EvpKind::kP256, std::string(31, '\1'), std::string(32, '\1')));
  EXPECT_FALSE(EvpKey::from_point(EvpKind::kRsa, "", ""));
  EXPECT_FALSE(EvpKey::from_rsa(std::string(128, '\xff'), "\1\0\1"));
  EXPECT_FALSE(EvpKey::from_rsa(std::string(100'000, '\xff'), std::string("\1\0\1", 3)));
  EXPECT_FALSE(EvpKey::from_rsa(std::string(256, '\xff'), ""));
}

/// The table: who is let in, who is not, and why.
struct Case {
  const char* what;
  std::string token;
  const char* connection;  ///< outcome()
  const char* subscription;
};

TEST_F(Tokens, AllowedAndRefused) {
  TokenKeyOptions options;
  options.audience = "chat";
  options.issuer = "app";
  load(secret_line + "HS256:new " + std::string(40, 'n') + "\nRS256 rsa.pem\nEdDSA:ed ed.pem\n",
       options);
  const auto with = [](const std::string& more) {
    return hmac_token(R"({"sub":"42","aud":"chat","iss":"app")" + more + "}");
  };
  const auto headed = [](const std::string& header) {
    return hmac_token(header, R"({"sub":"42","aud":"chat","iss":"app"})");
  };
  const std::string good = with("");
  const std::string header = good.substr(0, good.find('.'));
  const std::string rest = good.substr(good.find('.'));
  const std::string unsigned_part = good.substr(0, good.rfind('.'));
  const std::string none = encode_base64url(R"({"alg":"none"})");
  const char* const kNoChannel = "no channel";
  const char* const kOther = "a subscription token";
  const std::vector<Case> cases = {
      {"as it should be", good, "", kNoChannel},
      {"a subscription's", with(R"(,"channel":"chat:1")"), kOther, ""},
      {"anonymous", hmac_token(R"({"aud":"chat","iss":"app"})"), "", kNoChannel},
      // Times.
      {"not expired", with(R"(,"exp":1900000001)"), "", kNoChannel},
      {"expires now", with(R"(,"exp":1900000000)"), "expired: expired", "expired: expired"},
      {"expired", with(R"(,"exp":1)"), "expired: expired", "expired: expired"},
      {"exp 0", with(R"(,"exp":0)"), "expired: expired", "expired: expired"},
      {"exp below 0", with(R"(,"exp":-5)"), "expired: expired", "expired: expired"},
      {"exp with a fraction", with(R"(,"exp":1900000001.5)"), "", kNoChannel},
      {"exp as text", with(R"(,"exp":"1900000001")"), "claims", "claims"},
      {"exp beyond all numbers", with(R"(,"exp":1e300)"), "claims", "claims"},
      {"exp null", with(R"(,"exp":null)"), "", kNoChannel},
      {"valid since a while", with(R"(,"nbf":1800000000)"), "", kNoChannel},
      {"clocks differ a little", with(R"(,"nbf":1900000005)"), "", kNoChannel},
      {"not valid yet", with(R"(,"nbf":1900000006)"), "not valid yet", "not valid yet"},
      {"nbf as text", with(R"(,"nbf":"now")"), "claims", "claims"},
      {"issued in the future", with(R"(,"iat":1900009999)"), "", kNoChannel},
      {"iat as an object", with(R"(,"iat":{})"), "claims", "claims"},
      {"a connection longer than its token", with(R"(,"exp":1900000001,"expire_at":1900009999)"),
       "", kNoChannel},
      {"a connection that never expires", with(R"(,"exp":1900000001,"expire_at":0)"), "",
       kNoChannel},
      {"a connection that has ended", with(R"(,"expire_at":1)"), "expired: expired", kNoChannel},
      {"expire_at below 0", with(R"(,"expire_at":-1)"), "claims", "claims"},
      // For whom and by whom.
      {"one of several audiences", hmac_token(R"({"sub":"42","aud":["x","chat"],"iss":"app"})"), "",
       kNoChannel},
      {"another audience", hmac_token(R"({"sub":"42","aud":"shop","iss":"app"})"), "audience",
       "audience"},
      {"part of the audience", hmac_token(R"({"sub":"42","aud":"cha","iss":"app"})"), "audience",
       "audience"},
      {"no audience", hmac_token(R"({"sub":"42","iss":"app"})"), "audience", "audience"},
      {"another audience, expired", hmac_token(R"({"aud":"shop","iss":"app","exp":1})"), "audience",
       "audience"},
      {"another issuer", hmac_token(R"({"sub":"42","aud":"chat","iss":"foe"})"), "issuer",
       "issuer"},
      {"no issuer", hmac_token(R"({"sub":"42","aud":"chat"})"), "issuer", "issuer"},
      {"several issuers", hmac_token(R"({"sub":"42","aud":"chat","iss":["app"]})"), "claims",
       "claims"},
      // Keys and algorithms.
      {"alg none, unsigned",
       none + good.substr(good.find('.'), good.rfind('.') - good.find('.')) + ".", "malformed",
       "malformed"},
      {"alg none, signed", none + rest, "algorithm", "algorithm"},
      {"alg None", headed(R"({"alg":"None"})"), "algorithm", "algorithm"},
      {"alg in lower case", headed(R"({"alg":"hs256"})"), "algorithm", "algorithm"},
      {"alg empty", headed(R"({"alg":""})"), "algorithm", "algorithm"},
      {"alg a number", headed(R"({"alg":256})"), "algorithm", "algorithm"},
      {"no alg", headed(R"({"typ":"JWT"})"), "algorithm", "algorithm"},
      {"alg that no key has", headed(R"({"alg":"HS512"})"), "algorithm", "algorithm"},
      {"alg of another kind of key", headed(R"({"alg":"PS256"})"), "algorithm", "algorithm"},
      {"the RSA public key as a secret",
       hmac_token(R"({"alg":"HS256"})", R"({"sub":"42","aud":"chat","iss":"app"})",
                  samples::kRsaPublic),
       "signature", "signature"},
      {"RS256 by the header, HMAC in truth",
       hmac_token(R"({"alg":"RS256"})", R"({"sub":"42","aud":"chat","iss":"app"})",
                  samples::kRsaPublic),
       "signature", "signature"},
      {"by a foreign key",
       hmac_token(R"({"alg":"HS256"})", R"({"sub":"42"})", std::string(64, 'f')), "signature",
       "signature"},
      {"by an empty key", hmac_token(R"({"alg":"HS256"})", R"({"sub":"42"})", ""), "signature",
       "signature"},
      {"by the key that it names",
       hmac_token(R"({"alg":"HS256","kid":"new"})", R"({"aud":"chat","iss":"app"})",
                  std::string(40, 'n')),
       "", kNoChannel},
      {"by another key than it names", headed(R"({"alg":"HS256","kid":"new"})"), "signature",
       "signature"},
      {"a named key, and it names none",
       hmac_token(R"({"alg":"HS256"})", R"({"aud":"chat","iss":"app"})", std::string(40, 'n')),
       "signature", "signature"},
      {"a key that there is not", headed(R"({"alg":"HS256","kid":"old"})"), "unknown key",
       "unknown key"},
      {"a key of another algorithm", headed(R"({"alg":"HS256","kid":"ed"})"), "algorithm",
       "algorithm"},
      {"kid a path", headed(R"({"alg":"HS256","kid":"../../dev/null"})"), "unknown key",
       "unknown key"},
      {"kid empty", headed(R"({"alg":"HS256","kid":""})"), "unknown key", "unknown key"},
      {"kid a number", headed(R"({"alg":"HS256","kid":1})"), "unknown key", "unknown key"},
      // Headers.
      {"a key of its own",
       headed(R"({"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"},"jku":"https://foe","x5u":"x"})"),
       "", kNoChannel},
      {"crit", headed(R"({"alg":"HS256","crit":["b64"],"b64":false})"), "critical header",
       "critical header"},
      {"crit empty", headed(R"({"alg":"HS256","crit":[]})"), "critical header", "critical header"},
      {"alg twice", headed(R"({"alg":"none","alg":"HS256"})"), "malformed", "malformed"},
      {"alg twice, by escape", headed(R"({"alg":"HS256","\u0061lg":"none"})"), "malformed",
       "malformed"},
      {"a header that is no object", headed(R"(["HS256"])"), "malformed", "malformed"},
      {"a header that is no JSON", headed("alg=HS256"), "malformed", "malformed"},
      {"JSON and more", headed(R"({"alg":"HS256"}{})"), "malformed", "malformed"},
      {"a header that is no UTF-8", headed("{\"alg\":\"HS256\",\"x\":\"\xff\"}"), "malformed",
       "malformed"},
      {"a nested header",
       headed(R"({"alg":"HS256","x":)" + std::string(40, '[') + std::string(40, ']') + "}"),
       "malformed", "malformed"},
      // Claims.
      {"sub twice", with(R"(,"sub":"root")"), "malformed", "malformed"},
      {"a name twice further in", with(R"(,"info":{"a":1,"a":2})"), "malformed", "malformed"},
      {"claims that are no object", hmac_token("[]"), "malformed", "malformed"},
      {"claims that are no JSON", hmac_token("sub=42"), "signature", "signature"},
      {"a 0 byte", hmac_token(R"({"sub":"42\u0000"})"), "signature", "signature"},
      {"sub a number", hmac_token(R"({"sub":42,"aud":"chat","iss":"app"})"), "claims", "claims"},
      {"sub too long",
       hmac_token(R"({"aud":"chat","iss":"app","sub":")" + std::string(256, 'a') + "\"}"), "claims",
       "claims"},
      {"info any JSON", with(R"(,"info":[1,"a"])"), "", kNoChannel},
      {"b64info", with(R"(,"b64info":"AQI=")"), "", kNoChannel},
      {"b64info that is none", with(R"(,"b64info":"A*I=")"), "claims", "claims"},
      {"meta no object", with(R"(,"meta":1)"), "claims", kNoChannel},
      {"channels", with(R"(,"channels":["a","b"])"), "", kNoChannel},
      {"channels no list", with(R"(,"channels":"a")"), "claims", kNoChannel},
      {"a channel without a name", with(R"(,"channels":[""])"), "claims", kNoChannel},
      {"a channel that is a number", with(R"(,"channels":[1])"), "claims", kNoChannel},
      {"subs", with(R"(,"subs":{"a":{}})"), "", kNoChannel},
      {"subs a list", with(R"(,"subs":["a"])"), "claims", kNoChannel},
      {"subs of a wrong override", with(R"(,"subs":{"a":{"override":{"presence":true}}})"),
       "claims", kNoChannel},
      {"channel empty", with(R"(,"channel":"")"), kOther, kNoChannel},
      {"channel a list", with(R"(,"channel":["a"])"), kOther, "claims"},
      {"override wrong", with(R"(,"channel":"a","override":{"presence":{"value":1}})"), kOther,
       "claims"},
      // Shapes.
      {"nothing", "", "malformed", "malformed"},
      {"no dots", "abc", "malformed", "malformed"},
      {"one dot", unsigned_part, "malformed", "malformed"},
      {"three dots", good + ".", "malformed", "malformed"},
      {"dots alone", "..", "malformed", "malformed"},
      {"padding", header + "=" + rest, "malformed", "malformed"},
      {"padding behind", good + "=", "malformed", "malformed"},
      {"the other Base64", header + "+" + rest, "malformed", "malformed"},
      {"a blank in front", " " + good, "malformed", "malformed"},
      {"a newline behind", good + "\n", "malformed", "malformed"},
      {"a 0 byte behind", good + std::string(1, '\0'), "malformed", "malformed"},
      {"Bearer", "Bearer " + good, "malformed", "malformed"},
      {"five parts", "a.b.c.d.e", "malformed", "malformed"},
      {"too long", good + std::string(kTokenBytesMax, 'A'), "too long", "too long"},
  };
  EXPECT_GE(cases.size(), 40U);
  for (const Case& c : cases) {
    EXPECT_EQ(connection(c.token), c.connection) << c.what;
    EXPECT_EQ(subscription(c.token), c.subscription) << c.what;
  }
}

TEST_F(Tokens, WhatAConnectionMayClaim) {
  load(secret_line);
  const auto claims =
      verifier.connection(hmac_token(R"({"sub":"42","exp":1900000100,"expire_at":1900000500,
        "info":{"name":"Ada","z":[1, 2]},"meta":{"plan":"x"},
        "channels":["news","chat:1"],
        "subs":{"chat:1":{"info":{"role":"a"},"data":{"d":1},
                          "override":{"presence":{"value":false},"join_leave":{"value":true}}},
                "raw":{"b64info":"AQID","b64data":"/w==",
                       "override":{"force_recovery":{"value":true},
                                   "force_positioning":{"value":false},
                                   "force_push_join_leave":{"value":true}}}},
        "jti":"1","more":true})"),
                          kNow);
  ASSERT_TRUE(claims) << claims.error().reason;
  EXPECT_EQ(claims->user, "42");
  EXPECT_EQ(claims->expires_at, 1'900'000'500);
  EXPECT_EQ(claims->info, R"({"name":"Ada","z":[1,2]})");
  EXPECT_EQ(claims->meta, R"({"plan":"x"})");
  ASSERT_EQ(claims->subscriptions.size(), 3U);
  const TokenSubscription& chat = claims->subscriptions.at("chat:1");
  EXPECT_EQ(chat.info, R"({"role":"a"})");
  EXPECT_EQ(chat.data, R"({"d":1})");
  EXPECT_EQ(chat.override.presence, false);
  EXPECT_EQ(chat.override.join_leave, true);
  EXPECT_EQ(chat.override.force_recovery, std::nullopt);
  const TokenSubscription& raw = claims->subscriptions.at("raw");
  EXPECT_EQ(raw.info, "\1\2\3");
  EXPECT_EQ(raw.data, "\xff");
  EXPECT_EQ(raw.override.force_recovery, true);
  EXPECT_EQ(raw.override.force_positioning, false);
  EXPECT_EQ(raw.override.force_push_join_leave, true);
  EXPECT_EQ(claims->subscriptions.at("news").info, "");

  const auto plain = verifier.connection(hmac_token("{}"), kNow);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->user, "");
  EXPECT_EQ(plain->expires_at, 0);
  EXPECT_EQ(plain->info, "");
}

TEST_F(Tokens, WhatASubscriptionMayClaim) {
  load(secret_line);
  const auto claims = verifier.subscription(
      hmac_token(R"({"sub":"42","channel":"$chat:1","exp":1900000100,"info":{"a":1},
        "override":{"force_recovery":{"value":true}}})"),
      kNow);
  ASSERT_TRUE(claims) << claims.error().reason;
  EXPECT_EQ(claims->user, "42");
  EXPECT_EQ(claims->channel, "$chat:1");
  EXPECT_EQ(claims->expires_at, 1'900'000'100);
  EXPECT_EQ(claims->info, R"({"a":1})");
  EXPECT_EQ(claims->override.force_recovery, true);
}

TEST_F(Tokens, Rotation) {
  EXPECT_FALSE(verifier.has_keys());
  EXPECT_EQ(connection(samples::kHs256Token), "no keys");
  load(secret_line);
  EXPECT_TRUE(verifier.has_keys());
  const std::string next(40, 'n');
  const std::string of_next = hmac_token(R"({"alg":"HS256"})", "{}", next);
  EXPECT_EQ(connection(of_next), "signature");
  // Both for a while: without names each is tried.
  load(secret_line + "HS256 " + next + "\n");
  EXPECT_EQ(connection(of_next), "");
  EXPECT_EQ(connection(samples::kHs256Token), "");
  load("HS256 " + next + "\n");
  EXPECT_EQ(connection(of_next), "");
  EXPECT_EQ(connection(samples::kHs256Token), "signature");
  // A wrong file changes nothing.
  EXPECT_FALSE(verifier.load({.key_file = directory.write("wrong", "HS256\n")}));
  EXPECT_FALSE(verifier.load({.key_file = directory.path("missing")}));
  EXPECT_EQ(connection(of_next), "");
}

struct WrongFile {
  std::string text;
  const char* message;  ///< behind the path; part of it
};

TEST_F(Tokens, KeyFilesThatAreRefused) {
  directory.write("small.pem", samples::kSmallRsaPublic);
  directory.write("k1.pem", samples::kSecp256k1Public);
  directory.write("locked.pem", samples::kLockedPrivate);
  directory.write("long", std::string(kKeyFileBytesMax + 1, 'x'));
  directory.write("empty", "");
  std::string many;
  for (std::size_t i = 0; i <= kKeysMax; ++i)
    many += "HS256:" + std::to_string(i) + " " + std::string(32, 'x') + "\n";
  const std::string same = "HS256 " + std::string(32, 'x') + "\n";
  for (const WrongFile& c : std::vector<WrongFile>{
           {"", ": there is no key in it"},
           {"# nothing\n\n", ": there is no key in it"},
           {"\nHS256\n", ":2: write ALG[:KID] and the key"},
           {"s3cretsecret\n", ":1: write ALG[:KID] and the key"},
           {"none x\n", ":1: write ALG[:KID] and the key"},
           {"hs256 0123456789abcdef0123456789abcdef\n", ":1: write ALG[:KID] and the key"},
           {"HS256: 0123456789abcdef0123456789abcdef\n", ":1: a KID has 1 to 128"},
           {"HS256:\x01 0123456789abcdef0123456789abcdef\n", ":1: a KID has 1 to 128"},
           {"HS256 short\n", ":1: a secret of HS256 has 32 bytes at least"},
           {"HS384 0123456789abcdef0123456789abcdef\n", ":1: a secret of HS384 has 48 bytes"},
           {"HS512 0123456789abcdef0123456789abcdef\n", ":1: a secret of HS512 has 64 bytes"},
           {"HS256 base64:????\n", ":1: what stands behind base64: is none"},
           {"HS256 file:rsa.pem\n", ":1: a key in PEM is no secret of HS256"},
           {"HS256 file:missing\n", "missing: No such file or directory"},
           {"HS256 file:empty\n", ":1: a secret of HS256 has 32 bytes at least"},
           {"HS256 file:long\n", "long: such a file has at most 1 MiB"},
           {"RS256 missing.pem\n", "missing.pem: No such file or directory"},
           {"RS256 empty\n", "empty: it holds no key in PEM"},
           {"RS256 locked.pem\n", "locked.pem: it holds no key in PEM"},
           {"RS256 small.pem\n", "small.pem: an RSA key has 2048 to 8192 bits, this one 1024"},
           {"ES256 k1.pem\n", "k1.pem: its curve is none of"},
           {"RS256 p256.pem\n", ":1: RS256 needs an RSA key"},
           {"ES256 rsa.pem\n", ":1: ES256 needs an EC key on P-256"},
           {"ES256 p384.pem\n", ":1: ES256 needs an EC key on P-256"},
           {"ES384 p521.pem\n", ":1: ES384 needs an EC key on P-384"},
           {"ES512 p256.pem\n", ":1: ES512 needs an EC key on P-521"},
           {"EdDSA rsa.pem\n", ":1: EdDSA needs an Ed25519 key"},
           {"RS256:a rsa.pem\nRS256:a rsa.pem\n", ":2: there is a key of this algorithm and id"},
           {many, ":101: there are more than 100 keys"},
           {same + same + same + same + same, ":5: there are more than 4 keys of HS256 without"},
       }) {
    const std::string path = directory.write("keys", c.text);
    const auto loaded = verifier.load({.key_file = path});
    ASSERT_FALSE(loaded) << c.text;
    EXPECT_NE(loaded.error().message.find(c.message), std::string::npos)
        << loaded.error().message << "\nnot " << c.message;
    EXPECT_TRUE(loaded.error().message.starts_with(path)) << loaded.error().message;
    // Nothing of a secret, wherever it stands.
    for (const char* secret : {"s3cret", "0123456789abcdef", "short", "????"})
      EXPECT_EQ(loaded.error().message.find(secret), std::string::npos) << loaded.error().message;
  }
  EXPECT_FALSE(verifier.has_keys());
}

TEST_F(Tokens, SecretsInEachWriting) {
  directory.write("secret", std::string(samples::kSecret) + "\n");
  // By base64(1).
  const std::string base64 =
      "base64:c2x1aWNlLXRlc3Qtc2VjcmV0LW9mLTY0LWJ5dGVzLTAxMjM0NTY3ODlhYmNkZWZnaGlqa2xtbm9wcXJzdHV2"
      "dw==";
  for (const std::string& line :
       {secret_line, "  HS256 \t " + std::string(samples::kSecret) + " \r\n",
        std::string("HS256 file:secret\n"), "HS256 file:" + directory.path("secret"),
        "HS256 " + base64}) {
    load("# keys\n\n" + line);
    EXPECT_EQ(connection(samples::kHs256Token), "") << line;
  }
}

TEST_F(Tokens, KeySetsThatAreRefused) {
  for (const WrongFile& c : std::vector<WrongFile>{
           {"", ": it is no JSON Web Key Set"},
           {"[]", ": it is no JSON Web Key Set"},
           {"{}", ": it is no JSON Web Key Set"},
           {R"({"keys":{}})", ": it is no JSON Web Key Set"},
           {R"({"keys":[],"keys":[]})", ": it is no JSON Web Key Set"},
           {R"({"keys":[]})", ": there is no key in it"},
           {R"({"keys":[{"kty":"x"}]})", ": there is no key in it"},
           {R"({"keys":[{"kty":"RSA","use":"enc"}]})", ": there is no key in it"},
           {R"({"keys":[{"kty":"oct","k":"AAAA"}]})", ": there is no key in it"},
           {R"({"keys":[1]})", ": key 1: it is no object"},
           {R"({"keys":[{"kty":"RSA"}]})", ": key 1: "},
           {R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})",
            ": key 1: an RSA key has 2048 bits at least"},
           {R"({"keys":[{"kty":"RSA","n":"A*","e":"AQAB"}]})", ": key 1: "},
           {R"({"keys":[{"kty":"RSA","alg":"ES256","n":"AQAB","e":"AQAB"}]})", ": key 1: "},
           {R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})",
            ": key 1: its coordinates"},
           {R"({"keys":[{"kty":"EC","crv":"P-256",
               "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
               "y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}]})",
            ": key 1: its point is not on its curve"},
           {R"({"keys":[{"kty":"EC","crv":"P-256","alg":"ES384",
               "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
               "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
            ": key 1: ES384 needs an EC key on P-384"},
           {R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]})", ": key 1: an Ed25519 key"},
           {R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"",
               "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})",
            ": key 1: its kid is no text"},
           {R"({"keys":[{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}]})",
            ": key 1: a secret of HS256"},
           {R"({"keys":[{"kty":"oct","alg":"RS256","k":"c2hvcnQ"}]})", ": key 1: its kty is oct"},
       }) {
    const std::string path = directory.write("jwks", c.text);
    const auto loaded = verifier.load({.jwks_file = path});
    ASSERT_FALSE(loaded) << c.text;
    EXPECT_NE(loaded.error().message.find(path + c.message), std::string::npos)
        << loaded.error().message << "\nnot " << c.message;
  }
}

TEST_F(Tokens, SecretsThatEverybodyMayReadAreWarnedOf) {
  using std::filesystem::perms;
  const std::string keys = directory.write("keys", secret_line + "RS256 rsa.pem\n");
  const std::string jwks = directory.write("jwks", samples::kJwks);
  ASSERT_TRUE(verifier.load({.key_file = keys, .jwks_file = jwks}));
  EXPECT_TRUE(verifier.warnings().empty());
  for (const std::string& path : {keys, jwks, directory.path("rsa.pem")})
    std::filesystem::permissions(path, perms::others_read, std::filesystem::perm_options::add);
  ASSERT_TRUE(verifier.load({.key_file = keys, .jwks_file = jwks}));
  // A public key is for everybody.
  ASSERT_EQ(verifier.warnings().size(), 2U);
  EXPECT_TRUE(verifier.warnings()[0].starts_with(keys + " holds a secret"));
  EXPECT_TRUE(verifier.warnings()[1].starts_with(jwks + " holds a secret"));
}

TEST_F(Tokens, MadeTokensAreTaken) {
  directory.write("rsa", samples::kRsaPrivate);
  directory.write("p256", samples::kP256Private);
  directory.write("p384", samples::kP384Private);
  directory.write("p521", samples::kP521Private);
  directory.write("ed", samples::kEd25519Private);
  const std::string secret = samples::kSecret;
  const auto keys = TokenKeys::read(
      {.key_file = directory.write(
           "private", "HS256 " + secret + "\nHS384:a " + secret + "\nHS512:b " + secret +
                          "\nRS256 rsa\nRS384:c rsa\nRS512:d rsa\nES256 p256\nES384:e p384\n"
                          "ES512:f p521\nEdDSA ed\n")});
  ASSERT_TRUE(keys) << keys.error().message;
  load("HS256 " + secret + "\nHS384:a " + secret + "\nHS512:b " + secret +
       "\nRS256 rsa.pem\nRS384:c rsa.pem\nRS512:d rsa.pem\nES256 p256.pem\nES384:e p384.pem\n"
       "ES512:f p521.pem\nEdDSA ed.pem\n");
  for (const TokenKey& key : keys->all()) {
    EXPECT_TRUE(key.can_sign());
    const auto token = sign_token(R"({"sub":"7","info":{"a":"é"}})", key);
    ASSERT_TRUE(token) << to_string(key.algorithm);
    const auto claims = verifier.connection(*token, kNow);
    ASSERT_TRUE(claims) << to_string(key.algorithm) << ": " << claims.error().reason;
    EXPECT_EQ(claims->user, "7");
    EXPECT_EQ(claims->info, "{\"a\":\"é\"}");
  }
  const auto public_keys = TokenKeys::read({.key_file = directory.write("k", "RS256 rsa.pem\n")});
  ASSERT_TRUE(public_keys);
  EXPECT_FALSE(sign_token("{}", public_keys->all().front()));
}

}  // namespace
}  // namespace sluice
