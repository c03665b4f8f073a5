#include "ctl/access_options.h"

#include "common/flags.h"
#include "common/tokens/claims.h"
#include "common/tokens/strict_json.h"

namespace sluice::ctl {
namespace {

constexpr const char* kPrefix = "SLUICE_";
constexpr std::size_t kChannelBytesMax = 255;
constexpr Duration kExpiresMax = std::chrono::hours(24 * 3650);

std::function<Result<std::string>(const std::string&)> text_up_to(std::size_t bytes) {
  return [bytes](const std::string& text) -> Result<std::string> {
    if (!text.empty() && text.size() <= bytes) return text;
    return fail(ErrorCode::kInvalid, "1 to " + std::to_string(bytes) + " bytes are allowed");
  };
}

Result<std::string> parse_json(const std::string& text) {
  const auto json = parse_strict_json(text);
  if (json) return to_text(*json);
  return fail(ErrorCode::kInvalid, "'" + text + "' is no JSON (a text is \"in quotes\")");
}

Result<std::string> parse_json_object(const std::string& text) {
  auto json = parse_json(text);
  if (json && !json->starts_with('{'))
    return fail(ErrorCode::kInvalid, "'" + text + "' is no JSON object");
  return json;
}

void add_keys(Flags& flags, const std::string& group, TokenKeyOptions& keys) {
  const auto file = text_up_to(4096);
  flags.add_as("key-file", {group, "FILE", "", "Keys as the gateways' --token-key-file has them"},
               keys.key_file, file);
  flags.add_as("jwks-file", {group, "FILE", "", "Keys as the gateways' --token-jwks-file has them"},
               keys.jwks_file, file);
}

void add_addressees(Flags& flags, const std::string& group, std::string& audience,
                    std::string& issuer, const char* audience_help, const char* issuer_help) {
  flags.add_as("audience", {group, "TEXT", "", audience_help}, audience, text_up_to(255));
  flags.add_as("issuer", {group, "TEXT", "", issuer_help}, issuer, text_up_to(255));
}

}  // namespace

std::optional<int> read_options(int argc, char** argv, CheckOptions& options) {
  Flags flags(
      "sluice check",
      "Reads a file of rules, and keys of tokens, as gateways and relays do, and shows what "
      "they say. Exit\ncodes: 0 all is right, 1 something is wrong, 2 a file can't be "
      "read.",
      kPrefix, false);
  flags.add_positional(
      "RULES", "The file of rules",
      [&options](const std::string& text) -> Result<void> {
        options.rules_file = text;
        return {};
      },
      true);
  add_keys(flags, "Check", options.keys);
  flags.add_switch("json", {"Check", "", "", "JSON for programs"}, options.json);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, TokenMakeOptions& options) {
  Flags flags("sluice token make",
              "Makes a token for a connection or, with --channel, for a subscription. For trying "
              "things out: in\nproduction the application makes them.",
              kPrefix, false);
  const std::string group = "Token";
  flags.add_as("key-file",
               {group, "FILE", "", "A secret or private key, as --token-key-file names it"},
               options.key_file, text_up_to(4096), true);
  flags.add_as("kid", {group, "ID", "", "Of the file's key; else the first that can sign"},
               options.key_id, text_up_to(128));
  flags.add_as("alg", {group, "ALG", "", "Of the file's key, such as HS256"}, options.algorithm,
               [](const std::string& text) -> Result<TokenAlgorithm> {
                 if (const auto found = find_algorithm(text)) return *found;
                 return fail(ErrorCode::kInvalid, "'" + text + "' is no algorithm that we know");
               });
  flags.add_as("user", {group, "ID", "", "Whose (sub); else an anonymous client's"}, options.user,
               text_up_to(kTokenUserBytesMax));
  flags.add_as("channel", {group, "NAME", "", "A subscription token for this channel"},
               options.channel, text_up_to(kChannelBytesMax));
  flags.add_list_as("subscribe",
                    {group, "NAME", "",
                     "A channel that the server subscribes the connection to; may be given again"},
                    options.channels, text_up_to(kChannelBytesMax));
  flags.add("expires", {group, "TIME", "1h", "How long it is good (exp), or never"},
            [&options](const std::string& text) -> Result<void> {
              options.never_expires = text == "never";
              if (options.never_expires) return {};
              auto parsed = duration_between(std::chrono::seconds(1), kExpiresMax)(text);
              if (!parsed) return tl::make_unexpected(parsed.error());
              options.expires = *parsed;
              return {};
            });
  flags.add_as("info", {group, "JSON", "", "What others see of the client"}, options.info,
               parse_json);
  flags.add_as("claims", {group, "JSON", "", "More claims, an object: meta, subs, override, …"},
               options.claims, parse_json_object);
  add_addressees(flags, group, options.audience, options.issuer, "For whom (aud)", "By whom (iss)");
  flags.add_switch("json", {group, "", "", "JSON: the token and its claims"}, options.json);
  return flags.parse(argc, argv);
}

std::optional<int> read_options(int argc, char** argv, TokenInspectOptions& options) {
  Flags flags("sluice token inspect",
              "Shows what a token says and, when keys are given, whether a gateway with them takes "
              "it. Exit codes:\n0 it is right (or no keys were given), 1 it would be refused, 2 it "
              "can't be read.",
              kPrefix, false);
  flags.add_positional(
      "TOKEN", "The token; without it, standard input",
      [&options](const std::string& text) -> Result<void> {
        options.token = text;
        return {};
      },
      false);
  add_keys(flags, "Token", options.keys);
  add_addressees(flags, "Token", options.keys.audience, options.keys.issuer,
                 "The gateways' --token-audience", "The gateways' --token-issuer");
  flags.add_switch("json", {"Token", "", "", "JSON for programs"}, options.json);
  return flags.parse(argc, argv);
}

const char* token_help_text() {
  return R"(Makes and explains tokens of the Centrifuge protocol.
Usage: sluice token COMMAND [OPTIONS]

Commands:
  make                       Makes a token with a key of --key-file
  inspect [TOKEN]            Shows what a token says, and whether keys take it

--help behind a command shows its own.
)";
}

}  // namespace sluice::ctl
