#include "keeper/config.h"

#include <string_view>

#include "common/flags.h"

namespace sluice::keeper {
namespace {

/// The gateway's own rule.
Result<std::string> parse_id(const std::string& text) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  if (!text.empty() && text.size() <= 64 && text.find_first_not_of(kAllowed) == std::string::npos)
    return text;
  return fail(ErrorCode::kInvalid, "'" + text + "' is not an id: 1 to 64 of A-Z a-z 0-9 . _ -");
}

/// Descriptors travel over Unix sockets alone, and a successor finds it by its path.
Result<Address> parse_listen(const std::string& text) {
  Result<Address> address = parse_address(text);
  if (address && address->kind != Address::Kind::kUnix)
    return fail(ErrorCode::kInvalid, "a keeper needs a Unix socket: unix:PATH");
  return address;
}

}  // namespace

std::optional<int> read_config(int argc, char** argv, KeeperConfig& config) {
  Flags flags("sluice-keeper",
              "Holds a gateway's sockets while no process of that gateway is there.",
              "SLUICE_KEEPER_");
  flags.add_as("id", {"Identity", "ID", "", "The gateway whose sockets these are"}, config.id,
               parse_id, true);
  flags.add_as("listen", {"Identity", "ADDR", "", "Where the gateway connects: unix:PATH"},
               config.listen, parse_listen, true);
  flags.add_as("log-level", {"Operation", "LEVEL", "info", "debug, info, warn or error"},
               config.log_level, parse_log_level);
  flags.add_as("log-format", {"Operation", "FORMAT", "text", "text or json"}, config.log_format,
               parse_log_format);
  flags.add_switch("check", {"Operation", "", "", "Only see whether the flags can be read"},
                   config.check_only);
  return flags.parse(argc, argv);
}

}  // namespace sluice::keeper
