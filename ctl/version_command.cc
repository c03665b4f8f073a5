// `sluice version`: of this tool, and of the relay that runs.
#include <nlohmann/json.hpp>
#include <string>

#include "ctl/commands.h"
#include "ctl/relay_client.h"
#include "ctl/text.h"

namespace sluice::ctl {

ExitCode run_version(const CommonOptions& options, Console& console) {
  const auto client = RelayClient::dial(options.relay_path, console.interrupts());
  std::string text;
  if (options.json) {
    nlohmann::ordered_json json = {{"tool", "sluice " SLUICE_VERSION}, {"relay", nullptr}};
    if (client) json["relay"] = client->relay().software;
    json["address"] = "unix:" + options.relay_path;
    text = json.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
  } else {
    text = "sluice " SLUICE_VERSION "\n";
    if (client) {
      text += visible(client->relay().software) + "  (unix:" + visible(options.relay_path) + ")\n";
    }
  }
  if (!console.write(text)) return console.exit_code();
  return client ? ExitCode::kOk : end_with(client.error());
}

}  // namespace sluice::ctl
