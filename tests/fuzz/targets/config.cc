// Configuration of both daemons: command line, environment and file as text from the input, through
// the whole of parse_config / read_config. Promises:
//  - it returns: no exception, no exit, no hang;
//  - a refusal is one line on stderr that begins with the program's name, and code 2;
//  - what is accepted says nothing and lies inside the documented ranges.
//
// Input: lines. "-x" is an argument, "NAME=value" a variable behind the prefix, and after a line
// "---" the rest is the file that --config names.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/unique_fd.h"
#include "gateway/config.h"
#include "gateway/limits.h"
#include "gateway/upgrade_request.h"
#include "proto/frame.h"
#include "relay/config.h"
#include "tests/fuzz/input.h"

namespace sluice {
namespace {

constexpr std::size_t kLinesMax = 64;

std::string contents(int fd) {
  std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  CHECK(::pread(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return text;
}

/// What a stream of the process gets while it lives, kept in memory.
class Captured {
 public:
  explicit Captured(FILE* stream)
      : stream_(stream), file_(::memfd_create("captured", MFD_CLOEXEC)) {
    std::fflush(stream_);
    saved_ = UniqueFd(::dup(::fileno(stream_)));
    CHECK(saved_.valid() && ::dup2(file_.get(), ::fileno(stream_)) >= 0);
  }
  ~Captured() { give_back(); }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;

  std::string finish() {
    give_back();
    return contents(file_.get());
  }

 private:
  void give_back() {
    if (!saved_.valid()) return;
    std::fflush(stream_);
    ::dup2(saved_.get(), ::fileno(stream_));
    saved_.reset();
  }

  FILE* stream_;
  UniqueFd file_;
  UniqueFd saved_;
};

struct Given {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> variables;
  std::string file;
  bool has_file = false;
};

Given read(std::string_view text) {
  Given given;
  for (std::size_t lines = 0; !text.empty() && lines < kLinesMax; ++lines) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    // Neither arguments nor variables can hold a 0 byte.
    const std::string line(text.substr(0, std::min(end, text.find('\0'))));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line == "---") {
      given.has_file = true;
      given.file = text;
      break;
    }
    const std::size_t equals = line.find('=');
    if (!line.empty() && line[0] != '-' && equals != std::string::npos && equals > 0) {
      // Not a file of this machine's choice.
      if (line.starts_with("CONFIG=")) continue;
      given.variables.emplace_back(line.substr(0, equals), line.substr(equals + 1));
    } else if (!line.starts_with("--config")) {
      given.arguments.push_back(line);
    }
  }
  return given;
}

void check_gateway(const gateway::GatewayConfig& c) {
  using namespace gateway;
  CHECK(proto::valid_gateway_id(c.id) && !c.listen.empty());
  CHECK(c.relay.kind == Address::Kind::kUnix && valid_channel_name(c.default_channel));
  CHECK(c.message_bytes_max >= kMessageBytesMin && c.message_bytes_max <= kMessageBytesMax);
  CHECK(c.client_queue_bytes >= kClientQueueBytesMin &&
        c.client_queue_bytes <= kClientQueueBytesMax);
  CHECK(c.connections_max >= 1 && c.channels_max >= 1 && c.socket_mode <= 0777);
  CHECK(c.drain_rate_per_second > 0 && c.drain_rate_per_second <= 1e9);
  CHECK(c.publish_wait >= Duration::zero() && c.publish_wait <= std::chrono::minutes(5));
  CHECK(c.greeting.size() <= 1024);
  const AccessOptions& access = c.access;
  CHECK(!(access.open_access && !access.rules_file.empty()));
  CHECK(!access.has_key_files() || !access.rules_file.empty());
  CHECK(access.has_key_files() || (access.tokens.audience.empty() && access.tokens.issuer.empty()));
  for (const std::string& origin : c.allowed_origins) CHECK(parse_origin(origin).value() == origin);
  for (const Address& address : c.listen) CHECK(address.path.find('\0') == std::string::npos);
}

void check_relay(const relay::RelayConfig& c) {
  CHECK(c.listen.kind != Address::Kind::kTcp && !c.allow_uids.empty() && c.socket_mode <= 0777);
  CHECK(c.listen.path.find('\0') == std::string::npos);
  CHECK(c.broker_password_file.find('\0') == std::string::npos);
  CHECK(c.router.payload_bytes_max >= 1 && c.router.payload_bytes_max <= proto::kPayloadBytesMax);
  CHECK(c.router.gateways_max >= 1 && c.router.channels_max >= 1);
  CHECK(c.router.ring.messages_max >= 64 && c.router.ring.bytes_max >= 4096);
}

struct Outcome {
  int code = -1;  ///< -1: the daemon would start
  std::optional<gateway::GatewayConfig> gateway;
  std::optional<relay::RelayConfig> relay;
};

Outcome parse(bool is_gateway, int argc, char** argv) {
  Outcome out;
  if (is_gateway) {
    gateway::ConfigOutcome parsed = gateway::parse_config(argc, argv);
    out.gateway = std::move(parsed.config);
    if (!out.gateway) out.code = parsed.exit_code;
  } else {
    relay::RelayConfig config;
    const auto code = relay::read_config(argc, argv, config);
    if (code) out.code = *code;
    if (!code) out.relay = std::move(config);
  }
  return out;
}

void check_words(int code, const std::string& program, const std::string& out,
                 const std::string& err) {
  if (code == 2) {
    CHECK(out.empty() && err.starts_with(program + ": ") && err.back() == '\n');
    CHECK(err.find('\n') == err.size() - 1);
  } else if (code == 0) {
    CHECK(!out.empty() && err.empty());
  } else {
    CHECK(code == -1 && out.empty() && err.empty());
  }
}

void run(bool is_gateway, const Given& given) {
  const std::string program = is_gateway ? "sluice-gateway" : "sluice-relay";
  const std::string prefix = is_gateway ? "SLUICE_GATEWAY_" : "SLUICE_RELAY_";
  std::vector<std::string> arguments{program};
  arguments.insert(arguments.end(), given.arguments.begin(), given.arguments.end());
  const UniqueFd file(::memfd_create("settings", MFD_CLOEXEC));
  if (given.has_file) {
    CHECK(::write(file.get(), given.file.data(), given.file.size()) ==
          static_cast<ssize_t>(given.file.size()));
    arguments.push_back("--config=/proc/self/fd/" + std::to_string(file.get()));
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 2);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  for (const auto& [name, value] : given.variables)
    ::setenv((prefix + name).c_str(), value.c_str(), 1);
  Captured out(stdout);
  Captured err(stderr);
  const Outcome outcome = parse(is_gateway, static_cast<int>(arguments.size()), argv.data());
  const std::string said = err.finish();
  check_words(outcome.code, program, out.finish(), said);
  if (outcome.gateway) check_gateway(*outcome.gateway);
  if (outcome.relay) check_relay(*outcome.relay);
  for (const auto& [name, value] : given.variables) ::unsetenv((prefix + name).c_str());
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  fuzz::Input input(data, size);
  const bool is_gateway = input.flag();
  run(is_gateway, read(fuzz::as_text(input.rest())));
  return 0;
}
